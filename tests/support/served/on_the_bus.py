"""Applications that use the bus: ASGI in the loop, WSGI in threads."""

import corepool


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    bus = corepool.current_bus()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/publish":
        dropped = bus.publish("news.x", (await receive())["body"])
        await send({"type": "http.response.body", "body": str(dropped).encode()})
        return
    async with bus.subscribe("news.*") as messages:
        await send({"type": "http.response.body", "body": b"subscribed\n", "more_body": True})
        async for message in messages:
            await send({"type": "http.response.body", "body": message.topic + b" " + message.data})
            return


def wsgi(environ, start_response):
    start_response("200 OK", [])
    bus = corepool.current_bus()
    if environ["PATH_INFO"] == "/publish":
        return [str(bus.publish("news.x", environ["wsgi.input"].read())).encode()]
    return _messages(bus)


def _messages(bus):
    with bus.subscribe_in_thread("news.*") as messages:
        yield b"subscribed\n"
        message = messages.get(timeout=100)
        yield message.topic + b" " + message.data
