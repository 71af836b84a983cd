"""The applications that all HTTP servers serve."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CONTENT = b"Hello, world!\n"
SLOW_S = 0.05
BLOCK = bytes(65_536)


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:  # noqa: ARG001
    """Greet, by WSGI."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(CONTENT)))])
    return [CONTENT]


def mixed(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Greet, by WSGI; one path takes its time."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW_S)
    return wsgi(environ, start_response)


async def asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[object]], send: Callable[[object], Awaitable[None]]
) -> None:
    """Greet, by ASGI."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(CONTENT))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": CONTENT})


async def bulk(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[object], Awaitable[None]]
) -> None:
    """Greet, by ASGI; `/up` takes any content, and `/down/SIZE` sends as many bytes."""
    if scope["type"] == "http" and scope["path"] == "/up":
        while (await receive()).get("more_body"):
            pass
    if scope["type"] != "http" or not scope["path"].startswith("/down/"):
        await asgi(scope, receive, send)
        return
    left = int(scope["path"].removeprefix("/down/"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while left:
        piece = BLOCK[:left]
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
