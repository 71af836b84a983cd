"""The applications that all HTTP servers serve."""

import time

CONTENT = b"Hello, world!\n"
SLOW_S = 0.05


def wsgi(environ, start_response):  # noqa: ANN001, ANN201, ARG001
    """Greet, by WSGI."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(CONTENT)))])
    return [CONTENT]


def mixed(environ, start_response):  # noqa: ANN001, ANN201
    """Greet, by WSGI; one path takes its time."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW_S)
    return wsgi(environ, start_response)


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
