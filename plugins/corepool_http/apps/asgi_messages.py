"""The messages of an ASGI application: accepted as far as Python allows, with their mistakes in words.

Optional keys may be missing or None. Bytes may be anything with a buffer, of any shape; headers any iterable, read
once. Mistakes are raised into the application, from `send()`, so that its traceback shows the line.
"""

from __future__ import annotations

import operator
import os
import re
import stat
from typing import TYPE_CHECKING, Any

from corepool_http.exchange import ClientDisconnectedError
from corepool_http.values import ResponseError, as_bytes, bytes_pair, listed, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
    from typing import TypeAlias

    from corepool_http.head import Head
    from corepool_http.responses import Heads

    Message: TypeAlias = MutableMapping[str, Any]
    Application: TypeAlias = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Coroutine[Any, Any, None]
    ]

Pairs = list[tuple[bytes, bytes]]

HTTP_VERSION = {"version": "3.0", "spec_version": "2.3"}
"""`asgi` of http's scopes. With 2.4, Starlette relies on send() alone to learn that the client has left, and a stream
that has fallen silent would never end. Below, it waits for http.disconnect beside the stream."""

WEBSOCKET_VERSION = {"version": "3.0", "spec_version": "2.4"}
"""`asgi` of a WebSocket's scope. Since 2.4, send() raises an OSError when the client has left."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_GONE_NAMES = ("ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect", "WebSocketDisconnected")
"""The names of the exceptions of Starlette, Litestar and others for a client that has gone."""

_MAX_CAUSES = 16
"""That an exception is looked at for: they may go round in a circle."""


def is_departure(error: BaseException) -> bool:
    """Return True if an exception says that the client has gone, and nothing else.

    One that was raised *from* such an exception says so, too, as Litestar's does. One that happened while the
    application dealt with it (`__context__`) is the application's own.
    """
    current: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if isinstance(current, BaseExceptionGroup):
            return all(is_departure(each) for each in current.exceptions)
        if isinstance(current, ClientDisconnectedError) or type(current).__name__ in _GONE_NAMES:
            return True
        if current is None:
            break
        current = current.__cause__
    return False


def type_of(message: Message) -> str:
    """Return a message's type.

    :raises ResponseError: it is no message.
    """
    try:
        kind = message["type"]
    except KeyError:
        raise ResponseError("a message was sent without a 'type'") from None
    except (TypeError, IndexError, AttributeError):
        raise ResponseError(f"{shown(message)} was sent: a message is a dict with a 'type'") from None
    if not isinstance(kind, str):
        raise ResponseError(f"a message was sent whose 'type' is {shown(kind)}: a str is expected")
    return kind


def bytes_of(message: Message, key: str) -> bytes:
    """Return the bytes of an optional key.

    :raises ResponseError: it has something else.
    """
    value = message.get(key)
    if type(value) is bytes:
        return value
    return b"" if value is None else as_bytes(value, f"{key!r} of {message['type']}")


def text_of(message: Message, key: str) -> str | None:
    """Return the text of an optional key.

    :raises ResponseError: it has something else, or what UTF-8 can't express.
    """
    value = message.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ResponseError(f"{key!r} of {message['type']} is {shown(value)}: a str is expected")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ResponseError(f"{key!r} of {message['type']} has lone surrogates in it: {shown(value)}") from None
    return str(value)


def int_of(message: Message, key: str) -> int | None:
    """Return the number of an optional key.

    :raises ResponseError: it has something else.
    """
    value = message.get(key)
    if value is None or type(value) is int:
        return value
    try:
        return operator.index(value)
    except TypeError:
        raise ResponseError(f"{key!r} of {message['type']} is {shown(value)}: an int is expected") from None


def head_of(message: Message, heads: Heads) -> Head:
    """Make the head that a message describes by `status` and `headers`.

    :raises ResponseError: it can't be sent.
    """
    status = message.get("status")
    if type(status) is not int:
        status = int_of(message, "status")
    if status is None:
        raise ResponseError(f"{message['type']} has no 'status'")
    headers = message.get("headers")
    return heads.of_bytes(status, () if headers is None else headers)


def head_with_trailers(message: Message, heads: Heads, *, announced: bool) -> Head:
    """Make the head of a response that has trailers.

    :param announced: they will be sent, so the application's header Trailer is kept. Elsewhere it is left out, like all
        headers for a single connection.
    :raises ResponseError: it can't be sent.
    """
    pairs = pairs_of(message)
    head = head_of({**message, "headers": pairs}, heads)
    names = b", ".join(value for name, value in pairs if name.lower() == b"trailer")
    return head.with_trailer(names) if announced and names else head


def subprotocol_of(message: Message) -> str | None:
    """Return the subprotocol of an accept.

    :raises ResponseError: it is none.
    """
    name = text_of(message, "subprotocol")
    if name and not _TOKEN.fullmatch(name):
        raise ResponseError(f"'subprotocol' of websocket.accept is {shown(name)}: a token is expected")
    return name


def pairs_of(message: Message) -> Pairs:
    """Return the headers of a message.

    :raises ResponseError: it has something else.
    """
    headers = message.get("headers")
    return [] if headers is None else [bytes_pair(pair) for pair in listed(headers)]


def file_of(message: Message) -> tuple[int, bool]:
    """Open the file of a pathsend, or find the descriptor of a zerocopysend; True if it is to be closed.

    :raises ResponseError: there is none, or it is no plain file.
    :raises OSError: the file can't be opened.
    """
    if message["type"] == "http.response.pathsend":
        path = message.get("path")
        try:
            name = os.fspath(path)  # type: ignore[arg-type]  # not open(path): 5 is a descriptor in use
        except TypeError:
            raise ResponseError(f"'path' of http.response.pathsend is {shown(path)}: a path is expected") from None
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO without a writer must not stop the loop
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise ResponseError(f"'path' of http.response.pathsend is {shown(path)}, which is no plain file")
        return fd, True
    file = message.get("file")
    try:
        fd = file if isinstance(file, int) else file.fileno()  # type: ignore[union-attr]
        is_plain = stat.S_ISREG(os.fstat(fd).st_mode)
    except (AttributeError, TypeError, ValueError, OverflowError):  # io.UnsupportedOperation is a ValueError, too
        raise ResponseError(f"'file' of http.response.zerocopysend is {shown(file)}: it has no descriptor") from None
    if not is_plain:
        raise ResponseError(f"'file' of http.response.zerocopysend is {shown(file)}, which is no plain file")
    return fd, False
