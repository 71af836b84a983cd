"""The serialization of a value that DUMP returns and RESTORE takes: Redis's RDB format, version 10.

A type, the value, the version (2 bytes) and a CRC-64 of all that (Redis's rdb.h, crc64.c). Values are written in the
plain types, which every Redis reads; those of Redis 7.0 are read in its packed ones, too.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.dump_reader import DumpError, Reader, length_of
from corepool_kv.redis.listpacks import read_listpack
from corepool_kv.redis.stream_dumps import LISTPACKS, LISTPACKS_WITH_COUNTERS, StreamValue, dump_stream, load_stream
from corepool_kv.stores import HASH, LIST, SET, SORTED_SET, STREAM, STRING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = 10
_FOOTER_BYTES = 10
_POLYNOMIAL = 0x95AC9329AC4BC9B5

_PLAIN = {STRING: 0, LIST: 1, SET: 2, HASH: 4, SORTED_SET: 5}
_TYPES = {number: kind for kind, number in _PLAIN.items()}
_INTSET, _HASH_LISTPACK, _ZSET_LISTPACK, _QUICKLIST = 11, 16, 17, 18
_NODE_PLAIN, _NODE_PACKED = 1, 2
_LIBRARY = 245


class Value(NamedTuple):
    """A value: a string is one part; fields and members are followed by their values and scores."""

    type: int
    parts: list[bytes]
    scores: list[float]
    """Of the parts of a sorted set."""
    stream: StreamValue | None = None


def dump(kind: int, parts: Iterable[bytes], count: int, scores: Iterable[float] = ()) -> bytes:
    """Serialize a value.

    :param count: the number of elements; of a string any.
    """
    out = [bytes((_PLAIN[kind],))]
    if kind != STRING:
        out.append(length_of(count))
    if kind == SORTED_SET:
        for part, score in zip(parts, scores, strict=True):
            out += [length_of(len(part)), part, struct.pack("<d", score)]
    else:
        for part in parts:
            out += [length_of(len(part)), part]
    return _sealed(b"".join(out))


def dump_of_stream(value: StreamValue) -> bytes:
    """Serialize a stream."""
    return _sealed(bytes((LISTPACKS_WITH_COUNTERS,)) + dump_stream(value))


def _sealed(content: bytes) -> bytes:
    body = content + VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def dump_of_libraries(texts: Iterable[bytes]) -> bytes:
    """Serialize libraries of functions, as FUNCTION DUMP does."""
    return _sealed(b"".join([bytes((_LIBRARY,)) + length_of(len(text)) + text for text in texts]))


def load_libraries(dumped: bytes, max_text: int) -> Iterator[bytes]:
    """Yield the texts of libraries.

    :param max_text: the most bytes of one that is compressed.
    :raises DumpError: they are none.
    """
    reader = Reader(dumped[:-_FOOTER_BYTES], max_text)
    while not reader.is_at_end:
        if reader.byte() != _LIBRARY:
            raise DumpError("given type is not a function")
        try:
            yield reader.string()
        except (IndexError, struct.error, ValueError, DumpError):
            raise DumpError("failed loading the given functions payload") from None


def is_sound(dumped: bytes) -> bool:
    """Report whether version and checksum are right."""
    if len(dumped) < _FOOTER_BYTES or int.from_bytes(dumped[-10:-8], "little") > VERSION:
        return False
    return crc64(dumped[:-8]) == int.from_bytes(dumped[-8:], "little")


def load(dumped: bytes, max_string: int, max_elements: int) -> Value:
    """Return a serialized value.

    :param max_string: the most bytes of one that is compressed.
    :param max_elements: the most that may be packed.
    :raises DumpError: it is none.
    :raises RefusedError: more are packed.
    """
    try:
        reader = Reader(dumped[:-_FOOTER_BYTES], max_string, max_elements)
        value = _load(reader)
    except (IndexError, struct.error, ValueError):
        raise DumpError from None
    if not reader.is_at_end or not (value.parts or value.stream):
        raise DumpError
    return value


def crc64(data: bytes) -> int:
    """Compute the CRC-64 of Jones, reflected, as Redis does."""
    table = _CRC_TABLE
    crc = 0
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def _crc_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        crc = number
        for _ in range(8):
            crc = (crc >> 1) ^ _POLYNOMIAL if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def _load(reader: Reader) -> Value:
    number = reader.byte()
    if number in _TYPES:
        return _load_plain(reader, _TYPES[number])
    if number == _QUICKLIST:
        parts: list[bytes] = []
        for _ in range(reader.length()):
            container = reader.length()
            node = reader.string()
            if container not in (_NODE_PLAIN, _NODE_PACKED):
                raise DumpError
            parts += [node] if container == _NODE_PLAIN else reader.bounded(read_listpack(node))
        return Value(LIST, parts, [])
    if number in (LISTPACKS, LISTPACKS_WITH_COUNTERS):
        return Value(STREAM, [], [], load_stream(reader, has_counters=number == LISTPACKS_WITH_COUNTERS))
    if number == _INTSET:
        return Value(SET, reader.bounded(_intset(reader.string())), [])
    if number == _HASH_LISTPACK:
        return Value(HASH, _paired(reader.bounded(read_listpack(reader.string()))), [])
    if number == _ZSET_LISTPACK:
        members = _paired(reader.bounded(read_listpack(reader.string())))
        return Value(SORTED_SET, members[::2], [_score(text) for text in members[1::2]])
    raise DumpError


def _load_plain(reader: Reader, kind: int) -> Value:
    if kind == STRING:
        return Value(STRING, [reader.string()], [])
    count = reader.length()
    if kind == SORTED_SET:
        members, scores = [], []
        for _ in range(count):
            members.append(reader.string())
            scores.append(_checked(struct.unpack("<d", reader.take(8))[0]))
        return Value(kind, members, scores)
    return Value(kind, [reader.string() for _ in range(count * 2 if kind == HASH else count)], [])


def _paired(parts: list[bytes]) -> list[bytes]:
    if len(parts) % 2:
        raise DumpError
    return parts


def _score(text: bytes) -> float:
    return _checked(float(text))


def _checked(score: float) -> float:
    if math.isnan(score):
        raise DumpError
    return score


def _intset(packed: bytes) -> Iterator[bytes]:
    width, count = struct.unpack_from("<II", packed)
    if width not in (2, 4, 8) or len(packed) != 8 + width * count:
        raise DumpError
    for place in range(8, len(packed), width):
        yield b"%d" % int.from_bytes(packed[place : place + width], "little", signed=True)
