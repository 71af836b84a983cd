"""The serialization of a value that DUMP returns and RESTORE takes: Redis's RDB format, version 10.

A type, the value, the version (2 bytes) and a CRC-64 of all that (Redis's rdb.h, listpack.c, lzf_d.c, crc64.c). Values
are written in the plain types, which every Redis reads; those of Redis 7.0 are read in its packed ones, too.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.stores import HASH, LIST, SET, SORTED_SET, STRING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = 10
_FOOTER_BYTES = 10
_POLYNOMIAL = 0x95AC9329AC4BC9B5

_PLAIN = {STRING: 0, LIST: 1, SET: 2, HASH: 4, SORTED_SET: 5}
_TYPES = {number: kind for kind, number in _PLAIN.items()}
_INTSET, _HASH_LISTPACK, _ZSET_LISTPACK, _QUICKLIST = 11, 16, 17, 18
_INTEGERS = {0: "<b", 1: "<h", 2: "<i"}
_LZF = 3
_NODE_PLAIN, _NODE_PACKED = 1, 2


class DumpError(Exception):
    """The bytes are no value of a type that is known here."""


class Value(NamedTuple):
    """A value: a string is one part; fields and members are followed by their values and scores."""

    type: int
    parts: list[bytes]
    scores: list[float]
    """Of the parts of a sorted set."""


def dump(kind: int, parts: Iterable[bytes], count: int, scores: Iterable[float] = ()) -> bytes:
    """Serialize a value.

    :param count: the number of elements; of a string any.
    """
    out = [bytes((_PLAIN[kind],))]
    if kind != STRING:
        out.append(_length(count))
    if kind == SORTED_SET:
        for part, score in zip(parts, scores, strict=True):
            out += [_length(len(part)), part, struct.pack("<d", score)]
    else:
        for part in parts:
            out += [_length(len(part)), part]
    body = b"".join([*out, VERSION.to_bytes(2, "little")])
    return body + crc64(body).to_bytes(8, "little")


def is_sound(dumped: bytes) -> bool:
    """Report whether version and checksum are right."""
    if len(dumped) < _FOOTER_BYTES or int.from_bytes(dumped[-10:-8], "little") > VERSION:
        return False
    return crc64(dumped[:-8]) == int.from_bytes(dumped[-8:], "little")


def load(dumped: bytes, max_string: int) -> Value:
    """Return a serialized value.

    :param max_string: the most bytes of one that is compressed.
    :raises DumpError: it is none.
    """
    try:
        reader = _Reader(dumped[:-_FOOTER_BYTES], max_string)
        value = _load(reader)
    except (IndexError, struct.error, ValueError):
        raise DumpError from None
    if not reader.is_at_end or not value.parts:
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


def _load(reader: _Reader) -> Value:
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
            parts += [node] if container == _NODE_PLAIN else _listpack(node)
        return Value(LIST, parts, [])
    if number == _INTSET:
        return Value(SET, list(_intset(reader.string())), [])
    if number == _HASH_LISTPACK:
        return Value(HASH, _paired(list(_listpack(reader.string()))), [])
    if number == _ZSET_LISTPACK:
        members = _paired(list(_listpack(reader.string())))
        return Value(SORTED_SET, members[::2], [_score(text) for text in members[1::2]])
    raise DumpError


def _load_plain(reader: _Reader, kind: int) -> Value:
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


class _Reader:
    """Reads numbers and strings, from the beginning on."""

    def __init__(self, data: bytes, max_string: int) -> None:
        self._data = data
        self._place = 0
        self._max_string = max_string

    @property
    def is_at_end(self) -> bool:
        return self._place == len(self._data)

    def take(self, count: int) -> bytes:
        self._place += count
        if self._place > len(self._data):
            raise DumpError
        return self._data[self._place - count : self._place]

    def byte(self) -> int:
        return self.take(1)[0]

    def length(self) -> int:
        number, is_encoding = self._length()
        if is_encoding:
            raise DumpError
        return number

    def string(self) -> bytes:
        number, is_encoding = self._length()
        if not is_encoding:
            return self.take(number)
        if number in _INTEGERS:
            form = _INTEGERS[number]
            number = struct.unpack(form, self.take(struct.calcsize(form)))[0]
            return b"%d" % number
        if number != _LZF:
            raise DumpError
        packed, size = self.length(), self.length()
        if size > self._max_string:
            raise DumpError
        return _unpack_lzf(self.take(packed), size)

    def _length(self) -> tuple[int, bool]:
        first = self.byte()
        match first >> 6:
            case 0:
                return first, False
            case 1:
                return (first & 0x3F) << 8 | self.byte(), False
            case 3:
                return first & 0x3F, True
        if first not in (0x80, 0x81):
            raise DumpError
        return int.from_bytes(self.take(4 if first == 0x80 else 8)), False


def _length(number: int) -> bytes:
    if number < 1 << 6:
        return bytes((number,))
    if number < 1 << 14:
        return (number | 1 << 14).to_bytes(2)
    return b"\x80" + number.to_bytes(4) if number < 1 << 32 else b"\x81" + number.to_bytes(8)


def _unpack_lzf(packed: bytes, size: int) -> bytes:
    out = bytearray()
    place = 0
    while place < len(packed):
        control = packed[place]
        place += 1
        if control < 32:
            out += packed[place : place + control + 1]
            place += control + 1
        else:
            count = control >> 5
            if count == 7:
                count += packed[place]
                place += 1
            begin = len(out) - ((control & 0x1F) << 8) - packed[place] - 1
            place += 1
            if begin < 0:
                raise DumpError
            count += 2
            run = out[begin : begin + count]
            out += (run * (count // len(run) + 1))[:count]  # it may go on into the bytes that it makes
        if len(out) > size:
            raise DumpError
    if len(out) != size:
        raise DumpError
    return bytes(out)


def _intset(packed: bytes) -> Iterator[bytes]:
    width, count = struct.unpack_from("<II", packed)
    if width not in (2, 4, 8) or len(packed) != 8 + width * count:
        raise DumpError
    for place in range(8, len(packed), width):
        yield b"%d" % int.from_bytes(packed[place : place + width], "little", signed=True)


def _listpack(packed: bytes) -> Iterator[bytes]:
    if int.from_bytes(packed[:4], "little") != len(packed) or packed[-1] != 0xFF:
        raise DumpError
    reader = _Reader(packed[6:-1], 0)
    while not reader.is_at_end:
        value, size = _entry(reader)
        yield value
        reader.take(1 + sum(size >= bound for bound in (128, 16_383, 2_097_151, 268_435_455)))


def _entry(reader: _Reader) -> tuple[bytes, int]:
    """Return an entry of a listpack, and its length there."""
    first = reader.byte()
    if first < 0x80:
        return b"%d" % first, 1
    if first < 0xC0:
        return reader.take(first & 0x3F), 1 + (first & 0x3F)
    if first < 0xE0:
        number = (first & 0x1F) << 8 | reader.byte()
        return b"%d" % (number - (1 << 13) if number >= 1 << 12 else number), 2
    if first < 0xF0:
        size = (first & 0x0F) << 8 | reader.byte()
        return reader.take(size), 2 + size
    if first == 0xF0:
        size = int.from_bytes(reader.take(4), "little")
        return reader.take(size), 5 + size
    width = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}.get(first)
    if width is None:
        raise DumpError
    return b"%d" % int.from_bytes(reader.take(width), "little", signed=True), 1 + width
