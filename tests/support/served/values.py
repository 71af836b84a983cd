import asyncio
import collections
import os
import types
from pathlib import Path


class Panic(BaseException):
    pass


class Answer(collections.UserDict):
    pass


START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


async def raises(name):
    if name == "cancelled":
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
    if name == "cancels-itself":
        asyncio.current_task().cancel()
        await asyncio.sleep(0)
    if name == "group":
        raise BaseExceptionGroup("several", [Panic("at the disco"), KeyboardInterrupt()])
    raise {"panic": Panic, "interrupt": KeyboardInterrupt, "exit": SystemExit, "generator": GeneratorExit}[name]("x")


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    what, name = scope["path"].strip("/").split("/")
    body = {"type": "http.response.body", "body": b"content"}
    if what == "raise":
        await raises(name)
    if what == "raise-late":
        await send(START)
        await send(body | {"more_body": True})
        await raises(name)
    if what == "mapping":
        await send({"dict": dict, "user": Answer, "proxy": types.MappingProxyType}[name](START))
        await send(Answer(body))
    if what == "again":
        await send(START)
        await send(body)
        await send(body)
    if what == "catch":  # the application may deal with the refusal
        try:
            await send({"type": "http.response.start", "status": "200"})
        except Exception:
            await send(START)
            await send(body)
    if what == "path":
        path = {"str": str, "bytes": os.fsencode, "path": Path}[name](__file__)
        await send(START)
        await send({"type": "http.response.pathsend", "path": path})
    if what == "no-path":
        await send(START)
        await send({"type": "http.response.pathsend", "path": "/nowhere"})
    if what == "file":
        with open("numbers", "w") as file:
            file.write("0123456789")
        with open("numbers", "rb") as file:
            await send(START)
            given = file if name != "number" else file.fileno()
            message = {"type": "http.response.zerocopysend", "file": given, "more_body": True}
            if name == "object":
                assert file.read(2) == b"01"
            else:
                os.lseek(file.fileno(), 2, os.SEEK_SET)
            await send(message | {"count": 3})  # 234
            await send(message | {"count": 1})  # 5: the position has moved on
            await send(message | {"count": 0})  # would end the content, as a chunk
            await send(message | {"offset": 8})  # 89
            await send(message | {"offset": 100})  # nothing is there
            await send({"type": "http.response.zerocopysend", "file": given, "offset": 0, "count": 100})
    if what == "negative":
        with open(__file__, "rb") as file:
            await send(START)
            await send({"type": "http.response.zerocopysend", "file": file, "offset": -1})
