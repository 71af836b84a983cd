"""Connections that begin with a PROXY header: those from the peers of `accept_proxy`."""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING

from corepool.hot.connection import Connection
from corepool.hot.ending import break_off
from corepool.hot.entering import serve_input
from corepool.hot.interest import has_input
from corepool.hot.proxied import read_header
from corepool.hot.proxy_protocol import ProxyHeaderError
from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.networks import Networks, peer_of
from corepool.spec.types import Address, CloseReason
from corepool.worker import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.config.settings import ListenerSettings
    from corepool.spec.types import TimeoutKind
    from corepool.worker.sites import Sites

log = logging.getLogger(__name__)


class Proxied:
    """The first site of such connections of one bound socket."""

    def __init__(self, settings: ListenerSettings, sites: Sites, go_on: Callable[[Connection], None]) -> None:
        """Add the site.

        :param go_on: called with a connection whose header was read, to have it enter another site.
        """
        self._peers = Networks(settings.accept_proxy)
        self._timeout_s = settings.accept_proxy_timeout
        self._go_on = go_on
        self._rate_limited = RateLimitedLog(log)
        self.failures = 0
        self.site = sites.add(sites.entry, self._read)
        self.site.on_timeout = self._time_out

    def sends_header(self, peer: Address) -> bool:
        """Return whether connections of a peer have to begin with a header.

        :raises OSError: the peer has gone. It has no address any more, and could have sent a header that it may not
            send, or left out one that it must; the kernel would still let us read its bytes.
        """
        if peer == Address("unknown"):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return peer_of(peer) in self._peers

    def prepare(self, conn: Connection) -> None:
        """Wait for the header of a connection that begins at this site."""
        conn.busy = True  # its plugins don't know it, and are not asked for its state; a drain waits for them to meet
        conn.read_deadline = self.site.reactor.now + self._timeout_s

    def _read(self, conn: object) -> None:
        assert isinstance(conn, Connection)
        try:
            header = read_header(conn)
        except ProxyHeaderError as error:
            self._refuse(conn, error)
            return
        if header is not None:
            conn.header = header
            conn.busy = False
            self._go_on(conn)
            # Nearly always a request has come with the header: another turn of the loop would cost half as much again.
            if conn.site.then is None and has_input(conn):
                serve_input(conn)

    def _time_out(self, conn: object, _: TimeoutKind) -> None:
        assert isinstance(conn, Connection)
        self._refuse(conn, f"none has come within {self._timeout_s:g} s")

    def _refuse(self, conn: Connection, reason: object) -> None:
        self.failures += 1
        events.proxy_header_refused(self._rate_limited, listener=self.site.name, peer=conn.peer, reason=reason)
        break_off(conn, CloseReason.ABORTED)
