"""Everything but plain input, once no hook of the connection runs: hang-ups, the end of a side, and the end."""

from __future__ import annotations

from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDNORM
from socket import SHUT_WR
from typing import TYPE_CHECKING

from corepool.hot.dropping import drop_input
from corepool.hot.ending import break_off
from corepool.hot.interest import park, unwatch, watch
from corepool.hot.layered import finish
from corepool.hot.sending import send_queue
from corepool.hot.sockets import shut_down
from corepool.hot.states import GONE
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.site import Held


def serve_unusual(conn: Held, mask: int) -> bool:
    """Serve everything but input; True when input is to be served too."""
    if mask & EPOLLOUT:
        send_queue(conn)
        settle(conn)
        if conn.mask == GONE:
            return False
    if mask & conn.mask & EPOLLRDNORM:
        conn.drops_input = drop_input(conn) or conn.drops_input
        settle(conn)
        return False
    if conn.mask & EPOLLIN:
        # recv tells what a hang-up or an error means, after what came before it.
        return bool(mask & ~EPOLLOUT)
    if mask & EPOLLERR or (mask & EPOLLHUP and not conn.paused):
        # Nothing would be read, and nothing can be sent to a peer that has hung up.
        break_off(conn, CloseReason.RESET)
        settle(conn)
    elif mask & EPOLLHUP:
        park(conn)
    return False


def settle(conn: Held) -> None:
    """Act on the end of input and on close."""
    if conn.mask == GONE:
        return
    layers = conn.layers
    if conn.reason is None:
        if conn.eof_due and not conn.out and conn.site.then is None and (layers is None or finish(conn, layers)):
            conn.eof_due = False
            shut_down(conn.fd, SHUT_WR)
        if not conn.eof:
            return
        if conn.half_open:
            watch(conn)
            return
        conn.reason = CloseReason.EOF
    if conn.out or (layers is not None and not finish(conn, layers)):
        watch(conn)
        return
    unwatch(conn)
    conn.site.owner.ended(conn, conn.fd, conn.reason)
    conn.fd = -1  # the number will soon be another's
