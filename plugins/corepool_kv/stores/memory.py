"""Data in this process's memory: for one worker, until it ends.

memory: is one listener's own; listeners that name memory:NAME share it.
"""

from __future__ import annotations

import heapq
import re
import zlib
from typing import TYPE_CHECKING

from corepool_kv.stores import (
    ID_BYTES,
    STREAM,
    STRING,
    SYSTEM,
    FullError,
    NoRoomError,
    Record,
    StoreError,
    WrongTypeError,
)
from corepool_kv.stores.access_clock import AccessClock
from corepool_kv.stores.memory_elements import MemoryElements
from corepool_kv.stores.memory_records import Records
from corepool_kv.stores.same_places import LARGEST_CRC, MAX_AT_ONE_PLACE, list_part, split_cursor

if TYPE_CHECKING:
    from corepool_kv.stores import Transaction, View
    from corepool_kv.stores.options import StoreOptions

_NAME = re.compile("[A-Za-z0-9_-]+")


class MemoryStore:
    """Implements `Store`."""

    max_key_bytes = 512 * 1024 * 1024
    max_workers = 1
    commits_are_slow = False

    def __init__(self, where: str, options: StoreOptions) -> None:
        """Take the name by which listeners share it; none: it is one listener's own.

        :raises StoreError: it is no name.
        """
        if where and _NAME.fullmatch(where) is None:
            raise StoreError(
                f"store = 'memory:{where}': memory: takes no place, but a name by which listeners share it, "
                "of letters, digits, '-' and '_'"
            )
        self._name = where
        self.max_bytes = options.max_bytes
        self.eviction: str = options.eviction
        self._databases: list[Records] = []
        self._databases += [Records(options.max_bytes, self._databases) for _ in range(SYSTEM + 1)]

    def identity(self) -> str | None:
        return f"memory:{self._name}" if self._name else None

    def check(self) -> None:
        """Memory is always there."""

    def prepare(self, uid: int, gid: int) -> None:
        """Nothing is shared."""

    def discard(self) -> None:
        """It went with its worker."""

    def open(self, workers: int) -> None:
        if workers > 1:
            raise StoreError(
                f"store = 'memory:{self._name}' can't be shared by {workers} workers, each would have data of its "
                "own; use 'lmdb:PATH', or workers = 1"
            )

    def close(self) -> None:
        for records in self._databases:
            records.all.clear()
            records.collections.clear()

    def read(self) -> View:
        return MemoryTransaction(self._databases)

    def release(self, view: View) -> None:
        """Nothing is held."""

    def begin(self) -> Transaction:
        return MemoryTransaction(self._databases)

    def commit(self, transaction: Transaction) -> None:
        """Every change has been made already."""

    def abort(self, transaction: Transaction) -> None:
        assert isinstance(transaction, MemoryTransaction)
        transaction.undo()

    def access_clock(self) -> AccessClock:
        return AccessClock.of_process(self.max_bytes)

    def make_room(self) -> None:
        raise FullError(self.max_bytes)

    def reopen(self) -> None:
        """It never breaks."""

    def maintain(self) -> None:
        """Nothing is ever due."""


