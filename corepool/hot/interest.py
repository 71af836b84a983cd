"""The events that epoll watches for, of one connection.

Reading stops while it is paused, congested, ended or closing. A hang-up during a pause takes the connection out of
epoll ("parked"), since EPOLLHUP cannot be masked and would spin.

A connection that is closed while its output waits drops its input: its peer may take that output only once it has sent
everything. For this it watches for EPOLLRDNORM, which is EPOLLIN by another number (tcp_poll and unix_poll set both):
so the hot path, which compares with EPOLLIN, needs no test for it.
"""

from __future__ import annotations

from select import EPOLLIN, EPOLLOUT, EPOLLRDNORM, POLLIN, poll
from typing import TYPE_CHECKING

from corepool.hot.ending import break_off
from corepool.hot.states import GONE, NEW, PARKED
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.layers import Layers
    from corepool.hot.site import Held


def wants_input(conn: Held) -> bool:
    """Return whether input is to be served."""
    return not (conn.paused or conn.eof or conn.reason is not None or conn.was_congested)


def watch(conn: Held) -> None:
    """Watch for what can be served now."""
    if conn.mask == GONE:
        return
    reading = wants_input(conn)
    if reading and conn.layers is not None and conn.layers.holds_input:
        serve_later(conn, conn.layers)
    mask = (EPOLLIN if reading else 0) | (EPOLLOUT if conn.blocked_at else 0)
    if conn.reason is not None and conn.blocked_at and not conn.eof:
        mask |= EPOLLRDNORM
    if mask == conn.mask:
        return
    if conn.mask >= 0:
        conn.site.reactor.change(conn.fd, mask | conn.site.trigger)
        conn.mask = mask
    elif mask:
        _add(conn, mask)


def admit(conn: Held) -> None:
    """Put a connection that is new, and stays, into epoll."""
    _add(conn, EPOLLIN if wants_input(conn) else 0)


def _add(conn: Held, mask: int) -> None:
    site = conn.site
    try:
        site.reactor.add(conn.fd, conn, mask | site.trigger)
    except OSError as error:  # nothing would ever wake it
        site.owner.closing(conn, error)
        break_off(conn, CloseReason.ERROR)
        return
    if conn.mask == PARKED:
        site.parked.discard(conn)
        conn.mask = mask
        return
    conn.mask = mask
    if site.idle_timeout or (conn.read_deadline is not None and conn.entry is None):
        site.deadlines.watch(conn)


def park(conn: Held) -> None:
    """Take a paused connection, whose peer has hung up, out of epoll."""
    conn.site.reactor.remove(conn.fd)
    conn.site.parked.add(conn)
    conn.mask = PARKED


def unwatch(conn: Held) -> None:
    """Watch for nothing any more: it is gone."""
    mask, conn.mask = conn.mask, GONE
    if mask == PARKED:
        conn.site.parked.discard(conn)
    elif mask != NEW:
        conn.site.reactor.remove(conn.fd)


def serve_later(conn: Held, layers: Layers) -> None:
    """Have input that a layer holds served after the others had their turn: no event will announce it."""
    if not layers.queued:
        layers.queued = True
        conn.site.reactor.unread.append(conn)


def has_input(conn: Held) -> bool:
    """Return whether something has come that was not received."""
    if conn.layers is not None and conn.layers.holds_input:
        return True
    poller = poll()
    poller.register(conn.fd, POLLIN)
    return bool(poller.poll(0))
