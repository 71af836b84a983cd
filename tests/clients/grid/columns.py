"""The columns of the grid: each framework in each mode, and what it can't be asked for, with the reason.

This table imports no framework: the applications are imported by the pools that serve them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Column:
    """One framework, served in one way."""

    name: str
    framework: str
    """As the framework writes its name."""

    mode: str
    target: str
    options: Mapping[str, object] = field(default_factory=dict)
    protocol: str = "http"
    absent: Mapping[str, str] = field(default_factory=dict)
    """Patterns of "group-check" to the reason why it does not apply: the framework does not offer this."""

    failing: Mapping[str, str] = field(default_factory=dict)
    """Patterns of "group-check" to the reason why it fails."""

    def reason(self, check: str) -> str | None:
        """Return the reason why a check is not run; None if it is."""
        return _first(self.absent, check) or _first(self.failing, check)

    def fails(self, check: str) -> bool:
        return _first(self.absent, check) is None and _first(self.failing, check) is not None


def _first(reasons: Mapping[str, str], check: str) -> str | None:
    return next((why for pattern, why in reasons.items() if fnmatchcase(check, pattern)), None)


_NO_WEBSOCKETS = "WSGI has no WebSockets"
_NO_LIFESPAN = "WSGI has no lifespan"
_NOT_TOLD = "WSGI does not tell an application that its client has left"
_NO_RANGES = "its static files know no ranges"
_NO_CONDITIONS = "its static files know no conditions"
_NO_ETAG_IN_IF_RANGE = "it reads dates only in If-Range"
_NO_GZIP = "it has no compression of its own"
_NO_SESSION = "it has no sessions of its own"
_NO_BACKGROUND = "it has no tasks that follow a response"
_FIRST_COOKIES = "it takes the first line alone"
_NO_DENIAL = "it refuses a WebSocket with 403 alone"

_SILENT = "responses-silent-stream-whose-client-leaves"

_WSGI = {
    "websockets-*": _NO_WEBSOCKETS,
    "life-state-of-the-startup": _NO_LIFESPAN,
    "life-shutdown": _NO_LIFESPAN,
    "life-client-that-leaves-a-long-poll": _NOT_TOLD,
    _SILENT: _NOT_TOLD,
}
_IN_THE_LOOP = {
    **_WSGI,
    "life-long-poll": "an application that waits keeps its worker's loop, so the worker can't serve who would wake it",
}


def _wsgi(
    name: str, framework: str, target: str, absent: Mapping[str, str], failing: Mapping[str, str] | None = None
) -> list[Column]:
    """Return a framework's columns: in the loop, and in threads."""
    failing = failing or {}
    in_loop, in_threads = {**_IN_THE_LOOP, **absent}, {**_WSGI, **absent}
    return [
        Column(name, framework, "WSGI", target, absent=in_loop, failing=failing),
        Column(f"{name}-threads", framework, "WSGI, threads", target, {"threads": 4}, "http", in_threads, failing),
    ]


