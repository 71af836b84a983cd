"""The http protocol: HTTP/1.1 and HTTP/2 for WSGI and ASGI applications, and for files.

The names below are for other plugins that serve HTTP: derive the protocol from `HttpServer`, and answer each `Exchange`
in an `Application`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from corepool import hookimpl
from corepool.spec.model import full_model
from corepool_http import options as _options
from corepool_http.apps.choice import import_usual, make_application
from corepool_http.exchange import Exchange
from corepool_http.server import HttpServer
from corepool_http.service import Application, Service

if TYPE_CHECKING:
    from corepool_http.options import HttpOptions, ServerOptions

__all__ = ["Application", "Exchange", "Http", "HttpOptions", "HttpServer", "ServerOptions", "Service"]


class Http(HttpServer):
    """Serve an application, or files, over HTTP/1.1 and HTTP/2."""

    Options = _options.HttpOptions

    default_port = 8000

    try_it = "curl http://{host}:{port}/"

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options, partial(make_application, options=options))
        self._import_usual = partial(import_usual, options)

    @hookimpl
    def on_start(self) -> None:
        super().on_start()
        self._import_usual()


def __getattr__(name: str) -> object:
    """Return a model of pydantic, for other plugins to derive from; a start of http alone needs none (PEP 562)."""
    if name not in ("HttpOptions", "ServerOptions"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return full_model(getattr(_options, name))
