"""How a response is delimited (RFC 9112, 6): decided here, by its status, its request and its announced length.

| response | content | framing |
|---|---|---|
| 1xx | | refused: an interim response can't be the answer to a request |
| 204 | never | no Content-Length, no Transfer-Encoding (RFC 9110, 8.6; RFC 9112, 6.1) |
| 205 | never | Content-Length: 0 (RFC 9110, 15.3.6) |
| 304 | never | the Content-Length of the 200, if the application gave it |
| to HEAD | never | the Content-Length of the response to GET, if it is known |
| with a length | as much as announced | the Content-Length that was given |
| whole, without a length | all of it | its Content-Length |
| in pieces, HTTP/1.1 | until it ends | chunked |
| in pieces, HTTP/1.0 | until it ends | the end of the connection |

CONNECT has its own row in the RFC; such requests are refused before any application sees them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from corepool_http.responses import Head


class Framing(Enum):
    """What delimits the content of a response."""

    NONE = "no content"
    LENGTH = "its length"
    CHUNKED = "chunks"
    CLOSE = "the end of the connection"


# Plain names: looking up a member costs as much as the rest of a decision.
NONE, LENGTH, CHUNKED, CLOSE = Framing.NONE, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE

_NO_LINE = (b"", NONE)
_GIVEN = (b"", LENGTH)
_IN_CHUNKS = (b"Transfer-Encoding: chunked\r\n", CHUNKED)
_UNTIL_CLOSE = (b"", CLOSE)


def frame(head: Head, size: int | None, *, is_head: bool, version: str) -> tuple[bytes, Framing]:
    """Choose the header line that delimits a response, and what it means for the content.

    :param size: bytes of content, if all of it is at hand.
    :param is_head: the request's method is HEAD.
    :param version: that of the request.
    :raises ResponseError: no response may have this status.
    """
    if head.bodyless:
        if head.status < 200:
            raise ResponseError(f"{head.status} is the status of an interim response; the final one is missing")
        return _NO_LINE
    if head.length is not None:
        return _NO_LINE if is_head else _GIVEN
    if is_head:
        # An application may leave out the content: then its length is unknown. Chunked, which the GET may have been,
        # may be left out as well (RFC 9112, 6.1).
        return (b"Content-Length: %d\r\n" % size, NONE) if size else _NO_LINE
    if size is not None:
        return b"Content-Length: %d\r\n" % size, LENGTH
    return _IN_CHUNKS if version == "1.1" else _UNTIL_CLOSE
