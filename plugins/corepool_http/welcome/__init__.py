"""The page of the demo pool: the listeners, workers and counters of the pool that serves it, live.

An ASGI application like any other, on corepool's public names. The page has no script, style or picture from another
host, and its Content-Security-Policy allows none.
"""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from corepool_http.welcome.feed import INTERVAL_S, Feed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from corepool import Worker

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}

_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
]

_EVENTS = 5
"""Events of one stream. The browser then opens the next: a worker that drains waits for one no longer than this."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page, its files, `/status.json` and `/events` (server-sent events, HTML 9.2). Runs in: workers."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["type"] != "http":
        raise NotImplementedError("the demo page has no WebSocket")
    worker: Worker = scope["corepool.worker"]
    path = scope["path"].removeprefix(scope["root_path"])
    if scope["method"] not in {"GET", "HEAD"}:
        await _respond(send, 405, "text/plain", b"GET and HEAD are answered\n")
    elif path == "/events" and scope["method"] == "GET":
        await _stream(send, worker.shared(Feed), worker)
    elif path == "/status.json":
        await _respond(send, 200, "application/json", json.dumps(await worker.shared(Feed).read(worker)).encode())
    elif path == "/events":
        await _respond(send, 200, "text/event-stream", b"")
    elif path in _FILES:
        name, media_type = _FILES[path]
        await _respond(send, 200, media_type, files(__name__).joinpath(name).read_bytes())
    else:
        await _respond(send, 404, "text/plain", b"not found\n")


async def _live(receive: Receive, send: Send) -> None:
    """Answer the lifespan: there is nothing to start."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _respond(send: Send, status: int, media_type: str, content: bytes) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(content)), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _stream(send: Send, feed: Feed, worker: Worker) -> None:
    headers = [(b"content-type", b"text/event-stream"), *_HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"retry: 300\n\n", "more_body": True})
    for _ in range(_EVENTS):
        data = json.dumps(await feed.read(worker), separators=(",", ":"))
        await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})
        await asyncio.sleep(INTERVAL_S)
    await send({"type": "http.response.body", "body": b""})
