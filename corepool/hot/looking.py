"""Looking at the first bytes of a connection, which stay to be received by the site that it enters.

A plain descriptor is looked at with MSG_PEEK. The bytes are reported no second time, for the site has EPOLLET as its
`trigger`: the next event is that of more bytes, or of the end. SO_RCVLOWAT would do that for TCP alone.
"""

from __future__ import annotations

from select import POLLERR, POLLRDHUP, poll
from typing import TYPE_CHECKING

from corepool.hot import layered
from corepool.hot.ending import break_off
from corepool.hot.sockets import peek
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.site import Held


def look(conn: Held, limit: int) -> bytes | None:
    """Return the first bytes, `limit` at most; b"" at the end of input, None if there are none yet, or it is broken."""
    if conn.layers is not None:
        data = layered.look(conn, conn.layers, limit)
        return data if conn.reason is None and (data or conn.layers.has_ended) else None
    try:
        return peek(conn.fd, limit)
    except BlockingIOError:
        return None
    except OSError:
        break_off(conn, CloseReason.RESET)
        return None


def look_to_the_end(conn: Held, limit: int) -> bytes | None:
    """Return the first bytes, as `look` does, if nothing comes behind them any more: the peer has ended its side.

    None: more may come, or it is broken.
    """
    # Looked at once more: the last ones may have come since the look before, together with the end.
    return look(conn, limit) if _has_ended(conn) else None


def _has_ended(conn: Held) -> bool:
    if conn.layers is not None:
        return conn.layers.has_ended
    poller = poll()
    poller.register(conn.fd, POLLRDHUP)
    for _, mask in poller.poll(0):
        if mask & POLLERR:  # a reset; what came before it could still be looked at
            break_off(conn, CloseReason.RESET)
            return False
        return True
    return False
