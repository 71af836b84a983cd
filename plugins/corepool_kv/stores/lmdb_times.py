"""The times of the table `expiry`, each in front of its key."""

from __future__ import annotations

import random
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lmdb

TIME = Struct(">Q")


def some_time(at: lmdb.Cursor) -> bytes:
    """Return a time between the first and the last one of `expiry`: half of them by the order of their magnitude.

    Else those of a minute would never be met beside one of a year.
    """
    if not at.first():
        return b""
    first = int.from_bytes(bytes(at.key())[: TIME.size])
    at.last()
    span = int.from_bytes(bytes(at.key())[: TIME.size]) - first
    chance = random.random()  # noqa: S311  # no secret
    if random.getrandbits(1):
        return TIME.pack(first + int(span * chance))
    return TIME.pack(first + min(int((span + 1) ** chance) - 1, span))
