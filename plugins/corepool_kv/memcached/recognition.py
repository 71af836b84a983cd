"""Whether a connection's first bytes are a request of memcached's protocol: for listeners with several protocols."""

from __future__ import annotations

from corepool_kv.memcached.meta import META_COMMANDS
from corepool_kv.memcached.requests import BINARY_MAGIC
from corepool_kv.memcached.text import TEXT_COMMANDS

_LONG_ENOUGH = 1024
"""Bytes without the end of a line, after which a command needs none: more are not looked at."""

_NAMES = {*TEXT_COMMANDS, *META_COMMANDS, b"version", b"stats", b"quit"}


def is_memcached(data: bytes) -> bool | None:
    """Return whether a text or meta command begins here; None: more bytes are needed to tell.

    A request of the binary protocol is one as well: it is refused in its own words. A line that ends with a version of
    HTTP is none.
    """
    if data[:1] == bytes((BINARY_MAGIC,)):
        return True
    line, end, _ = data[:_LONG_ENOUGH].partition(b"\n")
    word, blank, _ = line.partition(b" ")
    if not blank:
        word = word.removesuffix(b"\r")
    if word not in _NAMES:
        return False if blank or end or not any(name.startswith(word) for name in _NAMES) else None
    if end:
        return not line.split()[-1].startswith(b"HTTP/")
    return True if len(data) >= _LONG_ENOUGH else None
