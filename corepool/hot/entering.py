"""From one site to another: of the PROXY header, of the layers that open, of the bytes looked at, of the protocol.

A connection has read nothing for the site that it leaves, or a layer holds it; so the next one gets all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.interest import serve_later, wants_input
from corepool.hot.outside import run
from corepool.hot.states import PARKED

if TYPE_CHECKING:
    from corepool.hot.layers import Layers
    from corepool.hot.site import Held, Site


def enter(conn: Held, site: Site) -> None:
    """Have the connection served at `site` from now on: its `on_accept` is called, and the deadline before is off."""
    journal = conn.journal
    if journal is not None:
        journal.wake()
    _change_site(conn, site)
    conn.active_at = site.reactor.now  # it may have waited for longer than it may be idle here
    if conn.buffered > conn.low:  # sent while layers that the protocol has started were not open
        conn.was_congested = True
    if site.on_accept is not None:
        run(conn, site.on_accept)
    if site.on_met is not None:
        site.on_met(conn)
    if conn.eof_due:  # by a task, while layers that the protocol has started were not open
        site.unsent.append(conn)
    if conn.site is not site:  # it has gone on from there already
        return
    if site.idle_timeout or conn.read_deadline is not None:
        site.deadlines.watch(conn)
    if conn.layers is not None:
        conn.layers.hold()
        if conn.layers.holds_input:
            serve_later(conn, conn.layers)
    if journal is not None:
        journal.rest(conn)


def enter_opening(conn: Held, site: Site, layers: Layers) -> None:
    """Have layers opened at `site`. The connection had none, and has read and sent nothing of theirs."""
    _change_site(conn, site)
    conn.layers = conn.out = layers
    start_opening(conn, layers)
    site.deadlines.watch(conn)


def serve_input(conn: Held) -> None:
    """Serve input that has come already, within the event that had the connection enter this site.

    That of layers is on the reactor's list.
    """
    if conn.layers is not None or not wants_input(conn):
        return
    if conn.journal is not None:
        conn.journal.wake()
    conn.site.events += 1
    conn.site.on_readable(conn)


def start_opening(conn: Held, layers: Layers) -> None:
    """Set the deadline for layers to open, and look at them soon: one may speak first, or be open already."""
    conn.read_deadline = conn.site.reactor.now + layers.opening_timeout
    serve_later(conn, layers)


def _change_site(conn: Held, site: Site) -> None:
    before, conn.site = conn.site, site
    conn.read_deadline = None
    if conn.mask == PARKED:
        before.parked.discard(conn)
        site.parked.add(conn)
    elif conn.mask >= 0 and (before.trigger or site.trigger):  # also between two such sites: it tells once more
        site.reactor.change(conn.fd, conn.mask | site.trigger)
