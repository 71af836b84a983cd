import asyncio
import pathlib
import sys


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    path = scope["path"]
    if scope["type"] == "websocket":
        await receive()
        if path == "/late":
            print("the handshake waits", file=sys.stderr, flush=True)
            while not pathlib.Path(__file__).with_name("go").exists():
                await asyncio.sleep(0.01)
            await send({"type": "websocket.accept"})
            await receive()
            return
        headers = [
            (name, b"other")
            for name in (b"connection", b"Sec-WebSocket-Accept", b"upgrade", b"x-own", b"sec-websocket-protocol")
        ]
        headers += [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
        try:
            await send({"type": "websocket.accept", "subprotocol": "a", "headers": [(b"x-bad", b"\r\n")]})
        except Exception:
            await send({"type": "websocket.accept", "subprotocol": "a", "headers": headers})
        return
    while path == "/content":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
    if path == "/asks-late":
        await asyncio.sleep(0.5)
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200})
    if path == "/breaks":
        await send({"type": "http.response.body", "body": b"x" * 200_000, "more_body": True})
        raise RuntimeError("raised on purpose")
    await send({"type": "http.response.body", "body": b"x" * 8_000_000 if path == "/large" else b"ok"})


def wsgi(environ, start_response):
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [])
    return [b"%d" % size]
