"""Responses of HTTP/1: how each is delimited (RFC 9112, 6), by its status, its request and its announced length.

| response | content | framing |
|---|---|---|
| 204 | never | no Content-Length, no Transfer-Encoding (RFC 9110, 8.6; RFC 9112, 6.1) |
| 205 | never | Content-Length: 0 (RFC 9110, 15.3.6) |
| 304 | never | the Content-Length of the 200, if the application gave it |
| to HEAD | never | the Content-Length of the response to GET, if it is known |
| with a length | as much as announced | the Content-Length that was given |
| whole, without a length | all of it | its Content-Length |
| in pieces, HTTP/1.1 | until it ends | chunked |
| in pieces, HTTP/1.0 | until it ends | the end of the connection |

CONNECT has its own row in the RFC; such requests are refused before any application sees them. Interim responses are
no answer to a request: the exchange refuses them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from corepool_http.message import HTTP_1_0, HTTP_1_1

if TYPE_CHECKING:
    from corepool_http.head import Head
    from corepool_http.message import Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Framing(Enum):
    """The ways to delimit the content of a response."""

    NONE = "no content"
    LENGTH = "its length"
    CHUNKED = "chunks"
    CLOSE = "the end of the connection"


# Plain names: looking up a member costs as much as the rest of a decision.
NONE, LENGTH, CHUNKED, CLOSE = Framing.NONE, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE


def join_in_python(phrase: bytes, lines: bytes, line: bytes, connection: bytes, content: bytes) -> bytes:
    """Return a head of these parts, with content behind it."""
    # A join takes half the time of a format.
    return b"".join((b"HTTP/1.1 ", phrase, b"\r\n", lines, line, connection, b"\r\n", content))


try:
    from corepool_http.http1._joining import join
except ImportError:  # corepool was installed without a compiler
    join = join_in_python


def encode_head(
    head: Head,
    size: int | None,
    content: bytes,
    request: Request,
    closes: bool,  # noqa: FBT001  # keywords cost a twentieth of the call
) -> tuple[bytes, Framing]:
    """Return a head with content behind it, and what delimits the content of its response.

    :param size: bytes of content, if all of it is at hand.
    :param content: as much of it as is sent with the head.
    :param closes: the connection ends with this response.
    """
    line, framing = b"", NONE
    is_head = request.line.is_head
    if head.bodyless:
        pass
    elif head.length is not None:
        if not is_head:
            framing = LENGTH
    elif is_head:
        # An application may leave out the content: then its length is unknown. Chunked, which the GET may have been,
        # may be left out as well (RFC 9112, 6.1).
        if size:
            line = b"Content-Length: %d\r\n" % size
    elif size is not None:
        line, framing = b"Content-Length: %d\r\n" % size, LENGTH
    elif request.version == HTTP_1_1:
        line, framing = b"Transfer-Encoding: chunked\r\n", CHUNKED
    else:
        framing = CLOSE
        closes = True
    if head.upgrades:
        connection = b"Connection: close, Upgrade\r\n" if closes else b"Connection: Upgrade\r\n"
    elif closes:
        connection = b"Connection: close\r\n"
    elif request.version == HTTP_1_1:
        connection = b""
    else:
        # A client of HTTP/1.0 closes unless it is told otherwise.
        connection = b"Connection: keep-alive\r\n" if request.version == HTTP_1_0 else b""
    return join(head.phrase, head.lines, line, connection, content), framing


def encode_switch(head: Head, accept: bytes) -> bytes:
    """Return the head that turns a connection into a WebSocket (RFC 6455, 4.2.2).

    :param accept: the answer to the client's key.
    """
    return b"HTTP/1.1 %b\r\n%bUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n" % (
        head.phrase,
        head.lines,
        accept,
    )
