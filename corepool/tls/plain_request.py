"""The answer to a client that speaks HTTP without TLS on a port with TLS, as nginx gives it (its status 497)."""

from __future__ import annotations

import re

MAX_BYTES = 2048
"""Bytes of a request line that are waited for. A longer one that has begun as a request is answered, too."""

_LINE = re.compile(rb"[A-Z][A-Z-]{1,19} \S+ HTTP/[0-9]\.[0-9]\r?\n.*", re.DOTALL)
_BEGINNING = re.compile(rb"[A-Z][A-Z-]{0,19}( \S*( [HTP/.0-9]{0,8}\r?)?)?")
_BEGINNING_OF_LONG = re.compile(rb"[A-Z][A-Z-]{1,19} \S*")

_TEXT = b"400 Bad Request: this port speaks HTTPS, and the request came without TLS. Use https:// in its URL.\n"
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s" % (len(_TEXT), _TEXT)
)


def answer_to(head: bytes) -> bytes | None:
    """Return the answer to a client's first bytes, which are none of TLS; b"" if it does not speak HTTP.

    :param head: all that has come so far.
    :returns: None: more bytes are needed to know.
    """
    if _LINE.fullmatch(head):
        return _ANSWER
    if len(head) < MAX_BYTES:
        return None if _BEGINNING.fullmatch(head) else b""
    return _ANSWER if _BEGINNING_OF_LONG.fullmatch(head[:MAX_BYTES]) else b""
