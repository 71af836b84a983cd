"""A client's demand for elements of lists or sorted sets, and the elements that it gets.

Both are bytes in the store, too: the worker that serves a client is often not the one that has its connection.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.lists import List
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.stores import LIST, WrongTypeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_kv.engine.keyspace import Keyspace

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">BB??IQQ")
_DOUBLE = struct.Struct(">d")

_MAX_TAKEN_BYTES = 16 << 20
"""So many bytes of elements are taken for a client that waits, and one element more."""


class Demand(NamedTuple):
    """What a client waits for: elements of the first of its keys that has any."""

    number: int
    """The database."""
    type: int
    """LIST or SORTED_SET; 0: it waits for nothing but the time."""
    first: bool
    """From the front of a list, or those with the smallest scores."""
    most: int
    """Elements, at most; 0: one, which the reply has by itself."""
    keys: tuple[bytes, ...]
    target: bytes | None = None
    """The list that the element moves to."""
    to_front: bool = False
    client: int = 0
    """The client's number."""
    expires_ms: int = 0
    """The end of its patience, since the epoch; 0: it has none."""

    def pack(self) -> bytes:
        """Return it as bytes."""
        head = _HEAD.pack(self.number, self.type, self.first, self.to_front, self.most, self.client, self.expires_ms)
        target = [] if self.target is None else [self.target]
        return head + _join([bytes((len(target),)), *target, *self.keys])

    @classmethod
    def unpack(cls, packed: bytes) -> Demand:
        """Return the demand that `pack` has made bytes of."""
        number, kind, first, to_front, most, client, expires_ms = _HEAD.unpack_from(packed)
        has_target, *rest = _split(packed[_HEAD.size :])
        target = rest.pop(0) if has_target[0] else None
        return cls(number, kind, first, most, tuple(rest), target, to_front, client, expires_ms)


class Taken(NamedTuple):
    """Elements that were taken for a client; none: the list that they should move to holds another type."""

    key: bytes
    elements: list[bytes]
    scores: list[float]

    def pack(self) -> bytes:
        """Return it as bytes."""
        scores = b"".join(map(_DOUBLE.pack, self.scores))
        return _join([self.key, scores, *self.elements])

    @classmethod
    def unpack(cls, packed: bytes) -> Taken:
        """Return what `pack` has made bytes of."""
        key, scores, *elements = _split(packed)
        return cls(key, elements, [score for (score,) in _DOUBLE.iter_unpack(scores)])


def take_any(db: Keyspace, demand: Demand) -> Taken | None:
    """Take elements for a demand from the first key that exists; None: none does.

    :raises WrongTypeError: it holds another type, or the list that they should move to does.
    """
    for key in demand.keys:
        record = db.find(key)
        if record is not None:
            if record.type != demand.type:
                raise WrongTypeError
            return take(db, demand, key)
    return None


def take(db: Keyspace, demand: Demand, key: bytes) -> Taken:
    """Take elements of a key that exists and has the type of the demand.

    :raises WrongTypeError: the list that they should move to holds another type.
    """
    if demand.type != LIST:
        return _take_members(db, demand, key)
    found = List.open(db, key)
    if demand.target is not None:
        return Taken(key, [move(db, found, demand.target, demand)], [])
    values: list[bytes] = []
    size = 0
    while found.count and len(values) < max(1, demand.most) and size <= _MAX_TAKEN_BYTES:
        values.append(found.pop(left=demand.first))
        size += len(values[-1])
    found.save()
    return Taken(key, values, [])


def move(db: Keyspace, found: List, target: bytes, demand: Demand) -> bytes:
    """Move an element of a list to a list, which may be the same, and return it.

    :raises WrongTypeError: the target is none.
    """
    other = found if target == found.key else List.open(db, target)
    value = found.pop(left=demand.first)
    if other is not found:
        found.save()
    other.push(value, left=demand.to_front)
    other.save()
    return value


def put_back(db: Keyspace, demand: Demand, taken: Taken) -> None:
    """Return elements to where they were; not those that have moved to another list, or whose key has another type."""
    record = db.find(taken.key)
    if demand.target is not None or (record is not None and record.type != demand.type):
        return
    if demand.type == LIST:
        found = List.open(db, taken.key)
        for value in reversed(taken.elements):
            found.push(value, left=demand.first)
        found.save()
        return
    members = SortedSet.open(db, taken.key)
    for member, score in zip(taken.elements, taken.scores, strict=True):
        if members.score(member) is None:
            members.add(member, score, None)
    members.save()


def _take_members(db: Keyspace, demand: Demand, key: bytes) -> Taken:
    found = SortedSet.open(db, key)
    count = min(max(1, demand.most), len(found))
    members: list[tuple[bytes, float]] = []
    size = 0
    for member, score in found.by_rank(0, count, reverse=not demand.first):
        members.append((member, score))
        size += len(member)
        if size > _MAX_TAKEN_BYTES:
            break
    for member, _ in members:
        found.remove(member)
    found.save()
    return Taken(key, [member for member, _ in members], [score for _, score in members])


def _join(parts: Iterable[bytes]) -> bytes:
    return b"".join([_LENGTH.pack(len(part)) + part for part in parts])


def _split(packed: bytes) -> list[bytes]:
    parts: list[bytes] = []
    place = 0
    while place < len(packed):
        (length,) = _LENGTH.unpack_from(packed, place)
        place += _LENGTH.size + length
        parts.append(packed[place - length : place])
    return parts
