"""An HTTP server as a protocol: the hooks of its connections, for any application."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from corepool import TimeoutKind, hookimpl
from corepool_http.counted import METRICS, Counted
from corepool_http.http1.driver import Driver
from corepool_http.http1.known import KnownHeads
from corepool_http.http1.recognition import is_http
from corepool_http.message import RefusedError
from corepool_http.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import CloseReason, Connection, Worker
    from corepool_http.http1.ending import Session
    from corepool_http.options import ServerOptions
    from corepool_http.service import Application


class HttpServer:
    """The base of protocols that serve HTTP."""

    counts_requests = True

    metrics = METRICS

    alpn = ("http/1.1",)

    def __init__(self, options: ServerOptions, make: Callable[[Service], Application]) -> None:
        """Prepare to serve.

        :param make: makes the application, in each worker.
        """
        self._options = options
        self._make = make
        self._service: Service

    def matches(self, data: bytes) -> bool | None:
        """Return whether a connection of a listener with several protocols begins with a request."""
        return is_http(data)

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._service = Service(self._options, worker, self._make, Counted(worker, self))
        self._known = KnownHeads(self._options)

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
        conn.session = Driver(self._service, self._known, conn)

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
        conn.session = Driver(self._service, self._known, conn, waited_s=conn.idle_s)

    @hookimpl
    def on_lost(self, conn: Connection[Session]) -> None:
        Driver(self._service, self._known, conn).refuse(RefusedError(502, "the worker was lost"))

    @hookimpl
    def on_close(self, conn: Connection[Session], reason: CloseReason) -> None:  # noqa: ARG002
        conn.session.gone()
