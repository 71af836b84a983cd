"""Replies, from Python values to RESP2 or RESP3 (the Redis serialization protocol specification).

bytes are bulk strings, str simple strings, None is null; int, float, list and dict are the types of that name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Reply: TypeAlias = (
    "bytes | str | int | float | Sequence[Reply] | Mapping[bytes, Reply] | Error | Verbatim | Set | Pairs | NullArray"
    " | Table | Push | Several | Encoded | None"
)


class Error(Exception):
    """An error reply; clients match on its first word."""


class NullArray:
    """Null where an array was expected: RESP2 spells it in its own way."""


class Verbatim:
    """Text for people: a verbatim string in RESP3, a bulk string in RESP2."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()


class Set:
    """Items in no order: a set in RESP3, an array in RESP2."""

    def __init__(self, items: Sequence[Reply]) -> None:
        self.items = items


class Pairs:
    """Items of two parts: arrays of two in RESP3, one after the other in RESP2."""

    def __init__(self, items: Iterable[tuple[Reply, Reply]], max_bytes: int) -> None:
        """Take the items, in a bounded amount of memory.

        :raises Error: they would be longer than a reply may be.
        """
        self.parts = gather((part for item in items for part in item), max_bytes)


class Table:
    """Names with their values: a map in RESP3, an array of arrays of two in RESP2."""

    def __init__(self, rows: Sequence[tuple[bytes, Reply]]) -> None:
        self.rows = rows


class Push:
    """A message of a channel, or the confirmation of a subscription: a push in RESP3, an array in RESP2."""

    def __init__(self, items: Sequence[Reply]) -> None:
        self.items = items


class Encoded:
    """A reply that a script has made, as the client gets it."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class Several:
    """Replies to one command, one after the other."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = replies


def text_of(word: bytes, most: int = 128) -> str:
    """Return the beginning of a client's word for an error, to its first NUL: Redis prints it as C does."""
    return word[:most].partition(b"\0")[0].decode(errors="surrogateescape")


OK = "OK"
NO_REPLY = Several([])
ENCODED_OK = b"+OK\r\n"

_ITEM_BYTES = 16
"""The cost of a reply besides its bytes, at least."""


