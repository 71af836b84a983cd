"""Looking at the first bytes of a connection, which stay to be received by the site that it enters.

A plain descriptor is looked at with MSG_PEEK. The bytes are reported no second time, for the site has EPOLLET as its
`trigger`: the next event is that of more bytes, or of the end. SO_RCVLOWAT would do that for TCP alone.
"""

from __future__ import annotations

from select import POLLRDHUP, poll
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


def has_ended(conn: Held) -> bool:
    """Return whether the peer has ended its side: nothing comes any more behind the bytes that are there."""
    if conn.layers is not None:
        return conn.layers.has_ended
    poller = poll()
    poller.register(conn.fd, POLLRDHUP)
    return bool(poller.poll(0))
