"""Whether a connection's first bytes are HTTP/1: for listeners with several protocols."""

from __future__ import annotations

import re

LONG_ENOUGH = 1024
"""Bytes without the end of a request line, after which its target has to be one of HTTP: more are not looked at."""

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110, 5.6.2; the longest registered has 17
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_VERSION = b"HTTP/"


def is_http(data: bytes) -> bool | None:
    """Return whether a request line begins here (RFC 9112, 3); None: more bytes are needed to tell.

    A line counts by its version at the end: `GET /key` may be a command of another protocol. Empty lines before it
    are skipped (RFC 9112, 2.2).
    """
    line, end, _ = data[:LONG_ENOUGH].lstrip(b"\r\n").partition(b"\n")
    method, space, rest = line.rstrip(b"\r").partition(b" ") if end else line.partition(b" ")
    target, second_space, version = rest.partition(b" ")
    if method and not _METHOD.fullmatch(method):
        return False
    if (space and target and not _TARGET.fullmatch(target)) or (second_space and not target):
        return False
    if version[: len(_VERSION)] == _VERSION:
        return True
    if end or not _VERSION.startswith(version):
        return False
    if len(data) < LONG_ENOUGH:
        return None
    return target[:1] == b"/" or target[:4].lower() == b"http"