def bulk_string_in_python(value: bytes) -> bytes:
    """Encode bytes."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


try:
    from corepool_kv.redis._bulk_string import bulk_string
except ImportError:  # corepool was installed without a compiler
    bulk_string = bulk_string_in_python


def encode(reply: Reply, resp3: bool) -> bytes:  # noqa: FBT001  # called with each reply, by position
    """Encode a reply for a client that has chosen RESP3, or not."""
    if type(reply) is bytes:
        return bulk_string(reply)
    if reply is None:
        return b"_\r\n" if resp3 else b"$-1\r\n"
    if reply is OK:
        return ENCODED_OK
    if type(reply) is str:
        return b"+%b\r\n" % reply.encode()
    if type(reply) is int:
        return b":%d\r\n" % reply
    return _encode_rare(reply, resp3)


def _encode_rare(reply: Reply, resp3: bool) -> bytes:  # noqa: FBT001
    match reply:
        case Error():
            # A line break would end the reply early, and what follows would be read as the next one.
            return b"-%b\r\n" % str(reply).rstrip("\r\n").replace("\r", " ").replace("\n", " ").encode(
                errors="surrogateescape"
            )
        case Mapping():
            parts = [encode(part, resp3) for item in reply.items() for part in item]
            head = b"%%%d\r\n" % len(reply) if resp3 else b"*%d\r\n" % (2 * len(reply))
            return head + b"".join(parts)
        case NullArray():
            return b"_\r\n" if resp3 else b"*-1\r\n"
        case Verbatim():
            text = b"txt:" + reply.text
            return b"=%d\r\n%b\r\n" % (len(text), text) if resp3 else encode(reply.text, resp3)
        case Encoded():
            return reply.data
        case Several():
            return b"".join([encode(each, resp3) for each in reply.replies])
        case Push():
            head = b">%d\r\n" if resp3 else b"*%d\r\n"
            return head % len(reply.items) + b"".join([encode(part, resp3) for part in reply.items])
        case Set():
            head = b"~%d\r\n" if resp3 else b"*%d\r\n"
            return head % len(reply.items) + b"".join([encode(part, resp3) for part in reply.items])
        case Table():
            if not resp3:
                return encode([list(row) for row in reply.rows], resp3)
            return b"%%%d\r\n" % len(reply.rows) + b"".join([encode(part, resp3) for row in reply.rows for part in row])
        case Pairs():
            parts = [encode(part, resp3) for part in reply.parts]
            if not resp3:
                return b"*%d\r\n" % len(parts) + b"".join(parts)
            pairs = [b"*2\r\n" + one + two for one, two in zip(parts[::2], parts[1::2], strict=True)]
            return b"*%d\r\n" % len(pairs) + b"".join(pairs)
        case float():
            text = format_double(reply)
            return b",%b\r\n" % text if resp3 else encode(text, resp3)
        case Sequence():
            return b"*%d\r\n" % len(reply) + b"".join([encode(part, resp3) for part in reply])
    raise TypeError(f"no reply: {reply!r}")


def format_double(number: float) -> bytes:
    """Write a number as Redis does, in 17 digits."""
    return b"%.17g" % number if math.isfinite(number) else repr(number).encode()


def size_of(reply: Reply) -> int:
    """Return about how many bytes a reply takes."""
    match reply:
        case bytes() | str():
            return _ITEM_BYTES + len(reply)
        case Error():
            return _ITEM_BYTES + len(str(reply))
        case Verbatim():
            return _ITEM_BYTES + len(reply.text)
        case Set() | Push():
            return _ITEM_BYTES + size_of(reply.items)
        case Table():
            return _ITEM_BYTES + size_of(reply.rows)
        case Encoded():
            return len(reply.data)
        case Several():
            return size_of(reply.replies)
        case Pairs():
            return _ITEM_BYTES + size_of(reply.parts)
        case Sequence():
            return _ITEM_BYTES + sum(map(size_of, reply))
        case Mapping():
            return _ITEM_BYTES + sum(map(size_of, reply)) + sum(map(size_of, reply.values()))
    return _ITEM_BYTES


def gather(replies: Iterable[Reply], max_bytes: int) -> list[Reply]:
    """Make one reply of many, in a bounded amount of memory.

    :raises Error: it would be longer than a reply may be.
    """
    gathered: list[Reply] = []
    left = max_bytes
    for reply in replies:
        left -= size_of(reply)
        if left < 0:
            raise too_long(max_bytes)
        gathered.append(reply)
    return gathered


def gather_map(items: Iterable[tuple[bytes, Reply]], max_bytes: int) -> dict[bytes, Reply]:
    """Make one reply of many fields and values, in a bounded amount of memory.

    :raises Error: it would be longer than a reply may be.
    """
    gathered: dict[bytes, Reply] = {}
    left = max_bytes
    for name, reply in items:
        left -= size_of(name) + size_of(reply)
        if left < 0:
            raise too_long(max_bytes)
        gathered[name] = reply
    return gathered


def check_number(items: int, max_bytes: int) -> None:
    """Refuse a reply of too many items before they are made.

    :raises Error: it would be longer than a reply may be.
    """
    if items * _ITEM_BYTES > max_bytes:
        raise too_long(max_bytes)


def check_size(size: int, max_bytes: int) -> None:
    """Refuse a reply of too many bytes.

    :raises Error: it would be longer than a reply may be.
    """
    if size > max_bytes:
        raise too_long(max_bytes)


def too_long(max_bytes: int) -> Error:
    """Return the error for a reply that would be longer than a reply may be."""
    return Error(f"ERR a reply of more than {max_bytes} bytes")
