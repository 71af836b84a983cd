"""The parts of the wire format that each command meets: the words of a line, and the reply that has an item."""

from __future__ import annotations

__all__ = ["value_reply", "words_of"]


def words_of_in_python(data: bytes, begin: int, end: int) -> list[bytes]:
    """Return the words of a line, which one blank or more part.

    :param end: of the line, without its newline.
    """
    line = data[begin:end].removesuffix(b"\r")
    words = line.split(b" ")
    return [word for word in words if word] if b"" in words else words


def value_reply_in_python(key: bytes, flags: int, value: bytes, end: bytes) -> bytes:
    """Return the reply of `get` for an item, and what comes behind it."""
    return b"VALUE %b %d %d\r\n%b\r\n%b" % (key, flags, len(value), value, end)


try:
    from corepool_kv.memcached._wire import value_reply, words_of
except ImportError:  # corepool was installed without a compiler
    value_reply, words_of = value_reply_in_python, words_of_in_python
