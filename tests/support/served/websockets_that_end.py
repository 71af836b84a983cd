import json
import urllib.parse

events = []


class Panic(BaseException):
    pass


VALUES = {
    "surrogate": "\ud800",
    "view": memoryview(b"abcdef")[::2],
    "array": bytearray(b"abc"),
    "long": "é" * 100,
    "pairs": iter([[b"x-from", bytearray(b"application")]]),
    "mapping": {"a": "b"},
    "text-pairs": [("x-from", "application")],
    "break": [(b"x-from", b"a\r\nb: c")],
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(events).encode()})
        return
    assert (await receive())["type"] == "websocket.connect"
    try:
        for step in json.loads(urllib.parse.unquote(scope["query_string"].decode())):
            if step == "receive":
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    events.append([message["code"], message["reason"]])
                    print("told", message["code"], flush=True)
            elif step == "panic":
                raise Panic("at the disco")
            elif step == "raise":
                raise ValueError("on purpose")
            else:
                message = {key: VALUES.get(str(value), value) for key, value in step.items()}
                if "raw" in message:
                    message["bytes"] = message.pop("raw").encode()
                message["type"] = "websocket." + message["type"]
                await send(message)
    except Exception as error:
        events.append([type(error).__name__, str(error)])
        raise
