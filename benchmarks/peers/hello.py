"""The applications that all HTTP servers serve."""

CONTENT = b"Hello, world!\n"


def wsgi(environ, start_response):  # noqa: ANN001, ANN201, ARG001
    """Greet, by WSGI."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(CONTENT)))])
    return [CONTENT]


async def asgi(scope, receive, send):  # noqa: ANN001, ANN201
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
