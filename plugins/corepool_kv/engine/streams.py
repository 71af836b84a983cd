"""Streams: entries in the order of their IDs, and the groups of consumers that read them.

An ID is a number of 128 bits: milliseconds since the epoch, and behind them a sequence of 64 bits. The elements of a
stream, by their names:

- `e` -> nothing: each stream has it, since the ID of a collection without elements would be given to another one;
- `x`, ID -> the fields and values of an entry;
- `g`, a group's name -> the group; `c`, its number, a name -> a consumer;
- `p`, the group's number, ID -> an entry that was delivered and not acknowledged;
- `q`, the numbers of group and consumer, ID -> nothing: the same by consumers (stream_groups.py).

So one entry, and one acknowledgement, costs the same in a stream of any length. A stream without entries exists.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

from corepool_kv.engine.collection import Collection, copy_elements
from corepool_kv.engine.packing import join, split
from corepool_kv.stores import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Record

Entry: TypeAlias = tuple[int, list[bytes]]
"""An ID; fields and values, in turn."""

ID_BITS = 128
ENTRY_ID_BYTES = ID_BITS // 8
MAX_ID = (1 << ID_BITS) - 1
SEQUENCE_BITS = 64
MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1

_EXISTS = b"e"
_ENTRIES = b"x"
_ENTRIES_END = b"y"
_ADDED_BYTES = 8
_ADDED_END = ENTRY_ID_BYTES + _ADDED_BYTES
_STATE_END = _ADDED_END + ENTRY_ID_BYTES

_CUT_AT_ONCE = 1000
"""Entries that are trimmed one by one; of more, they are left to the sweeper if the rest is shorter."""


def _name(entry_id: int) -> bytes:
    return _ENTRIES + entry_id.to_bytes(ENTRY_ID_BYTES)


def _id_of(name: bytes) -> int:
    return int.from_bytes(name[1:])


def pack_entry(entry: Entry) -> bytes:
    """Return an entry as bytes."""
    return entry[0].to_bytes(ENTRY_ID_BYTES) + join(entry[1])


def unpack_entry(packed: bytes) -> Entry:
    """Return the entry that `pack_entry` has made bytes of."""
    return int.from_bytes(packed[:ENTRY_ID_BYTES]), split(packed[ENTRY_ID_BYTES:])


class Stream(Collection):
    """Entries by their IDs."""

    type = STREAM

    def __init__(self, db: Keyspace, key: bytes, record: Record | None) -> None:
        self.last_id = 0
        """The largest that an entry has ever had, or that was set."""
        self.added = 0
        """Entries that were ever added."""
        self.max_deleted_id = 0
        """The largest of those that were removed one by one."""
        self._has_grown = False
        self._first_id: int | None = None
        Collection.__init__(self, db, key, record)

    def _read(self, rest: bytes) -> None:
        if len(rest) < _STATE_END:
            raise ValueError(f"the record of a stream has {len(rest)} bytes behind its count")
        self.last_id = int.from_bytes(rest[:ENTRY_ID_BYTES])
        self.added = int.from_bytes(rest[ENTRY_ID_BYTES:_ADDED_END])
        self.max_deleted_id = int.from_bytes(rest[_ADDED_END:_STATE_END])

    def _write(self) -> bytes:
        return (
            self.last_id.to_bytes(ENTRY_ID_BYTES)
            + self.added.to_bytes(_ADDED_BYTES)
            + self.max_deleted_id.to_bytes(ENTRY_ID_BYTES)
        )

    def save(self) -> None:
        """Describe the stream as it is now; one without entries exists, too."""
        if self.is_new:
            self.elements.put(self.id, _EXISTS, b"")
        self.describe()
        if self._has_grown:
            self.db.gain(self.key, STREAM)

    @property
    def first_id(self) -> int:
        """The ID of the first entry; 0: there is none."""
        if self._first_id is None:
            self._first_id = next((entry_id for entry_id, _ in self.entries(0, MAX_ID)), 0)
        return self._first_id

    @property
    def top_id(self) -> int:
        """The ID of the last entry; 0: there is none."""
        return next((entry_id for entry_id, _ in self.entries(0, MAX_ID, reverse=True)), 0)

    def entries(self, low: int, high: int, *, reverse: bool = False) -> Iterator[Entry]:
        """Yield the entries with low <= ID <= high."""
        found = self.elements.between(self.id, _name(low), _name(high) + b"\0", reverse=reverse)
        return ((_id_of(name), split(value)) for name, value in found)

    def get(self, entry_id: int) -> list[bytes] | None:
        """Return the fields and values of an entry; None: there is no such entry."""
        stored = self.elements.get(self.id, _name(entry_id))
        return None if stored is None else split(stored)

    def add(self, entry_id: int, fields: list[bytes]) -> None:
        """Add an entry behind all others."""
        self.elements.put(self.id, _name(entry_id), join(fields))
        self.count += 1
        self.added += 1
        self.last_id = entry_id
        self._has_grown = True
        self._first_id = None

    def remove(self, entry_id: int) -> bool:
        """Remove an entry; return False if there was none."""
        if self.elements.delete(self.id, _name(entry_id)) is None:
            return False
        self.count -= 1
        self.max_deleted_id = max(self.max_deleted_id, entry_id)
        self._first_id = None
        return True

    def trim_to(self, length: int, limit: int = 0) -> int:
        """Remove the oldest entries of a stream with more than `length`; return their number.

        :param limit: the most to be removed; 0: any number.
        """
        excess = max(0, self.count - length)
        if limit:
            excess = min(excess, limit)
        kept = self.count - excess
        if excess > _CUT_AT_ONCE and excess > kept + self._others(excess):
            self._leave(kept)
        else:
            found = self.elements.between(self.id, _ENTRIES, _ENTRIES_END)
            for name in [name for name, _ in itertools.islice(found, excess)]:
                self.elements.delete(self.id, name)
        self.count = kept
        self._first_id = None
        return excess

    def trim_before(self, entry_id: int, limit: int = 0) -> int:
        """Remove the entries with smaller IDs; return their number.

        :param limit: the most to be removed; 0: any number.
        """
        return self.trim_to(self.count - self._count_before(_name(entry_id), limit or self.count), limit)

    def has_gap_behind(self, entry_id: int) -> bool:
        """Report whether an entry that is not in front of this ID, and not in front of the first one, was removed."""
        return bool(self.count) and bool(self.max_deleted_id) and entry_id <= self.max_deleted_id

    def distance(self, entry_id: int) -> int | None:
        """Return the number of entries ever added up to an ID; None: too much was removed to know."""
        if not self.added:
            return 0
        if entry_id == self.last_id or (not self.count and entry_id < self.last_id):
            return self.added
        if entry_id > self.last_id:
            return None
        if not self.max_deleted_id or self.max_deleted_id < self.first_id:
            if entry_id < self.first_id:
                return self.added - self.count
            if entry_id == self.first_id:
                return self.added - self.count + 1
        return None

    def _count_before(self, end: bytes, most: int) -> int:
        """Count the entries in front of a name, up to `most` at least; it looks at them or at the fewer others."""
        before = self.elements.between(self.id, _ENTRIES, end)
        behind = self.elements.between(self.id, end, _ENTRIES_END)
        for count in range(most):
            if next(before, None) is None:
                return count
            if next(behind, None) is None:
                return self.count - count
        return most

    def _others(self, most: int) -> int:
        """Count the elements that are no entries, up to `most`: those that wait for acknowledgements may be many."""
        return sum(1 for _ in itertools.islice(self.elements.between(self.id, b"", _ENTRIES), most))

    def _leave(self, kept: int) -> None:
        """Take all but the oldest entries to a new collection; `save` makes garbage of those.

        :param kept: the number of the newest ones. The others are not looked at: they may be very many.
        """
        newest = self.elements.between(self.id, _ENTRIES, _ENTRIES_END, reverse=True)
        first = next(itertools.islice(newest, kept - 1, None))[0] if kept else _ENTRIES_END
        old, self.id = self.id, self.db.new_collection()
        copy_elements(self.elements, old, self.elements, self.id, b"", _ENTRIES)
        copy_elements(self.elements, old, self.elements, self.id, first, _ENTRIES_END)
