"""From one site to another: of the layers that open, of the bytes that are looked at, of the protocol.

A connection has read nothing for the site that it leaves, or a layer holds it; so the next one gets all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.interest import serve_later
from corepool.hot.outside import run
from corepool.hot.states import GONE, PARKED

if TYPE_CHECKING:
    from corepool.hot.site import Held, Site


def enter(conn: Held, site: Site) -> None:
    """Have the connection served at `site` from now on: its `on_accept` is called, and the deadline before is off."""
    before, conn.site = conn.site, site
    journal = conn.journal
    if journal is not None:
        journal.wake()
    conn.read_deadline = None
    if conn.mask == PARKED:
        before.parked.discard(conn)
        site.parked.add(conn)
    elif conn.mask != GONE and before.trigger != site.trigger:
        site.reactor.change(conn.fd, conn.mask | site.trigger)
    if site.on_accept is not None:
        run(conn, site.on_accept)
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
