"""The http protocol: HTTP/1.1 for WSGI and ASGI applications, and for files.

The names below are for other plugins that serve HTTP: derive the protocol from `HttpServer`, and answer each `Exchange`
in an `Application`.
"""

from __future__ import annotations

from functools import partial

from corepool import hookimpl
from corepool_http.apps.choice import import_usual, make_application
from corepool_http.exchange import Exchange
from corepool_http.options import HttpOptions, ServerOptions
from corepool_http.server import HttpServer
from corepool_http.service import Application, Service

__all__ = ["Application", "Exchange", "Http", "HttpOptions", "HttpServer", "ServerOptions", "Service"]


class Http(HttpServer):
    """Serve an application, or files, over HTTP/1.1."""

    Options = HttpOptions

    default_port = 8000

    try_it = "curl http://{host}:{port}/"
    alpn = ("http/1.1",)

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options, partial(make_application, options=options))
        self._import_usual = partial(import_usual, options)

    @hookimpl
    def on_start(self) -> None:
        self._import_usual()