COLUMNS = [
    Column("starlette", "Starlette", "ASGI", "with_starlette:app"),
    Column(
        "fastapi",
        "FastAPI",
        "ASGI",
        "with_fastapi:app",
        absent={"responses-session": _NO_SESSION},
        failing={
            "errors-exception-half-way-through-a-stream": "its middlewares end the stream as if it were complete",
            "life-client-that-leaves-a-long-poll": "its middlewares hide from a handler that the client has left",
        },
    ),
    Column(
        "litestar",
        "Litestar",
        "ASGI",
        "with_litestar:app",
        absent={
            "files-*range*": _NO_RANGES,
            "files-end-of-a-file": _NO_RANGES,
            "files-not-modified*": _NO_CONDITIONS,
            "websockets-denial-response": _NO_DENIAL,
        },
        failing={"routing-cookies-in-several-lines": _FIRST_COOKIES},
    ),
    Column(
        "quart",
        "Quart",
        "ASGI",
        "with_quart:app",
        absent={"responses-gzip-of-the-framework": _NO_GZIP},
        failing={
            "files-end-of-a-file": "it answers a range without a beginning with 500",
            "websockets-exception": "it closes with 1000 when a handler raises",
        },
    ),
    Column(
        "django-asgi",
        "Django",
        "ASGI",
        "with_django:asgi()",
        absent={
            "files-*range*": _NO_RANGES,
            "files-end-of-a-file": _NO_RANGES,
            "files-not-modified-by-etag": _NO_CONDITIONS,
            "life-background-task": _NO_BACKGROUND,
            "life-state-of-the-startup": "it has no lifespan",
            "life-shutdown": "it has no lifespan",
            "websockets-denial-response": _NO_DENIAL,
        },
        failing={
            "routing-cookies-in-several-lines": "it joins lines with a comma",
            "content-file-of-3-mb-in-chunks": "it reads no form without a Content-Length",
            "*client-that-ends-its-side*": "it cancels a view when the client ends its side",
        },
    ),
    *_wsgi(
        "django",
        "Django",
        "with_django:wsgi()",
        {
            "files-*range*": _NO_RANGES,
            "files-end-of-a-file": _NO_RANGES,
            "files-not-modified-by-etag": _NO_CONDITIONS,
            "life-background-task": _NO_BACKGROUND,
        },
    ),
    Column(
        "falcon-asgi",
        "Falcon",
        "ASGI",
        "with_falcon_asgi:app",
        absent={
            "files-range-of-a-file-that-has-changed": _NO_ETAG_IN_IF_RANGE,
            "responses-session": _NO_SESSION,
            "responses-*gzip*": _NO_GZIP,
            "websockets-denial-response": _NO_DENIAL,
        },
        failing={
            "routing-prefix*": "it routes by the whole path, with the prefix",
            "websockets-behind-a-prefix": "it routes by the whole path, with the prefix",
            "routing-cookies-in-several-lines": "it takes the last line alone",
            "life-client-that-leaves-a-long-poll": "it does not tell a responder that the client has left",
            "responses-silent-stream-whose-client-leaves": "it looks for the client only between two events",
        },
    ),
    *_wsgi(
        "falcon",
        "Falcon",
        "with_falcon:app",
        {
            "files-range-of-a-file-that-has-changed": _NO_ETAG_IN_IF_RANGE,
            "life-background-task": _NO_BACKGROUND,
            "responses-session": _NO_SESSION,
            "responses-*gzip*": _NO_GZIP,
        },
    ),
    *_wsgi("flask", "Flask", "with_flask:app", {"responses-gzip-of-the-framework": _NO_GZIP}),
    *_wsgi(
        "bottle",
        "Bottle",
        "with_bottle:app",
        {
            "files-range-of-a-file-that-has-changed": _NO_ETAG_IN_IF_RANGE,
            "life-background-task": _NO_BACKGROUND,
            "responses-session": _NO_SESSION,
            "responses-gzip-of-the-framework": _NO_GZIP,
        },
        {"routing-header-with-bytes-above-127": "it answers a header that is no UTF-8 with 500"},
    ),
    Column(
        "aiohttp",
        "aiohttp",
        "its own server, hosted",
        "with_aiohttp:main",
        protocol="asyncio",
        absent={
            "routing-*-behind-a-proxy": "its own server leaves proxies to a middleware",
            "routing-prefix*": "its own server has no prefix",
            "websockets-behind-a-prefix": "its own server has no prefix",
            "files-range-of-a-file-that-has-changed": _NO_ETAG_IN_IF_RANGE,
            "life-background-task": _NO_BACKGROUND,
            "responses-session": _NO_SESSION,
        },
        failing={
            "routing-header-of-20-000-bytes": "it takes 8,190 bytes of a header, unless told otherwise",
            "routing-cookies-in-several-lines": _FIRST_COOKIES,
            "*client-that-ends-its-side*": "it closes when the client ends its side",
            "websockets-client-closes-with-4001": "it answers any code with 1000",
            "websockets-exception": "it breaks the connection without a code when a handler raises",
            "websockets-client-that-vanishes": "a handler's loop over messages goes on when the client has vanished",
        },
    ),
]
