import asyncio
import json

events = []
START = {"type": "http.response.start", "status": 200, "headers": []}
PIECE = {"type": "http.response.body", "body": b"x" * 1000, "more_body": True}
NOTHING = {"type": "http.response.body", "body": b"", "more_body": True}
MESSAGES = {
    "start": START,
    "body": PIECE,
    "nothing": NOTHING,
    "last": {"type": "http.response.body"},
    "path": {"type": "http.response.pathsend", "path": __file__},
    "file": {"type": "http.response.zerocopysend", "file": open(__file__, "rb"), "offset": 0, "more_body": True},
    "text": {"type": "websocket.send", "text": "x" * 1000},
    "bytes": {"type": "websocket.send", "bytes": b""},
    "close": {"type": "websocket.close"},
    "accept": {"type": "websocket.accept"},
    "deny": {"type": "websocket.http.response.start", "status": 401},
    "denial": {"type": "websocket.http.response.body", "body": b"x" * 1000, "more_body": True},
    "unknown": {"type": "http.response.unknown"},
}


async def until_it_raises(call, message):
    try:
        while True:
            await call(message)
    except Exception as error:
        return [kind.__name__ for kind in type(error).__mro__]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    what, _, name = scope["path"].strip("/").partition("/")
    message = MESSAGES.get(name)
    if what == "events":
        await send(START)
        await send({"type": "http.response.body", "body": json.dumps(events).encode()})
        return
    if what == "":
        await send(START)
        await send({"type": "http.response.body", "body": b"served"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send(MESSAGES["deny" if name == "denial" else "accept"])
    elif name not in ("start", "unknown"):
        await send(START)
    if what == "for-ever":
        events.append(scope["path"])
        while True:
            try:
                await send(message)
            except Exception:
                pass
    if what == "receive-for-ever":
        if name == "done":
            await send(MESSAGES["last"])
        events.append(scope["path"])
        while True:
            await receive()
    if what == "until-it-raises":
        if name in ("start", "unknown", "close"):
            while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
                pass
        elif name == "accept":
            await until_it_raises(send, MESSAGES["text"])
        events.append([scope["path"], await until_it_raises(send, message)])
    if what == "poll":  # as Starlette's Request.is_disconnected: cancelled where it waits first
        events.append("polls")
        count = 0
        while True:
            polling = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            polling.cancel()
            try:
                message = await polling
            except asyncio.CancelledError:
                continue
            if message["type"] == "http.disconnect":
                break
        for _ in range(200):
            asyncio.current_task()
            assert (await receive())["type"] == "http.disconnect"
            await asyncio.sleep(0)
        events.append("polled")
