"""Connections of a worker that leaves, and those that leave a worker: drained, departed, or given up."""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.hot.ending import break_off, end, forget_output
from corepool.hot.interest import has_input, unwatch
from corepool.hot.outside import run
from corepool.hot.states import GONE, NEW
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.site import Held


def notify_drain(conn: Held) -> None:
    """Call the protocol's `on_drain`: the worker is leaving."""
    on_drain = conn.site.on_drain
    if on_drain is not None and conn.reason is None:
        run(conn, on_drain)


def close_if_idle(conn: Held, quiet_since: float) -> None:
    """Close, if the connection is between requests and nothing more has arrived.

    :param quiet_since: leave it open if it was active, or accepted, after this moment.
    """
    if conn.reason is not None or conn.busy or conn.out or conn.active_at > quiet_since:
        return
    # The plugin that paused it will read the rest: an extension that slows a client down, say.
    if (conn.mask in (EPOLLIN, NEW) or (conn.paused and not conn.eof)) and has_input(conn):
        return
    end(conn, CloseReason.DRAIN)


def close_now(conn: Held) -> None:
    """Close, whatever the connection is in the middle of: the drain deadline has passed."""
    break_off(conn, CloseReason.DRAIN)


def depart(conn: Held) -> None:
    """Leave this process: the descriptor of the connection, which is idle, is on its way to another."""
    conn.reason = CloseReason.MOVED
    unwatch(conn)
    conn.site.owner.ended(conn, conn.fd, CloseReason.MOVED)
    conn.fd = -1


def give_up(conn: Held) -> int:
    """Stop, with no word to the plugins: it could not begin. The caller owns the returned descriptor."""
    fd, conn.fd = conn.fd, -1
    conn.mask, conn.reason = GONE, CloseReason.ERROR
    forget_output(conn)
    conn.site.parked.discard(conn)
    conn.site.reactor.discard(fd, conn)
    conn.site.deadlines.forget(conn)
    conn.session = None
    return fd
