"""Listpacks: how Redis packs the elements of small collections, and those of streams (listpack.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.dump_reader import DumpError, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_COUNTED = 0xFFFF
_END = b"\xff"
_WIDTHS = ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8))


def make_listpack(items: Iterable[bytes | int]) -> bytes:
    """Return a listpack of strings and of signed numbers of 64 bits."""
    packed = [_packed(item) for item in items]
    body = b"".join([each + _back_length(len(each)) for each in packed]) + _END
    return (6 + len(body)).to_bytes(4, "little") + min(len(packed), _MAX_COUNTED).to_bytes(2, "little") + body


def _packed(item: bytes | int) -> bytes:
    if isinstance(item, bytes):
        size = len(item)
        if size < 1 << 6:
            return bytes((0x80 | size,)) + item
        return (0xE000 | size).to_bytes(2) + item if size < 1 << 12 else b"\xf0" + size.to_bytes(4, "little") + item
    if 0 <= item < 1 << 7:
        return bytes((item,))
    if -(1 << 12) <= item < 1 << 12:
        return (0xC000 | item & 0x1FFF).to_bytes(2)
    kind, width = next(each for each in _WIDTHS if -(1 << 8 * each[1] - 1) <= item < 1 << 8 * each[1] - 1)
    return bytes((kind,)) + item.to_bytes(width, "little", signed=True)


def _back_length(size: int) -> bytes:
    """Return the length of an entry, to be read from its end."""
    groups = [size & 0x7F]
    while size := size >> 7:
        groups.append(size & 0x7F)
    return bytes([groups[-1], *(group | 0x80 for group in reversed(groups[:-1]))])


def read_listpack(packed: bytes) -> Iterator[bytes]:
    """Yield the elements of a listpack; numbers are in decimal.

    :raises DumpError: it is none.
    """
    if int.from_bytes(packed[:4], "little") != len(packed) or packed[-1] != 0xFF:
        raise DumpError
    reader = Reader(packed[6:-1], 0)
    while not reader.is_at_end:
        value, size = _entry(reader)
        yield value
        reader.take(1 + sum(size >= bound for bound in (128, 16_383, 2_097_151, 268_435_455)))


def _entry(reader: Reader) -> tuple[bytes, int]:
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
