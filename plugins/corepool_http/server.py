"""An HTTP server as a protocol: the hooks of its connections, for any application."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from corepool import TimeoutKind, hookimpl
from corepool_http.counted import METRICS, Counted
from corepool_http.http1.driver import Driver
from corepool_http.http1.heads import HeadReader
from corepool_http.http1.recognition import is_http
from corepool_http.message import RefusedError
from corepool_http.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import CloseReason, Connection, Worker
    from corepool_http.http1.ending import Session
    from corepool_http.http2.shared import Shared
    from corepool_http.options import ServerOptions
    from corepool_http.service import Application


class HttpServer:
    """The base of protocols that serve HTTP."""

    counts_requests = True

    metrics = METRICS

    alpn: tuple[str, ...] = ("h2", "http/1.1")

    def __init__(self, options: ServerOptions, make: Callable[[Service], Application]) -> None:
        """Prepare to serve.

        :param make: makes the application, in each worker.
        """
        self._options = options
        self._make = make
        if not options.http2:
            self.alpn = ("http/1.1",)
        self._service: Service
        self._http2: Shared | None = None

    def matches(self, data: bytes) -> bool | None:
        """Return whether a connection of a listener with several protocols begins with a request."""
        return is_http(data)

    @hookimpl
    def on_start(self) -> None:
        if self._options.http2:
            # The user of the workers may not read it later.
            import corepool_http.http2.shared  # noqa: F401, PLC0415

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._http2 = None
        self._service = Service(self._options, worker, self._make, Counted(worker, self))
        self._heads = HeadReader(self._options)
        if self._options.http2:
            self._service.take_over = self._take_over

    @hookimpl
    def on_worker_stop(self) -> None:
        self._service.close()

    @hookimpl
    def on_signal(self, signum: int) -> None:
        service = getattr(self, "_service", None)  # the master has none
        if signum == signal.SIGUSR1 and service is not None:
            service.reopen()

    @hookimpl
    def on_accept(self, conn: Connection[Session]) -> None:
        conn.half_open = True  # a client may end its side and still wait for its response
        facts = conn.facts
        if facts and facts.get("alpn") == "h2" and self._options.http2:
            self._shared().begin(conn)
        else:
            conn.session = Driver(self._service, self._heads, conn)

    @hookimpl
    def on_readable(self, conn: Connection[Session]) -> None:
        conn.session.receive()

    @hookimpl
    def on_writable(self, conn: Connection[Session]) -> None:
        conn.session.room()

    @hookimpl
    def on_timeout(self, conn: Connection[Session], kind: TimeoutKind) -> object | None:
        if kind is not TimeoutKind.READ:
            return None
        conn.session.on_deadline()
        return True

    @hookimpl
    def on_drain(self, conn: Connection[Session]) -> None:
        conn.session.leave()

    @hookimpl
    def on_freeze(self, conn: Connection[Session]) -> bytes | None:
        return b"" if conn.session.is_between_requests else None

    @hookimpl
    def on_thaw(self, conn: Connection[Session]) -> None:
        conn.half_open = True
        conn.session = Driver(self._service, self._heads, conn, waited_s=conn.idle_s)

    @hookimpl
    def on_lost(self, conn: Connection[Session]) -> None:
        Driver(self._service, self._heads, conn).refuse(RefusedError(502, "the worker was lost"))

    @hookimpl
    def on_close(self, conn: Connection[Session], reason: CloseReason) -> None:  # noqa: ARG002
        conn.session.gone()

    def _shared(self) -> Shared:
        if self._http2 is None:
            from corepool_http.http2.shared import Shared  # noqa: PLC0415 - without http2 it is not imported

            self._http2 = Shared(self._service)
        return self._http2

    def _take_over(self, conn: Connection[Session], data: bytes) -> bool:
        # With TLS, ALPN decides (RFC 9113, 3.2).
        if data[:4] != b"PRI "[: len(data)] or conn.bytes_in != len(data) or "tls" in conn.facts:
            return False
        from corepool_http.http2.preface import Undecided  # noqa: PLC0415 - likewise

        Undecided(self._shared(), conn).take(data)
        return True
