"""Whether a connection's first bytes are a request of Redis's protocol: for listeners with several protocols."""

from __future__ import annotations

import re

from corepool_kv.redis.table import COMMANDS

LONG_ENOUGH = 1024
"""Bytes without the end of a line, after which an inline command needs none: more are not looked at."""

_ARRAY = re.compile(rb"\*[0-9]{1,10}\r")
_BEGINNING_OF_ARRAY = re.compile(rb"\*[0-9]{0,10}")
_BLANK = b" \t"


def is_redis(data: bytes) -> bool | None:
    """Return whether an array, or an inline command, begins here; None: more bytes are needed to tell.

    An inline command begins with the name of one of our commands, in either case. A line that ends with a version
    of HTTP is none: `GET / HTTP/1.1`.
    """
    if data[:1] == b"*":
        if _ARRAY.match(data):
            return True
        return None if _BEGINNING_OF_ARRAY.fullmatch(data[:12]) else False
    line, end, _ = data[:LONG_ENOUGH].partition(b"\n")
    word = re.split(rb"[ \t\r]", line, maxsplit=1)[0].lower()
    if word not in COMMANDS:
        is_whole = bool(end) or len(word) < len(line)
        return False if is_whole or not any(name.startswith(word) for name in COMMANDS) else None
    words = line.split()
    if end:
        return not words[-1].startswith(b"HTTP/")
    if len(data) < LONG_ENOUGH:
        return None
    target = words[1] if len(words) > 1 else b""
    return not (target[:1] == b"/" or target[:4].lower() == b"http")
