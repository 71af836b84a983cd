"""Applications that answer as their query says, a Python literal: status, headers, pieces of content, the end."""

from __future__ import annotations

import ast
from urllib.parse import unquote


class Panic(BaseException):
    """An exception such as pyo3's PanicException, or gevent's Timeout."""


BLOCKS = [bytes(range(256)) * 256] * 256
ENDS = {"raise": RuntimeError, "panic": Panic, "exit": SystemExit}


def _read(query):
    status, headers, pieces, end = ast.literal_eval(unquote(query))
    return status, headers, BLOCKS if pieces == "blocks" else pieces, end


def wsgi(environ, start_response):
    """Answer by one piece as a list, by several as a generator; by write() if the path says so."""
    status, headers, pieces, end = _read(environ["QUERY_STRING"])
    write = start_response(status, headers)
    if environ["PATH_INFO"] == "/write":
        for piece in pieces:
            write(piece)
        if end in ENDS:
            raise ENDS[end]("raised on purpose")
        return []
    return pieces if len(pieces) == 1 and end == "return" else _pieces(pieces, end)


def _pieces(pieces, end):
    yield from pieces
    if end in ENDS:
        raise ENDS[end]("raised on purpose")


async def asgi(scope, receive, send):
    """Answer by one message for each piece."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    status, headers, pieces, end = _read(scope["query_string"].decode())
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for number, piece in enumerate(pieces or [b""]):
        more = end != "return" or number + 1 < len(pieces)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
    if end in ENDS:
        raise ENDS[end]("raised on purpose")
