"""Reading the numbers and strings of Redis's RDB format (rdb.c, lzf_d.c)."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

from corepool_kv.engine.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_INTEGERS = {0: "<b", 1: "<h", 2: "<i"}
_LZF = 3


class DumpError(Exception):
    """The bytes are no value of a type that is known here."""


class Reader:
    """Reads numbers and strings, from the beginning on."""

    def __init__(self, data: bytes, max_string: int, max_elements: int = 0) -> None:
        self._data = data
        self._max_elements = self._elements_left = max_elements
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

    def bounded(self, elements: Iterable[bytes]) -> list[bytes]:
        """Return the elements of a packed part: some bytes that are compressed may be millions of them.

        :raises RefusedError: all parts together have too many.
        """
        found = list(itertools.islice(elements, self._elements_left + 1))
        self._elements_left -= len(found)
        if self._elements_left < 0:
            raise RefusedError(f"a serialized value of more than {self._max_elements} elements")
        return found

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


def length_of(number: int) -> bytes:
    """Return a length as the format has it."""
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
