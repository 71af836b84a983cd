"""Several strings of bytes as one: how the engine keeps them in the value of an element."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LENGTH_BYTES = 4


def join(parts: Iterable[bytes]) -> bytes:
    """Return one string that `split` takes apart."""
    joined: list[bytes] = []
    for part in parts:
        joined.append(len(part).to_bytes(_LENGTH_BYTES))
        joined.append(part)
    return b"".join(joined)


def split(packed: bytes) -> list[bytes]:
    """Return the strings that `join` has taken."""
    parts: list[bytes] = []
    place = 0
    while place < len(packed):
        length = int.from_bytes(packed[place : place + _LENGTH_BYTES])
        place += _LENGTH_BYTES + length
        parts.append(packed[place - length : place])
    if place != len(packed):
        raise ValueError(f"{len(packed)} packed bytes, of which the last string ends at {place}")
    return parts
