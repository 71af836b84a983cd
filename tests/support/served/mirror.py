"""Applications that answer with what they were told of a request, and that do with a WebSocket what its path says."""

from __future__ import annotations

import asyncio
import json


def wsgi(environ, start_response):
    """Return the environment and the content."""
    told = {key: value for key, value in environ.items() if isinstance(value, str | int)}
    told["content"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


async def asgi(scope, receive, send):
    """Return the scope and the content; as the first message where it is a WebSocket."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    told = {key: value for key, value in scope.items() if isinstance(value, str | int | list | tuple)}
    told["raw_path"] = scope["raw_path"].decode("latin-1")
    told["headers"] = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    if scope["type"] == "websocket":
        await _websocket(told, receive, send)
        return
    if scope["path"] == "/spoil":
        told["asgi"] = dict(scope["asgi"])
        for value in scope.values():
            if isinstance(value, list | dict):
                value.clear()
    if scope["path"] == "/hold":
        await Handshakes.go.wait()
    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    content = b""
    more = True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    told["content"] = content.decode("latin-1")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Handshakes:
    """Handshakes that wait, and how they ended."""

    go = asyncio.Event()
    ends: list[str] = []  # noqa: RUF012


async def _websocket(told, receive, send):
    await receive()
    path = told["path"]
    if path == "/go":
        Handshakes.go.set()
    elif path == "/wait":
        await Handshakes.go.wait()
    elif path == "/never":
        message = await receive()
        Handshakes.ends.append(message["type"])
        return
    subprotocol = told["subprotocols"][-1] if told["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    told["ends"] = Handshakes.ends
    await send({"type": "websocket.send", "text": json.dumps(told)})
    while path == "/stream":
        await send({"type": "websocket.send", "bytes": b"x" * 65_536})
    if path == "/end":
        return
    if path == "/slow":  # read nothing, until the other end is gone
        await Handshakes.go.wait()
    size = 0
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "how many bytes?":
            await send({"type": "websocket.send", "text": str(size)})
        size += len(message.get("bytes") or b"")
