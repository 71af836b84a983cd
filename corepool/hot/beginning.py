"""The beginning of a connection in this process: new, from another worker, or of one that has died."""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.hot.ending import end
from corepool.hot.entering import start_opening
from corepool.hot.interest import admit, wants_input
from corepool.hot.outside import run
from corepool.hot.sockets import has_come
from corepool.hot.states import NEW, NOTHING
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.hot.site import Held
    from corepool.spec.connection import Connection


def begin(conn: Held, hook: Callable[[Connection], object] | None) -> None:
    """Watch the descriptor, and call the first hook.

    :raises OSError: it can't be watched; it still has to be closed.
    """
    site = conn.site
    site.reactor.add(conn.fd, conn, EPOLLIN | site.trigger)
    if not conn.active_at:
        conn.active_at = site.reactor.now
    if conn.layers is not None:
        start_opening(conn, conn.layers)
    if hook is not None:
        run(conn, hook)
    if site.on_met is not None:
        site.on_met(conn)
    if site.idle_timeout or (conn.read_deadline is not None and conn.entry is None):
        site.deadlines.watch(conn)
    if conn.journal is not None:
        conn.journal.rest(conn)


def begin_new(conn: Held, hook: Callable[[Connection], object] | None) -> None:
    """Call the first hook of a connection that this process is the first to have.

    Its first request has often come already, and often ends it: `serve_new` watches the descriptor if it stays open.
    """
    site = conn.site
    conn.mask = NEW
    conn.active_at = site.reactor.now
    site.reactor.unread.append(conn)
    if hook is not None:
        run(conn, hook)
    if site.on_met is not None:
        site.on_met(conn)


def serve_new(conn: Held) -> None:
    """Serve what its client has sent by now, after the events of the turn that began it. May raise, as `on_event`."""
    if conn.out is not NOTHING:  # of `on_accept`: above the high-water mark nothing is read
        conn.flush()
    if wants_input(conn) and has_come(conn.fd):
        conn.on_event(EPOLLIN)
    if conn.mask != NEW:
        return
    # Its place in the reactor's list ends here, or, if its last reply is gathered, when that is sent.
    if conn.reason is None:
        if conn.out is not NOTHING:  # not lost, should epoll have no room
            conn.flush()
        if conn.mask == NEW:
            admit(conn)
    elif conn.out is NOTHING:
        conn.flush()


def begin_lost(conn: Held) -> None:
    """Have the protocol tell the client that the worker which served it has died, and close.

    :raises OSError: it can't be watched; it still has to be closed.
    """
    conn.busy = True  # its plugins do not know it, and are not asked for its state
    begin(conn, conn.site.on_lost)
    end(conn, CloseReason.CLOSED)
