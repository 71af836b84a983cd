"""The sites of one bound socket, in the order in which a connection passes them.

========  =====================================================================================
proxied   a PROXY header is read (`proxied.py`): from the peers of `accept_proxy`
opening   the layers of the transport open
served    the listener's plugins know the connection
unmet     they have never met it, or refused to go on with it, and are not told of its end
securing  the protocol has begun TLS, which opens (`conn.start_tls`)
secured   that is open; `on_tls` is called at first
========  =====================================================================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corepool.hot.connection import Connection
from corepool.hot.layered import open_further
from corepool.hot.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.hot.deadlines import Deadlines
    from corepool.hot.reactor import Reactor
    from corepool.hot.site import Owner
    from corepool.plugins.chain import Chain
    from corepool.plugins.listener import BoundSocket


class Sites:
    """All of them, and the sums of what their connections count."""

    def __init__(self, owner: Owner, bound: BoundSocket, reactor: Reactor, deadlines: Deadlines) -> None:
        settings, chain = bound.listener.settings, bound.listener.chain
        assert chain.on_readable is not None
        self.served = Site(
            name=bound.listener.name,
            index=bound.index,
            owner=owner,
            reactor=reactor,
            deadlines=deadlines,
            unsent=reactor.unsent,
            on_readable=chain.on_readable,
            on_accept=chain.on_accept,
            on_writable=chain.on_writable,
            on_timeout=chain.on_timeout,
            on_drain=chain.on_drain,
            on_lost=chain.on_lost,
            on_close=chain.on_close,
            idle_timeout=settings.idle_timeout,
            write_timeout=settings.write_timeout,
            high_water=settings.output_high_water,
            output_limit=settings.output_limit,
            can_move=chain.freezer.can_freeze and not bound.transport.has_layers,
        )
        self.unmet = replace(self.served, on_close=None, can_move=False, parked=set())
        self._all = [self.served, self.unmet]
        self.opening = self.add(self.served, _open_further)
        self.add_securing(self.served, chain)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._all)

    def add(self, then: Site, on_readable: Callable[[object], None]) -> Site:
        """Add a site before `then`, at which no plugin has met the connection; its one hook has to enter that."""
        site = replace(
            self.unmet,
            on_readable=on_readable,
            on_accept=None,
            on_writable=None,
            on_timeout=None,
            on_drain=None,
            idle_timeout=0.0,
            then=then,
            parked=set(),
        )
        self._all.append(site)
        return site

    def add_securing(self, site: Site, chain: Chain) -> None:
        """Add the sites for connections at `site` whose protocol begins TLS. It has met them, so it hears of the end.

        :param chain: of the hooks at `site`.
        """
        secured = replace(site, on_accept=chain.on_tls, can_move=False, parked=set())
        self._all.append(secured)
        site.opening = self.add(secured, _open_further)
        site.opening.on_close, site.opening.on_drain = chain.on_close, chain.on_drain

    @property
    def events(self) -> int:
        """Events that brought data, or the peer's end, to the plugins."""
        return sum(site.events for site in self if site.then is None)

    @property
    def bytes_in(self) -> int:
        """Bytes received."""
        return sum(site.bytes_in for site in self)

    @property
    def bytes_out(self) -> int:
        """Bytes sent."""
        return sum(site.bytes_out for site in self)

    @property
    def bytes_read(self) -> int:
        """Bytes received, and once more those of them that plugins have received through layers."""
        return sum(site.bytes_in + site.bytes_taken for site in self)


def _open_further(conn: object) -> None:
    assert isinstance(conn, Connection)
    open_further(conn)
