"""It tells what it was told, and echoes WebSockets."""

import json

VERSION = "one"


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        return
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    content, more = b"", True
    while more:
        message = await receive()
        content, more = content + message.get("body", b""), message.get("more_body", False)
    told = {
        "version": VERSION,
        "client": scope["client"] and scope["client"][0],
        "scheme": scope["scheme"],
        "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        "content": content.decode(),
    }
    reply = json.dumps(told).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(reply)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})