class MemoryTransaction:
    """Changes the records at once, and remembers what they were."""

    def __init__(
        self,
        databases: list[Records],
        number: int = 0,
        others: dict[int, MemoryTransaction] | None = None,
        swapped: list[tuple[int, int]] | None = None,
    ) -> None:
        """Take the databases.

        :param others: those of the same transaction that are in use.
        :param swapped: the exchanges in it, in their order.
        """
        self._databases = databases
        self._swapped: list[tuple[int, int]] = [] if swapped is None else swapped
        self._records = databases[number]
        self._number = number
        self._others = others  # with this one in it from the first use of another: no circle of references before
        self._before: dict[bytes, Record | None] = {}
        self._elements: MemoryElements | None = None
        self.removed: list[tuple[int, bytes]] = []

    def database(self, number: int) -> MemoryTransaction:
        if number == self._number:
            return self
        if self._others is None:
            self._others = {self._number: self}
        other = self._others.get(number)
        if other is None:
            other = self._others[number] = MemoryTransaction(self._databases, number, self._others, self._swapped)
            other.removed = self.removed
        return other

    def undo(self) -> None:
        """Put the changed records of all databases back."""
        for each in self._others.values() if self._others else (self,):
            each.undo_own()
        for first, second in reversed(self._swapped):
            self._databases[first], self._databases[second] = self._databases[second], self._databases[first]

    def undo_own(self) -> None:
        """Put the changed records of this database back."""
        if self._elements is not None:
            self._elements.undo()
        for key, record in self._before.items():
            if record is None:
                self._records.remove(key)
            else:
                self._records.set(key, record)

    def get(self, key: bytes) -> Record | None:
        return self._records.all.get(key)

    def get_value(self, key: bytes, now_ms: int) -> bytes | None:
        record = self._records.all.get(key)
        if record is None or 0 < record.expires_ms < now_ms:
            return None
        if record.type != STRING:
            raise WrongTypeError
        return record.value

    def elements(self) -> MemoryElements:
        if self._elements is None:
            self._elements = MemoryElements(self._records.collections, self._records.has_room)
        return self._elements

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        crc, part = split_cursor(cursor)
        if part:
            return list_part(self._keys_of(crc), lambda key: key, crc, part)
        hashed = ((zlib.crc32(key), key) for key in self._records.all)
        if len(found := heapq.nsmallest(count, (item for item in hashed if item[0] >= crc))) < count:
            return 0, [key for _, key in found]
        keys, same = [key for number, key in found if number < found[-1][0]], self._keys_of(last := found[-1][0])
        if len(same) > MAX_AT_ONE_PLACE:
            return (last, keys) if keys else list_part(same, bytes, last, 0)
        return (last + 1) & LARGEST_CRC, keys + same

    def _keys_of(self, crc: int) -> list[bytes]:
        return [key for key in self._records.all if zlib.crc32(key) == crc]

    def count(self) -> int:
        return len(self._records.all)

    def count_expiring(self) -> int:
        return len(self._records.expiring.all)

    def random(self, chance: float) -> bytes | None:
        keys = self._records.keys.all
        return keys[min(int(chance * len(keys)), len(keys) - 1)] if keys else None

    def sample(self, count: int, *, expiring: bool) -> list[bytes]:
        return (self._records.expiring if expiring else self._records.keys).sample(count)

    def first_to_expire(self) -> bytes | None:
        first = self._records.first_to_expire()
        return None if first is None else first[1]

    def used_bytes(self) -> int:
        return self._records.bytes + self._records.collections.bytes

    def put(self, key: bytes, value: bytes, expires_ms: int, flags: int) -> None:
        self.put_record(key, Record(value, expires_ms, 0, flags))

    def put_record(self, key: bytes, record: Record) -> None:
        before = self._records.all.get(key)
        self._before.setdefault(key, before)
        if before is not None and before.collection != record.collection:
            self._discard(key, before)
        self._records.set(key, record._replace(version=next(self._records.versions)))
        if not self._records.has_room():
            raise NoRoomError

    def detach(self, key: bytes) -> None:
        record = self._records.remove(key)
        if record is not None:
            self._before.setdefault(key, record)
            self._note(key, record)

    def new_collection(self) -> bytes:
        return next(self._records.versions).to_bytes(ID_BYTES)

    def delete(self, key: bytes, now_ms: int) -> bool:
        record = self._records.remove(key)
        if record is None:
            return False
        self._before.setdefault(key, record)
        self._discard(key, record)
        return not 0 < record.expires_ms < now_ms

    def _discard(self, key: bytes, record: Record) -> None:
        self._note(key, record)
        if record.type != STRING:
            self.elements().discard(record.collection)

    def _note(self, key: bytes, record: Record) -> None:
        if record.type == STREAM:
            self.removed.append((self._number, key))

    def clear(self) -> None:
        for key in list(self._records.all):
            self.delete(key, 0)

    def swap(self, first: int, second: int) -> None:
        self._swapped.append((first, second))
        self._databases[first], self._databases[second] = self._databases[second], self._databases[first]
        self.database(first).exchange(self.database(second))

    def exchange(self, other: MemoryTransaction) -> None:
        """Exchange the records of two databases, and what they were before this transaction."""
        self._records, other._records = other._records, self._records
        self._before, other._before = other._before, self._before
        self._elements, other._elements = other._elements, self._elements

    def has_expired(self, now_ms: int) -> bool:
        return self._records.next_expired(now_ms) is not None

    def remove_expired(self, now_ms: int, limit: int) -> list[bytes]:
        removed: list[bytes] = []
        while len(removed) < limit and (key := self._records.next_expired(now_ms)) is not None:
            self.delete(key, now_ms)
            removed.append(key)
        return removed
