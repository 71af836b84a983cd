"""The objects that the connections of one listener share in one worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from corepool.guards import HOOK_ERRORS
from corepool_http import events
from corepool_http.access_atoms import asks_for_notes
from corepool_http.access_log import AccessLog
from corepool_http.exchange import Exchange
from corepool_http.noting import NotingExchange
from corepool_http.proxies import Proxies
from corepool_http.responses import Heads

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import Connection, Worker
    from corepool_http.counted import Counted
    from corepool_http.message import RefusedError
    from corepool_http.options import ServerOptions


class Application(Protocol):
    """The part that answers requests: WSGI, ASGI, files."""

    serves_websockets: bool
    """Requests with `upgrade` set may come; else the wish is ignored."""

    def serve(self, exchange: Exchange) -> None:
        """Answer a request, now or later. An exception of any class is answered with 500."""

    def close(self) -> None:
        """End: the worker leaves."""


log = logging.getLogger(__name__)


class Service:
    """Serves requests with an application."""

    def __init__(
        self, options: ServerOptions, worker: Worker, make: Callable[[Service], Application], counted: Counted
    ) -> None:
        self.options = options
        self.worker = worker
        self.heads = Heads(options.server)
        self.proxies = Proxies(options.trusted_proxies)
        self._counted = counted
        self._access_log = None if options.access_log == "off" else AccessLog(options, worker)
        self.notes = asks_for_notes(options.access_log)
        """The access log has headers of responses, or the application's environ."""
        self.exchange: type[Exchange] = NotingExchange if self.notes else Exchange
        self._application = make(self)
        self.serves_websockets = self._application.serves_websockets
        self.take_over: Callable[[Connection[Any], bytes], bool] | None = None
        """Goes on with a connection, and returns True, if these first bytes of it may begin the preface of HTTP/2."""

    def serve(self, exchange: Exchange) -> None:
        """Answer a request. An error of the application costs this response alone."""
        self._counted.served += 1
        try:
            self._application.serve(exchange)
        except HOOK_ERRORS as error:  # SystemExit and its like would end the worker, and all its connections
            events.request_failed.exception(log, error, request=exchange.describe())
            exchange.fail()

    def refuse(self, exchange: Exchange, refusal: RefusedError) -> None:
        """Answer bytes that are no request that is served."""
        self._counted.refused += 1
        exchange.closes = exchange.is_refused = True
        exchange.fail(refusal.status, (), refusal.reason)

    def count_abuse(self, kind: str) -> None:
        """Count a connection of HTTP/2 that was closed for abuse."""
        self._counted.count_abuse(kind)

    def ended(self, exchange: Exchange, now_s: float) -> None:
        """Count and log a response that has ended, or whose client has gone: to be called once for each exchange.

        :param now_s: the monotonic clock.
        """
        self._counted.ended(exchange, now_s)
        if self._access_log is not None:
            self._access_log.write(exchange, now_s)

    def reopen(self) -> None:
        """Reopen the access log's file, after it was moved away."""
        if self._access_log is not None:
            self._access_log.reopen()

    def close(self) -> None:
        """End the application and the log."""
        self._application.close()
        if self._access_log is not None:
            self._access_log.close()
