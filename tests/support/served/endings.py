"""A WSGI application of odd iterables: the path names one, and /events returns the events that it noted."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections import defaultdict

EVENTS = defaultdict(list)


class Panic(BaseException):
    """An exception such as pyo3's PanicException, or gevent's Timeout."""


ERRORS = {
    "error": RuntimeError,
    "panic": Panic,
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "end": GeneratorExit,
}


class Pieces:
    """An iterable whose methods do as the query says: {"close": "panic", "next": 1, "pieces": ["one", "two"]}."""

    def __init__(self, number, wishes):
        self.number = number
        self.wishes = wishes
        self.left = [piece.encode() for piece in wishes.get("pieces", ["one", "two"])]

    def __iter__(self):
        if "iter" in self.wishes:
            raise ERRORS[self.wishes["iter"]]("iter on purpose")
        return self

    def __next__(self):
        if self.wishes.get("fails_at") == len(self.left):
            raise ERRORS[self.wishes["next"]]("next on purpose")
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def close(self):
        EVENTS[self.number].append("close")
        if "waits" in self.wishes:
            wait_for(self.wishes["waits"])
        if "close" in self.wishes:
            raise ERRORS[self.wishes["close"]]("close on purpose")


class List(list):
    """A list of one piece, with a close()."""

    def close(self):
        EVENTS[self.number].append("close")


class PropertyRaises(Pieces):
    @property
    def close(self):
        raise RuntimeError("close on purpose")


def wait_for(name):
    deadline = time.monotonic() + 60
    while not os.path.exists(name) and time.monotonic() < deadline:
        time.sleep(0.001)


async def coroutine():
    return [b"never"]


def generator(number, start_response, wishes):
    try:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"first"
        if "waits" in wishes:
            wait_for(wishes["waits"])
        yield b"second"
    finally:
        EVENTS[number].append("close")


def endless(number, empty):
    try:
        while True:
            yield b"" if empty else b"x" * 1000
    finally:
        EVENTS[number].append("close")


def application(environ, start_response):
    path, number, wishes = environ["PATH_INFO"], environ["HTTP_X_NUMBER"], json.loads(environ["HTTP_X_WISHES"])
    if path == "/late":
        return generator(number, start_response, wishes)
    if path == "/unstarted":
        return Pieces(number, wishes)
    if path == "/exc-info":
        start_response("200 OK", [])
        try:
            raise RuntimeError("on purpose")
        except RuntimeError:
            start_response("503 Sorry", [], sys.exc_info())
        return [b"sorry"]
    headers = [(name, value) for name, value in wishes.get("headers", [])]
    write = start_response("200 OK", headers)
    if path == "/events":
        return [json.dumps(EVENTS[wishes["of"]]).encode()]
    if path == "/pieces":
        return Pieces(number, wishes)
    if path == "/property":
        return PropertyRaises(number, wishes)
    if path == "/list":
        result = List([b"one"])
        result.number = number
        return result
    if path == "/write":
        write(b"zero ")
        return Pieces(number, wishes)
    if path == "/write-endless":
        try:
            while True:
                write(b"x" * 1000)
        finally:
            EVENTS[number].append("close")
    if path == "/endless":
        return endless(number, empty=False)
    if path == "/endless-empty":
        return endless(number, empty=True)
    if path == "/many-empty":
        return (b"" if left else b"content" for left in range(50_000, -1, -1))
    if path == "/empty":
        return {"list": [], "tuple": (), "iterator": iter(()), "pieces": Pieces(number, {"pieces": []})}[wishes["kind"]]
    if path == "/odd":
        return {
            "none": lambda: None,
            "number": lambda: 5,
            "text": lambda: "text",
            "bytes": lambda: b"bytes",
            "coroutine": coroutine,
            "list of none": lambda: [None],
            "list of text": lambda: ["text"],
            "list of numbers": lambda: [1, 2],
            "yields none": lambda: iter([None]),
            "yields text": lambda: iter(["text"]),
            "text file": lambda: environ["wsgi.file_wrapper"](io.StringIO("text")),
            "wrapper of nothing": lambda: environ["wsgi.file_wrapper"](None),
        }[wishes["kind"]]()
    if path == "/buffers":
        return iter([bytearray(b"one"), memoryview(b"two"), memoryview(b"-three-")[1:-1]])
    raise AssertionError(path)
