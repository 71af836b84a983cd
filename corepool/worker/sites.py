"""The sites of one bound socket, in the order in which a connection passes them.

=========  ===================================================================================
proxied    a PROXY header is read (`proxied.py`): from the peers of `accept_proxy`
opening    the layers of the transport open
entry      the listener's plugins meet the connection: its only protocol's site; or, of several,
           that where its extensions know it and its first bytes are looked at (`sniffing.py`)
protocols  the site of each protocol
unmet      plugins have never met it, or refused to go on with it, and are not told of its end
securing   a protocol has begun TLS, which opens (`conn.start_tls`)
secured    that is open; `on_tls` is called at first
=========  ===================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corepool.hot.connection import Connection
from corepool.hot.layered import open_further
from corepool.hot.site import Site
from corepool.worker.sniffing import Sniffing

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from corepool.hot.deadlines import Deadlines
    from corepool.hot.reactor import Reactor
    from corepool.hot.site import Held, Owner
    from corepool.ipc.shapes import SocketIndex
    from corepool.plugins.chain import Chain
    from corepool.plugins.freezing import Freezer
    from corepool.plugins.listener import BoundSocket
    from corepool.worker.counts import ConnectionCounts


@dataclass(frozen=True, slots=True)
class OfProtocol:
    """The counters of one of several protocols of a listener."""

    place: int
    sites: Sequence[Site]
    handshakes: None = None

    @property
    def bytes_in(self) -> int:
        """Bytes received."""
        return sum(site.bytes_in for site in self.sites)

    @property
    def bytes_out(self) -> int:
        """Bytes sent."""
        return sum(site.bytes_out for site in self.sites)

    @property
    def hook_errors(self) -> int:
        """Exceptions that hooks have raised."""
        return sum(site.hook_errors for site in self.sites)


class Sites:
    """All of them, and the sums of what their connections count."""

    def __init__(
        self, owner: Owner, bound: BoundSocket, reactor: Reactor, deadlines: Deadlines, counts: ConnectionCounts
    ) -> None:
        self._owner = owner
        self._bound = bound
        self._reactor = reactor
        self._deadlines = deadlines
        listener = bound.listener
        self._place = listener.place
        self.protocols = {each.name: self._make(each.chain, each.name, each.place) for each in listener.served}
        """By the names of their protocols."""
        self.chains = {self.protocols[each.name]: each.chain for each in listener.served}
        self._unmet = {name: _without_plugins(site, self._place) for name, site in self.protocols.items()}
        self.sniffing: Sniffing | None = None
        """None: there is only one protocol."""
        if listener.entrance is None:
            (self.entry,) = self.protocols.values()
            (self.unmet,) = self._unmet.values()
        else:
            self.entry = self._make(listener.entrance, "", self._place)
            self.unmet = self._unmet[""] = _without_plugins(self.entry, self._place)
            self.chains[self.entry] = listener.entrance
            self.sniffing = Sniffing(listener, self.entry, self.protocols, counts)
        self._added: list[Site] = []
        self.opening = self.add(self.entry, _open_further)
        for each in listener.served:
            self.add_securing(self.protocols[each.name], each.chain)

    def __iter__(self) -> Iterator[Site]:
        yield from self.chains
        yield from self._unmet.values()
        yield from self._added

    def _make(self, chain: Chain, protocol: str, place: int) -> Site:
        bound, settings = self._bound, self._bound.listener.settings
        return Site(
            name=bound.listener.name,
            index=bound.index,
            owner=self._owner,
            reactor=self._reactor,
            deadlines=self._deadlines,
            on_readable=chain.on_readable or _look_at_nothing,
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
            protocol=protocol,
            place=place,
        )

    def add(self, then: Site, on_readable: Callable[[object], None]) -> Site:
        """Add a site before `then`, at which no plugin has met the connection; its one hook has to enter that."""
        site = then.twin()
        site.on_readable = on_readable
        site.on_accept = site.on_writable = site.on_timeout = site.on_drain = site.on_close = None
        site.idle_timeout = 0.0
        site.can_move = False
        site.then = then
        self._added.append(site)
        return site

    def add_securing(self, site: Site, chain: Chain) -> None:
        """Add the sites for connections at `site` whose protocol begins TLS. It has met them, so it hears of the end.

        :param chain: of the hooks at `site`.
        """
        secured = site.twin()
        secured.on_accept, secured.can_move = chain.on_tls, False
        self.chains[secured] = chain
        site.opening = self.add(secured, _open_further)
        site.opening.on_close, site.opening.on_drain = chain.on_close, chain.on_drain

    # --- connections of other workers

    def of_moved(self, protocol: str) -> Site:
        """Return the site where a connection goes on that had this protocol, or ("") none yet, in another worker."""
        return self.protocols.get(protocol, self.entry)

    def of_lost(self, protocol: str) -> Site:
        """Return the site where a client is told of a crash."""
        return self._unmet.get(protocol, self.unmet)

    @property
    def freezers(self) -> dict[Site, Freezer]:
        """What freezes and thaws the connections at each site."""
        return {site: chain.freezer for site, chain in self.chains.items()}

    @property
    def ask(self) -> Callable[[Held], object]:
        """Return the state of a connection's plugins, fit to be compared with the one before; None: it can't move."""
        asks = {site: chain.freezer.ask for site, chain in self.chains.items() if site.can_move}
        if len(self.protocols) == 1:
            return asks.get(self.entry, _never)

        def ask(conn: Held) -> object:
            state = asks.get(conn.site, _never)(conn)
            return None if state is None else (conn.site.protocol, state)

        return ask

    def keep_unless(self, lasting: Container[SocketIndex]) -> None:
        """Keep connections here until they end, if their socket is not among those that others go on serving."""
        if self._bound.index not in lasting:
            for site in self:
                site.can_move = False

    # --- counts

    @property
    def guessing(self) -> list[Site]:
        """The sites of protocols that don't count their requests."""
        return [site for site, chain in self.chains.items() if site.protocol and not chain.counts_requests]

    @property
    def counting(self) -> list[OfProtocol]:
        """The protocols whose place on the scoreboard is not the listener's."""
        found = [
            OfProtocol(site.place, [each for each in self if each.place == site.place])
            for site in self.protocols.values()
        ]
        return [] if self.sniffing is None else found

    @property
    def events(self) -> int:
        """Events that brought data, or the peer's end, to protocols."""
        return sum(site.events for site in self if site.then is None and not site.trigger)

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


def _without_plugins(site: Site, place: int) -> Site:
    twin = site.twin()
    twin.on_close, twin.can_move, twin.place = None, False, place
    return twin


def _open_further(conn: object) -> None:
    assert isinstance(conn, Connection)
    open_further(conn)


def _look_at_nothing(conn: object) -> None:
    """Stand in for a hook: at the entrance `sniffing` sets its own."""


def _never(_: object) -> None:
    """Return None: it can't be moved."""
