"""WSGI and ASGI applications that the tests serve."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from wsgiref.validate import validator

REQUEST = contextvars.ContextVar("REQUEST", default="none")


def echo(environ, start_response):
    """Answer with the request line, the headers, and a digest of the content, as received."""
    content = hashlib.sha256()
    size = 0
    while block := environ["wsgi.input"].read(65_536):
        content.update(block)
        size += len(block)
    told = {key: value for key, value in environ.items() if isinstance(value, str | int | bool)}
    told |= {"size": size, "sha256": content.hexdigest(), "pid": os.getpid(), "thread": threading.current_thread().name}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


validated = validator(echo)


class Broken:
    """An iterable that fails, and remembers that it was closed."""

    closed = 0

    def __init__(self, pieces):
        self._pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        piece = next(self._pieces)
        if piece is None:
            raise RuntimeError("broken in the middle")
        return piece

    def close(self):
        Broken.closed += 1


def wsgi(environ, start_response):
    """Do what the path says."""
    path = environ["PATH_INFO"]
    plain = [("Content-Type", "text/plain")]
    match path.strip("/").split("/"):
        case ["raise"]:
            raise RuntimeError("raised on purpose")
        case ["raise-later"]:
            start_response("200 OK", plain)
            return Broken([b"part", None])
        case ["raise-first"]:
            start_response("200 OK", plain)
            return Broken([None])
        case ["closed"]:
            start_response("200 OK", plain)
            return [b"%d" % Broken.closed]
        case ["long"]:
            start_response("200 OK", [*plain, ("Content-Length", "4")])
            return [b"longer", b"still"]
        case ["short"]:
            start_response("200 OK", [*plain, ("Content-Length", "40")])
            return [b"shorter"]
        case ["inject"]:
            start_response("200 OK", [("X-A", "b\r\nSet-Cookie: c=d")])
            return [b"never"]
        case ["inject-name"]:
            start_response("200 OK", [("X-A: b\r\nX-C", "d")])
            return [b"never"]
        case ["no-start"]:
            return [b"never"]
        case ["twice"]:
            start_response("200 OK", plain)
            start_response("200 OK", plain)
            return [b"never"]
        case ["exc-info"]:
            try:
                start_response("200 OK", plain)
                raise ValueError("found out late")
            except ValueError as error:
                start_response("503 Service Unavailable", plain, (type(error), error, error.__traceback__))
            return [b"sorry"]
        case ["write"]:
            write = start_response("200 OK", plain)
            write(b"one ")
            write(b"two ")
            return [b"three"]
        case ["cookies"]:
            start_response("200 OK", [*plain, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
            return [environ.get("HTTP_COOKIE", "").encode()]
        case ["empty"]:
            start_response("204 No Content", [])
            return []
        case ["nothing"]:
            start_response("200 OK", plain)
            return []
        case ["pieces", count]:
            start_response("200 OK", plain)
            return (b"%07d\n" % number for number in range(int(count)))
        case ["large", size]:
            start_response("200 OK", [*plain, ("Content-Length", size)])
            return (b"x" * 65_536 for _ in range(int(size) // 65_536))
        case ["file"]:
            start_response("200 OK", plain)
            return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))
        case ["sleep", seconds]:
            time.sleep(float(seconds))
            start_response("200 OK", plain)
            return [b"slept"]
        case ["no-loop"]:
            start_response("200 OK", plain)
            return [asyncio.run(_answer())]
        case ["connection-close"]:
            start_response("200 OK", [*plain, ("Connection", "close")])
            return [b"bye"]
        case ["exit"]:
            sys.exit("not me")
        case ["cancelled"]:
            raise asyncio.CancelledError
        case ["text"]:
            start_response("200 OK", plain)
            return ["no bytes"]
        case ["unread"]:
            start_response("200 OK", plain)
            return [b"not read"]
        case ["read-line"]:
            start_response("200 OK", plain)
            return [environ["wsgi.input"].readline()]
    return echo(environ, start_response)


async def _answer():
    await asyncio.sleep(0)
    return b"ran a loop of its own"


def make():
    """Make an application."""
    return echo


class Events:
    seen = []  # noqa: RUF012
    go = asyncio.Event()


async def asgi(scope, receive, send):
    """Do what the path says."""
    if scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
        return
    if scope["type"] == "websocket":
        await _websocket(scope, receive, send)
        return
    match scope["path"].strip("/").split("/"):
        case ["raise"]:
            raise RuntimeError("raised on purpose")
        case ["exit"]:
            sys.exit("not me")
        case ["raise-later"]:
            await _start(send)
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            raise RuntimeError("raised on purpose")
        case ["return"]:
            return
        case ["large", size]:
            await _start(send)
            for _ in range(int(size) // 65_536):
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
                Events.seen.append("piece")
            await send({"type": "http.response.body"})
        case ["sent"]:
            await _reply(send, b"%d" % Events.seen.count("piece"))
        case ["wait-for-disconnect"]:
            await receive()
            message = await receive()
            Events.seen.append(message["type"])
        case ["go"]:
            Events.go.set()
            await _reply(send, b"")
        case ["events"]:
            await _reply(send, json.dumps(Events.seen).encode())
        case ["state"]:
            await _reply(send, scope["state"]["started"])
        case ["context"]:
            before = REQUEST.get()
            REQUEST.set(scope["path"])
            await _reply(send, before.encode())
        case ["concurrent"]:
            await receive()
            waiting = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            await _reply(send, b"done")
            Events.seen.append(f"then {(await waiting)['type']}")
        case ["background"]:
            await _reply(send, b"done")
            await asyncio.sleep(0.01)
            Events.seen.append("background")
        case ["path-send"]:
            await _start(send)
            await send({"type": "http.response.pathsend", "path": __file__})
        case ["inject"]:
            await _start(send, [(b"x-a", b"b\r\nset-cookie: c=d")])
            await send({"type": "http.response.body", "body": b"never"})
        case ["unread"]:
            await _reply(send, b"not read")
        case ["tasks"]:
            await _reply(send, b"%d" % len(asyncio.all_tasks()))
        case ["greedy"]:
            count = len(scope["headers"])
            scope["headers"].clear()
            await _reply(send, b"%d" % count)
        case _:
            content = hashlib.sha256()
            size = 0
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                content.update(message["body"])
                size += len(message["body"])
                more = message["more_body"]
            told = {key: value for key, value in scope.items() if isinstance(value, str | int | bool | tuple)}
            told["headers"] = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
            told |= {"size": size, "sha256": content.hexdigest()}
            await _reply(send, json.dumps(told).encode())


async def _start(send, headers=()):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), *headers]})


async def _reply(send, body):
    await _start(send)
    await send({"type": "http.response.body", "body": body})


async def _lifespan(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["started"] = b"at startup"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    if mark := os.environ.get("TEST_SHUTDOWN_MARK"):
        Path(mark).touch()
    await send({"type": "lifespan.shutdown.complete"})


async def _websocket(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    match scope["path"]:
        case "/refuse":
            await send({"type": "websocket.close"})
            return
        case "/deny":
            headers = [(b"content-type", b"text/plain")]
            await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b"who are you?"})
            return
        case "/raise":
            await send({"type": "websocket.accept"})
            raise RuntimeError("raised on purpose")
        case "/close":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
            return
        case "/late":
            await send({"type": "websocket.accept"})
            Events.seen.append("accepted")
            await Events.go.wait()
            size = 0
            while (message := await receive())["type"] == "websocket.receive":
                if message.get("text") == "how many bytes?":
                    await send({"type": "websocket.send", "text": str(size)})
                size += len(message.get("bytes") or b"")
            return
    subprotocol = next((name for name in scope["subprotocols"] if name == "chat"), None)
    await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": [(b"x-from", b"application")]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            Events.seen.append(f"disconnect {message['code']}")
            return
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})


async def failing(scope, receive, send):
    """Fail to start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is away"})
