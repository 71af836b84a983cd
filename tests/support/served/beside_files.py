"""Applications that say which path they were asked for: everything that no folder beside them answers."""

from __future__ import annotations

from typing import Any


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the method and the path."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode("latin-1")]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with the same, over WebSockets as well; its lifespan is reported on standard output."""
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            print(kind, flush=True)
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    text = f"{scope.get('method', 'WS')} {scope['root_path']} {scope['path'].removeprefix(scope['root_path'])}"
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
