"""Several strings of bytes as one: how the engine keeps them in the value of an element."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LENGTH = struct.Struct(">I")


def join(parts: Iterable[bytes]) -> bytes:
    """Return one string that `split` takes apart."""
    return b"".join([_LENGTH.pack(len(part)) + part for part in parts])


def split(packed: bytes) -> list[bytes]:
    """Return the strings that `join` has taken."""
    parts: list[bytes] = []
    place = 0
    while place < len(packed):
        (length,) = _LENGTH.unpack_from(packed, place)
        place += _LENGTH.size + length
        parts.append(packed[place - length : place])
    return parts
