"""A client's demand for elements of lists or sorted sets, and how each demand is met.

Demands are bytes in the store, too: the worker that serves a client is often not the one that has its connection.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from corepool_kv.engine.lists import POPPED, PUSHED, List, move
from corepool_kv.engine.packing import join, split
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.taken import MAX_TAKEN_BYTES, Taken
from corepool_kv.stores import LIST, STREAM, WrongTypeError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace

_HEAD = struct.Struct(">BB??IQQ")


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
        return head + join([bytes((len(target),)), *target, *self.keys])

    @classmethod
    def unpack(cls, packed: bytes) -> Demand:
        """Return the demand that `pack` has made bytes of."""
        number, kind, first, to_front, most, client, expires_ms = _HEAD.unpack_from(packed)
        has_target, *rest = split(packed[_HEAD.size :])
        target = rest.pop(0) if has_target[0] else None
        return cls(number, kind, first, most, tuple(rest), target, to_front, client, expires_ms)


AnyDemand: TypeAlias = Demand | StreamDemand


def unpack_demand(packed: bytes) -> AnyDemand:
    """Return the demand that `pack` has made bytes of."""
    return StreamDemand.unpack(packed) if packed[1] == STREAM else Demand.unpack(packed)


def take_any(db: Keyspace, demand: AnyDemand) -> Taken | None:
    """Take elements for a demand from the first key that has any; None: none does.

    :raises WrongTypeError: a key before it holds another type, or the list that they should move to does.
    :raises NoGroupError: the group of the demand is gone.
    """
    for key in demand.keys:
        record = db.find(key)
        if record is not None:
            if record.type != demand.type:
                raise WrongTypeError
            taken = take(db, demand, key)
            if taken is not None:
                return taken
    return None


def take(db: Keyspace, demand: AnyDemand, key: bytes) -> Taken | None:
    """Take elements of a key that exists and has the type of the demand; None: a stream has no new ones.

    :raises WrongTypeError: the list that they should move to holds another type.
    :raises NoGroupError: the group of the demand is gone.
    """
    if isinstance(demand, StreamDemand):
        return demand.take(db, key)
    if demand.type != LIST:
        return _take_members(db, demand, key)
    found = List.open(db, key)
    if demand.target is not None:
        other = found if demand.target == key else List.open(db, demand.target)
        return Taken(key, [move(found, other, from_front=demand.first, to_front=demand.to_front)], [])
    values: list[bytes] = []
    size = 0
    while found.count and len(values) < max(1, demand.most) and size <= MAX_TAKEN_BYTES:
        values.append(found.pop(left=demand.first))
        size += len(values[-1])
    found.save()
    found.tell(POPPED[demand.first])
    return Taken(key, values, [])


def put_back(db: Keyspace, demand: AnyDemand, taken: Taken) -> None:
    """Return elements to where they were; not those that have moved to another list, or whose key has another type.

    Entries of a stream are still there; a group has them to be claimed.
    """
    if isinstance(demand, StreamDemand):
        return
    record = db.find(taken.key)
    if demand.target is not None or (record is not None and record.type != demand.type):
        return
    if demand.type == LIST:
        found = List.open(db, taken.key)
        for value in reversed(taken.elements):
            found.push(value, left=demand.first)
        found.save()
        found.tell(PUSHED[demand.first])
        return
    members = SortedSet.open(db, taken.key)
    for member, score in zip(taken.elements, taken.scores, strict=True):
        if members.score(member) is None:
            members.add(member, score, None)
    members.save()
    members.tell(b"zadd")


def _take_members(db: Keyspace, demand: Demand, key: bytes) -> Taken:
    found = SortedSet.open(db, key)
    count = min(max(1, demand.most), len(found))
    members: list[tuple[bytes, float]] = []
    size = 0
    for member, score in found.by_rank(0, count, reverse=not demand.first):
        members.append((member, score))
        size += len(member)
        if size > MAX_TAKEN_BYTES:
            break
    for member, _ in members:
        found.remove(member)
    found.save()
    found.tell(b"zpopmin" if demand.first else b"zpopmax")
    return Taken(key, [member for member, _ in members], [score for _, score in members])
