"""ASGI 3: an application, its requests and its lifespan in one worker.

A request is a task of the worker's loop. It begins at once, inside the event that brought it, and most of them end
there: no turn of the loop is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.apps.asgi_requests import Requests
from corepool_http.apps.asgi_scopes import Scopes
from corepool_http.apps.asgi_slow import SlowTurns
from corepool_http.apps.asgi_tasks import Tasks
from corepool_http.apps.lifespan import Lifespan
from corepool_http.apps.websocket import WebSocket
from corepool_http.noting import NotingExchange

if TYPE_CHECKING:
    from corepool_http.apps.asgi_messages import Application
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions
    from corepool_http.service import Service

_TASKS_SHARE = 0.5
"""Of the time to stop: for requests without a connection, and what goes on after a response."""

_LAST_S = 0.5
"""Of the time to stop: for tasks that have to be cancelled at the very end; half of the time if it is shorter."""


class Asgi:
    """Serves requests with an ASGI application."""

    serves_websockets = True

    def __init__(self, service: Service, options: HttpOptions, application: Application) -> None:
        """Start the application's lifespan, if it has one.

        :raises LifespanError: it can't start.
        """
        self._service = service
        self._options = options
        self._application = application
        self._loop = service.worker.loop
        self._heads = service.heads
        worker, limit_s = service.worker, options.slow_call
        self._tasks = Tasks(self._loop, worker.shared(SlowTurns).watch(worker, limit_s) if limit_s else None)
        self._lifespan = Lifespan(application, self._loop, options.lifespan)
        self._lifespan.start_up(service.worker.boot_s())
        self._scopes = Scopes(options.root_path, worker, self._lifespan.state)
        self._requests = Requests(application, self._heads, self._loop, self._tasks)
        self._notes = service.notes

    def serve(self, exchange: Exchange) -> None:
        if exchange.request.upgrade:
            self._serve_websocket(exchange)
            return
        scope = self._scopes.of_request(exchange)
        if self._notes:
            assert isinstance(exchange, NotingExchange)
            exchange.note(scope)
        self._requests.serve(exchange, scope)

    def close(self) -> None:
        worker = self._service.worker
        self._tasks.close(worker.stop_s() * _TASKS_SHARE)
        left_s = worker.stop_s()
        self._lifespan.shut_down(max(left_s / 2, left_s - _LAST_S))

    def _serve_websocket(self, exchange: Exchange) -> None:
        socket = WebSocket(exchange, self._heads, self._options, self._loop, self._tasks)
        if not socket.negotiate():
            return
        scope = self._scopes.of_websocket(exchange, socket.subprotocols)
        if isinstance(exchange, NotingExchange):
            exchange.note(scope)
        socket.task = self._tasks.start(socket.run(self._application, scope), exchange)
