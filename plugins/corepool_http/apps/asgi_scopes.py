"""The scopes of requests and WebSockets: each application gets its own, and may change all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from corepool_http.apps.asgi_messages import HTTP_VERSION, WEBSOCKET_VERSION
from corepool_http.apps.tls import extension_of

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_http.client import Client
    from corepool_http.exchange import Exchange

_SAFE = "/!$&'()*+,;=:@"
"""Characters that may stand in a path as they are, besides letters, digits and -._~ (RFC 3986, 3.3)."""


class Scopes:
    """Makes them, for one application in one worker."""

    __slots__ = ("_raw_root_path", "_root_path", "_state", "_worker")

    def __init__(self, root_path: str, worker: Worker, state: dict[str, Any] | None) -> None:
        """Prepare.

        :param state: that the lifespan has left; None: the application has none.
        """
        self._root_path = root_path
        self._raw_root_path = quote(root_path, safe=_SAFE).encode()
        self._worker = worker
        self._state = state

    def of_request(self, exchange: Exchange) -> dict[str, Any]:
        """Return the scope of a request."""
        request, client = exchange.request, exchange.client
        line = request.line
        if client.prepared is None:
            client.prepared = self._of_client(client)
        # It has all keys: none that is set now makes the dict larger.
        scope = client.prepared.copy()
        scope["asgi"] = HTTP_VERSION.copy()
        scope["http_version"] = request.version
        scope["method"] = line.method
        path, raw_path = line.path.decode("utf-8", "replace"), line.raw_path
        if self._root_path and path.startswith("/"):  # the target of OPTIONS may be *
            path = self._root_path + path
            raw_path = self._raw_root_path + raw_path
        scope["path"] = path
        scope["raw_path"] = raw_path
        scope["query_string"] = line.query
        scope["headers"] = request.section.headers.copy()
        extensions: dict[str, Any] = {
            "http.response.pathsend": {},
            "http.response.zerocopysend": {},
            "http.response.trailers": {},
            "http.response.early_hint": {},
        }
        scope["extensions"] = extensions
        if client.tls is not None:
            extensions["tls"] = _tls_of(client)
        if self._state is not None:
            scope["state"] = self._state.copy()
        return scope

    def of_websocket(self, exchange: Exchange, subprotocols: list[str]) -> dict[str, Any]:
        """Return the scope of a WebSocket."""
        client = exchange.client
        scope = self.of_request(exchange)
        del scope["method"]
        scope["type"] = "websocket"
        scope["asgi"] = WEBSOCKET_VERSION.copy()
        scope["scheme"] = "wss" if client.scheme == "https" else "ws"
        scope["subprotocols"] = subprotocols
        scope["extensions"] = {"websocket.http.response": {}}
        if client.tls is not None:
            scope["extensions"]["tls"] = _tls_of(client)
        return scope

    def _of_client(self, client: Client) -> dict[str, Any]:
        """Return a scope with the facts of a connection, and with the other keys, whose values are not set yet."""
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": None,
            "http_version": None,
            "method": None,
            "scheme": client.scheme,
            "path": None,
            "raw_path": None,
            "query_string": None,
            "root_path": self._root_path,
            "headers": None,
            "client": (client.host, client.port) if client.host else None,
            "server": (client.server_host, client.server_port),
            "extensions": None,
            "corepool.worker": self._worker,
        }
        if client.proxy_header is not None:
            scope["corepool.proxy_header"] = client.proxy_header
        return scope


def _tls_of(client: Client) -> dict[str, object]:
    if client.tls_prepared is None:
        assert client.tls is not None
        client.tls_prepared = extension_of(client.tls)
    return client.tls_prepared.copy()
