"""Applications for requests that share a connection: large ones, small ones, and those that take their time."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path


def wsgi(environ, start_response):
    """Wait for the file `go` at /hold, and say so; return the size of the content elsewhere."""
    if environ["PATH_INFO"].startswith("/hold"):
        print(f"held {environ['PATH_INFO']}", file=sys.stderr, flush=True)
        while not Path("go").exists():
            time.sleep(0.01)
    size = 0
    while piece := environ["wsgi.input"].read(65_536):
        size += len(piece)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(size).encode()]


async def asgi(scope, receive, send):
    """Read the content and return its size; send so many bytes at /down/SIZE, and pieces without an end at /endless;
    read nothing at /deaf.
    """
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": bytes(262_144), "more_body": True})
    if scope["path"].startswith("/down/"):
        left = int(scope["path"].removeprefix("/down/"))
        await send({"type": "http.response.start", "status": 200})
        while left:
            piece = bytes(min(left, 262_144))
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        return
    if scope["path"] == "/deaf":
        await asyncio.Event().wait()
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(size).encode()})
