"""Applications that tell how secure they take their requests to be."""

import json


def wsgi(environ, start_response):
    told = {
        name: value
        for name, value in environ.items()
        if name == "HTTPS" or name.startswith(("SSL_", "HTTP_SSL", "wsgi.url_scheme", "REMOTE_ADDR"))
    }
    content = json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    told = json.dumps({"scheme": scope["scheme"], "tls": scope["extensions"].get("tls")})
    if scope["extensions"].get("tls") is not None:
        scope["extensions"]["tls"]["server_cert"] = "changed by an application"
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": told})
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": told.encode()})
