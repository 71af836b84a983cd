"""The elements that a waiting client gets, and the reasons for which it gets none."""

from __future__ import annotations

import struct
from typing import NamedTuple

from corepool_kv.engine.packing import join, split

_DOUBLE = struct.Struct(">d")

MAX_TAKEN_BYTES = 16 << 20
"""So many bytes of elements are taken for a client that waits, and one element more."""


class Taken(NamedTuple):
    """Elements that were taken for a client; none: the list that they should move to holds another type."""

    key: bytes
    elements: list[bytes]
    """Of a list or sorted set; entries of a stream are packed (`streams.pack_entry`)."""
    scores: list[float]

    def pack(self) -> bytes:
        """Return it as bytes."""
        scores = b"".join(map(_DOUBLE.pack, self.scores))
        return join([self.key, scores, *self.elements])

    @classmethod
    def unpack(cls, packed: bytes) -> Taken:
        """Return what `pack` has made bytes of."""
        key, scores, *elements = split(packed)
        return cls(key, elements, [score for (score,) in _DOUBLE.iter_unpack(scores)])


class NoGroupError(Exception):
    """The group of consumers for which a client waits does not exist any more."""
