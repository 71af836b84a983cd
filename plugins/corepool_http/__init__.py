"""The http protocol: HTTP/1.1 for WSGI and ASGI applications, and for files."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

from corepool import TimeoutKind, hookimpl
from corepool_http.http1.driver import Driver
from corepool_http.http1.known import KnownHeads
from corepool_http.options import HttpOptions
from corepool_http.service import Service

if TYPE_CHECKING:
    from typing import Any

    from corepool import CloseReason, Connection, Worker
    from corepool_http.service import Application

__all__ = ["Http", "HttpOptions"]

log = logging.getLogger(__name__)


class Http:
    """Serve an application, or files, over HTTP/1.1."""

    Options = HttpOptions

    counts_requests = True

    try_it = "curl http://{host}:{port}/"

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._service: Service

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._service = Service(self._options, worker, _make_application)
        self._known = KnownHeads(self._options)

    @hookimpl
    def on_worker_stop(self) -> None:
        self._service.close()

    @hookimpl
    def on_signal(self, signum: int) -> None:
        service = getattr(self, "_service", None)  # the master has none
        if signum == signal.SIGUSR1 and service is not None and service.access_log is not None:
            service.access_log.reopen()

    @hookimpl
    def on_accept(self, conn: Connection[Driver]) -> None:
        conn.half_open = True  # a client may end its side and still wait for its response
        conn.session = Driver(self._service, self._known, conn)

    @hookimpl
    def on_readable(self, conn: Connection[Driver]) -> None:
        conn.session.receive()

    @hookimpl
    def on_writable(self, conn: Connection[Driver]) -> None:
        conn.session.room()

    @hookimpl
    def on_timeout(self, conn: Connection[Driver], kind: TimeoutKind) -> object | None:
        if kind is not TimeoutKind.READ:
            return None
        conn.session.on_deadline()
        return True

    @hookimpl
    def on_drain(self, conn: Connection[Driver]) -> None:
        conn.session.leave()

    @hookimpl
    def on_freeze(self, conn: Connection[Driver]) -> bytes | None:
        return b"" if conn.session.is_between_requests else None

    @hookimpl
    def on_thaw(self, conn: Connection[Driver]) -> None:
        conn.half_open = True
        conn.session = Driver(self._service, self._known, conn, waited_s=conn.idle_s)

    @hookimpl
    def on_lost(self, conn: Connection[Driver]) -> None:
        Driver(self._service, self._known, conn).refuse(502, "the worker was lost")

    @hookimpl
    def on_close(self, conn: Connection[Driver], reason: CloseReason) -> None:  # noqa: ARG002
        conn.session.gone()


def _make_application(service: Service) -> Application:
    # Each is imported by those who use it: an ASGI worker needs no WSGI, and files need neither.
    options = service.options
    if options.root:
        from corepool_http.apps.files import Files  # noqa: PLC0415

        return Files(service)
    from corepool_http.apps.loading import is_asgi, load  # noqa: PLC0415

    application: Any = load(options)
    interface = options.interface
    if interface == "asgi" or (interface == "auto" and is_asgi(application)):
        from corepool_http.apps.asgi import Asgi  # noqa: PLC0415

        return Asgi(service, application)
    from corepool_http.apps.wsgi import Wsgi  # noqa: PLC0415

    return Wsgi(service, application)
