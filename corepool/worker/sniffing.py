"""One port, many protocols: looks at the first bytes of a connection, and has it enter the site of its protocol.

A connection whose transport has negotiated a protocol (ALPN, RFC 7301) enters that one's at once. Nothing is read
meanwhile: the protocol receives every byte itself, and until then the connection can go on in any other worker.
"""

from __future__ import annotations

import logging
from select import EPOLLET
from typing import TYPE_CHECKING

from corepool.hot.connection import Connection
from corepool.hot.ending import end
from corepool.hot.entering import enter, serve_input
from corepool.hot.looking import look, look_to_the_end
from corepool.logs.rate_limited import RateLimitedLog
from corepool.plugins.recognition import MAX_LOOKED_AT, Recogniser
from corepool.spec.types import CloseReason, TimeoutKind
from corepool.worker import events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.hot.site import Site
    from corepool.plugins.listener import Listener
    from corepool.worker.counts import ConnectionCounts

log = logging.getLogger(__name__)

_MAX_SHOWN = 32
"""Bytes in a log line: enough to tell a protocol by, and less than a secret that a client sends behind its greeting."""


class Sniffing:
    """Chooses the protocols of the connections of one bound socket."""

    def __init__(self, listener: Listener, site: Site, protocols: Mapping[str, Site], counts: ConnectionCounts) -> None:
        """Serve `site`, whose hooks are those of extensions alone.

        :param protocols: the sites that its connections enter, by the names of their protocols.
        """
        served = listener.served
        self._recogniser = Recogniser([(each.name, each.protocol) for each in served], listener.settings.default)
        self._by_alpn = {name: each.name for each in reversed(served) for name in getattr(each.protocol, "alpn", ())}
        self._site = site
        self._protocols = protocols
        self._counts = counts
        self._timeout_s = listener.settings.sniff_timeout
        self._greet_extensions, self._time_out_extensions = site.on_accept, site.on_timeout
        self._rate_limited = RateLimitedLog(log)
        self.unmatched = 0
        site.trigger = EPOLLET
        site.idle_timeout = 0.0
        site.on_accept, site.on_readable, site.on_timeout = self._greet, self._look, self._time_out

    @property
    def due(self) -> float:
        """When a connection that begins now has to be recognised, on the reactor's clock."""
        return self._site.reactor.now + self._timeout_s

    def _greet(self, conn: object) -> None:
        assert isinstance(conn, Connection)
        if self._greet_extensions is not None:
            self._greet_extensions(conn)
        if conn.reason is None:
            conn.read_deadline = self.due
            negotiated = conn.facts.get("alpn")
            if isinstance(negotiated, str) and negotiated in self._by_alpn:
                self._enter(conn, self._by_alpn[negotiated])

    def _look(self, conn: object) -> None:
        assert isinstance(conn, Connection)
        data = look(conn, MAX_LOOKED_AT)
        if data is None:
            return
        is_all = not data or len(data) == MAX_LOOKED_AT
        name = self._recogniser.choose(data, is_all=is_all)
        if name is None:
            rest = look_to_the_end(conn, MAX_LOOKED_AT)
            if rest is None:
                return
            data, name = rest, self._recogniser.choose(rest, is_all=True)
        if name:
            self._enter(conn, name)
            serve_input(conn)
        elif data:
            self._refuse(conn, data)
        else:  # a port scan, or a health check that only connects
            conn.eof = True

    def _time_out(self, conn: object, kind: TimeoutKind) -> object | None:
        assert isinstance(conn, Connection)
        if kind is not TimeoutKind.READ:
            return None if self._time_out_extensions is None else self._time_out_extensions(conn, kind)
        data = look(conn, MAX_LOOKED_AT) or b""
        if conn.reason is not None:
            return None
        name = self._recogniser.choose(data, is_all=True)
        if name:
            self._enter(conn, name)
            return True
        self._count(conn, data, f"nothing was recognised within {self._timeout_s:g} s")
        return None

    def _enter(self, conn: Connection, name: str) -> None:
        site = self._protocols[name]
        self._counts.entered(site.place)
        enter(conn, site)

    def _refuse(self, conn: Connection, data: bytes) -> None:
        self._count(conn, data, "no protocol matches its first bytes")
        end(conn, CloseReason.UNMATCHED)

    def _count(self, conn: Connection, data: bytes, reason: str) -> None:
        self.unmatched += 1
        events.connection_unmatched(
            self._rate_limited,
            listener=self._site.name,
            conn=conn.id,
            peer=conn.peer,
            reason=reason,
            first_bytes=ascii(data[:_MAX_SHOWN]),
        )
