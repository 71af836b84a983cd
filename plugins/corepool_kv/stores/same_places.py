"""Names with one CRC, of which a client can make any number: SCAN lists them a few at a time, in the order of a digest.

A cursor has the CRC in its lowest 32 bits, and above them 0, or one more than the digest at which the next part begins.
"""

from __future__ import annotations

import heapq
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_AT_ONE_PLACE = 1000
"""So many with the same CRC are listed at once."""

CRC_BITS = 32
LARGEST_CRC = (1 << CRC_BITS) - 1

_DIGEST_BYTES = 4

T = TypeVar("T")


def split_cursor(cursor: int) -> tuple[int, int]:
    """Return the CRC of a cursor, and the part of its names at which to go on; 0: at the first."""
    return cursor & LARGEST_CRC, cursor >> CRC_BITS


def list_part(items: Iterable[T], name_of: Callable[[T], bytes], crc: int, part: int) -> tuple[int, list[T]]:
    """Return the next cursor, and some items of one CRC.

    :param items: all that have it.
    :param part: as of `split_cursor`.
    """
    marked = ((_digest(name_of(item)), item) for item in items)
    rest = (each for each in marked if each[0] >= part - 1)
    chosen = heapq.nsmallest(MAX_AT_ONE_PLACE + 1, rest, key=lambda each: each[0])
    if len(chosen) <= MAX_AT_ONE_PLACE:
        return (crc + 1) & LARGEST_CRC, [item for _, item in chosen]
    following = chosen[-1][0]
    return (following + 1) << CRC_BITS | crc, [item for digest, item in chosen if digest < following]


def _digest(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=_DIGEST_BYTES).digest()) >> 1  # a cursor has 64 bits
