"""An application that answers with its path, and reads no content; at /hold it waits before, at /echo it reads."""

from __future__ import annotations

import asyncio


class Gate:
    """Opened by the test, in whose process this runs."""

    go = asyncio.Event()


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/hold":
        await Gate.go.wait()
    answer = scope["path"].encode()
    if scope["path"] == "/echo":
        answer, more = b"", True
        while more:
            message = await receive()
            answer, more = answer + message["body"], message["more_body"]
    if scope["path"] == "/large":
        answer = bytes(4_000_000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})
