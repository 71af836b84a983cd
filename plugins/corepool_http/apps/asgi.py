"""ASGI 3: an application, its requests and its lifespan in one worker.

A request is a task of the worker's loop. It begins at once, inside the event that brought it, and most of them end
there: no turn of the loop is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from corepool_http.apps.asgi_messages import HTTP_VERSION, WEBSOCKET_VERSION
from corepool_http.apps.asgi_requests import Requests
from corepool_http.apps.asgi_slow import SlowTurns
from corepool_http.apps.asgi_tasks import Tasks
from corepool_http.apps.lifespan import Lifespan
from corepool_http.apps.tls import extension_of
from corepool_http.apps.websocket import WebSocket
from corepool_http.noting import NotingExchange

if TYPE_CHECKING:
    from corepool_http.apps.asgi_messages import Application
    from corepool_http.exchange import Exchange
    from corepool_http.message import RequestLine
    from corepool_http.options import HttpOptions
    from corepool_http.proxies import Client
    from corepool_http.service import Service

_SAFE = "/!$&'()*+,;=:@"
"""Characters that may stand in a path as they are, besides letters, digits and -._~ (RFC 3986, 3.3)."""

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
        self._root_path = options.root_path
        self._raw_root_path = quote(self._root_path, safe=_SAFE).encode()
        worker, limit_s = service.worker, options.slow_call
        self._tasks = Tasks(self._loop, worker.shared(SlowTurns).watch(worker, limit_s) if limit_s else None)
        self._lifespan = Lifespan(application, self._loop, options.lifespan)
        self._lifespan.start_up(service.worker.boot_s())
        self._state = self._lifespan.state
        self._requests = Requests(application, self._heads, self._loop, self._tasks)
        self._notes = service.notes

    def serve(self, exchange: Exchange) -> None:
        if exchange.request.upgrade:
            self._serve_websocket(exchange)
            return
        client, line = exchange.client, exchange.request.line
        base = client.prepared
        if base is None:
            base = client.prepared = self._scope_of(client)
        if line.prepared is None:
            line.prepared = {"method": line.method, **self._scope_of_line(line)}
        scope = {
            **base,
            **line.prepared,
            "asgi": HTTP_VERSION.copy(),  # applications may change theirs
            "http_version": exchange.request.version,
            "headers": exchange.request.section.headers.copy(),
            "extensions": {
                "http.response.pathsend": {},
                "http.response.zerocopysend": {},
                "http.response.trailers": {},
                "http.response.early_hint": {},
            },
        }
        if client.tls is not None:
            scope["extensions"]["tls"] = _tls_of(client)
        if self._state is not None:
            scope["state"] = self._state.copy()
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
        scope = {
            **self._scope_of(exchange.client),
            **self._scope_of_line(exchange.request.line),
            "type": "websocket",
            "asgi": WEBSOCKET_VERSION.copy(),
            "http_version": exchange.request.version,
            "scheme": "wss" if exchange.client.scheme == "https" else "ws",
            "headers": exchange.request.section.headers.copy(),
            "subprotocols": socket.subprotocols,
            "extensions": {"websocket.http.response": {}},
        }
        if exchange.client.tls is not None:
            scope["extensions"]["tls"] = _tls_of(exchange.client)
        if self._state is not None:
            scope["state"] = self._state.copy()
        if isinstance(exchange, NotingExchange):
            exchange.note(scope)
        socket.task = self._tasks.start(socket.run(self._application, scope), exchange)

    def _scope_of(self, client: Client) -> dict[str, Any]:
        scope: dict[str, Any] = {
            "type": "http",
            "scheme": client.scheme,
            "root_path": self._root_path,
            "client": (client.host, client.port) if client.host else None,
            "server": (client.server_host, client.server_port),
            "corepool.worker": self._service.worker,
        }
        if client.proxy_header is not None:
            scope["corepool.proxy_header"] = client.proxy_header
        return scope

    def _scope_of_line(self, line: RequestLine) -> dict[str, Any]:
        path = line.path.decode("utf-8", "replace")
        is_a_path = path.startswith("/")  # the target of OPTIONS may be *
        return {
            "path": f"{self._root_path}{path}" if is_a_path else path,
            "raw_path": self._raw_root_path + line.raw_path if is_a_path else line.raw_path,
            "query_string": line.query,
        }


def _tls_of(client: Client) -> dict[str, object]:
    if client.tls_prepared is None:
        assert client.tls is not None
        client.tls_prepared = extension_of(client.tls)
    return client.tls_prepared.copy()
