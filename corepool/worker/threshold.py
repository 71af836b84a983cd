"""A port that takes clients with layers and without: TLS and plain. The first bytes tell; they stay unread."""

from __future__ import annotations

from select import EPOLLET
from typing import TYPE_CHECKING

from corepool.hot.connection import Connection
from corepool.hot.looking import look, look_to_the_end
from corepool.plugins.recognition import MAX_LOOKED_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.plugins.listener import BoundSocket
    from corepool.spec.transport import Transport
    from corepool.spec.types import TimeoutKind
    from corepool.worker.sites import Sites


def threshold_of(bound: BoundSocket, sites: Sites, go_on: Callable[[Connection, bool], None]) -> Threshold | None:
    """Make the threshold of a bound socket, if its transport has clients of both kinds."""
    transport = bound.transport
    if not (transport.has_layers and transport.takes_plain):
        return None
    return Threshold(sites, transport, bound.listener.settings.sniff_timeout, go_on)


class Threshold:
    """The site at which such connections of one bound socket wait for their first bytes."""

    def __init__(
        self, sites: Sites, transport: Transport, timeout_s: float, go_on: Callable[[Connection, bool], None]
    ) -> None:
        """Add the site.

        :param timeout_s: after which a client that has sent nothing is one without layers.
        :param go_on: called with a connection, and whether it has layers, to have it enter another site.
        """
        self._matches = transport.matches
        self._timeout_s = timeout_s
        self._go_on = go_on
        self.site = sites.add(sites.entry, self._look)
        self.site.trigger = EPOLLET
        self.site.on_accept, self.site.on_timeout = self._wait, self._time_out

    def _wait(self, conn: object) -> None:
        assert isinstance(conn, Connection)
        conn.busy = True  # its plugins don't know it, and are not asked for its state
        conn.read_deadline = self.site.reactor.now + self._timeout_s

    def _look(self, conn: object) -> None:
        assert isinstance(conn, Connection)
        data = look(conn, MAX_LOOKED_AT)
        if data is None:
            return
        answer = self._matches(data) if data else False
        if answer is None and len(data) < MAX_LOOKED_AT:
            rest = look_to_the_end(conn, MAX_LOOKED_AT)
            if rest is None:
                return
            answer = self._matches(rest)
        self._decide(conn, is_layered=answer is True)

    def _time_out(self, conn: object, _: TimeoutKind) -> bool:
        assert isinstance(conn, Connection)
        self._decide(conn, is_layered=False)
        return True

    def _decide(self, conn: Connection, *, is_layered: bool) -> None:
        conn.busy = False
        self._go_on(conn, is_layered)
