"""Tables by key in the memory that workers share: leaky buckets, and semaphores.

A table is sets of entries. A key's hash chooses the set and the lock, and is compared with the hashes in the set. So a
table costs no more than its memory, however many keys come, and an entry is changed under one lock of 64, held for
2 us. The entries of a set are three rows of words: hashes (0: free), values, and tokens of members. The store of the
hash makes an entry valid, and that of 0 frees it: a process may be killed between any two stores.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from corepool.ipc.shared_area import TABLE_LOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.ipc.shared_area import Member, SharedArea

WORD = 8
FREE = bytes(WORD)

_BUCKET_WAYS, _BUCKETS_SPARE = 64, 2
"""Entries of a set, and entries for each key that a table is made for: hardly one of 65,536 finds its set full."""

_SEMAPHORE_WAYS, _SEMAPHORES_SPARE = 256, 4
"""The same of semaphores, whose keys have an entry for each worker that holds any: a key may be held by 256."""

_SECOND_NS = 1_000_000_000
_MAX_NS = 2**62
"""How long a bucket may take to fill: 146 years."""


class Shape:
    """The size of a table: sets, and entries of each."""

    def __init__(self, entries: int, ways: int, record_bytes: int = 0) -> None:
        """Have at least so many entries.

        :param record_bytes: of each, behind the words of its set; a multiple of 8.
        :raises ValueError: there are no entries.
        """
        if entries < 1:
            raise ValueError("a shared table has room for one key at least")
        self.ways = ways
        self.sets = -(-entries // ways)
        self.set_bytes = ways * (3 * WORD + record_bytes)
        self.size = self.sets * self.set_bytes
        """Bytes."""

    @classmethod
    def of_buckets(cls, most: int) -> Shape:
        """Return that of buckets for so many keys."""
        return cls(_BUCKETS_SPARE * most, _BUCKET_WAYS)

    @classmethod
    def of_semaphores(cls, most: int) -> Shape:
        """Return that of semaphores for so many keys."""
        return cls(_SEMAPHORES_SPARE * most, _SEMAPHORE_WAYS)


class Table:
    """Sets of entries: finds those of a key. Every change is made between `lock` and `unlock`."""

    def __init__(self, area: SharedArea, start: int, shape: Shape) -> None:
        """Use memory that is full of zeros, or a table already."""
        self._area = area
        self.bytes = area.bytes
        self.words = area.words
        self._start = start
        self.sets = shape.sets
        self.ways = shape.ways
        self._set_bytes = shape.set_bytes
        self._row_bytes = shape.ways * WORD

    def lock(self, hashed: bytes) -> tuple[int, int]:
        """Take the lock of a hash, and return its number, and the first byte of the hash's set.

        :raises TimeoutError: see `LeakyBuckets.take`.
        """
        return self.lock_set(int.from_bytes(hashed, "little") % self.sets)

    def lock_set(self, number: int) -> tuple[int, int]:
        """Take the lock of a set; see `lock`."""
        lock = 1 + number % TABLE_LOCKS
        self._area.locks.take(lock)
        return lock, self._start + number * self._set_bytes

    def unlock(self, lock: int) -> None:
        """Release a lock."""
        self._area.locks.release(lock)

    def find(self, first: int, hashed: bytes) -> Iterator[int]:
        """Yield the words of the entries with a hash, in a set."""
        row, at = self.bytes[first : first + self._row_bytes], -1
        while (at := row.find(hashed, at + 1)) >= 0:
            if not at % WORD:
                yield (first + at) // WORD

    def put(self, entry: int, hashed: bytes, value: int, token: int) -> None:
        """Make an entry anew; it is free, or may be forgotten."""
        words, ways = self.words, self.ways
        words[entry] = 0
        words[entry + ways] = value
        words[entry + 2 * ways] = token
        words[entry] = memoryview(hashed).cast("Q")[0]


class SharedBuckets:
    """Buckets for keys. Implements `corepool.LeakyBuckets`.

    A bucket is one number: the moment at which it is full again ("theoretical arrival time" of GCRA, ITU-T I.371), of
    the monotonic clock, which all processes of a machine share. Where a set has no room, the bucket that is
    full soonest is forgotten: of a full one nothing is.
    """

    def __init__(self, area: SharedArea, start: int, shape: Shape, rate: float, burst: int) -> None:
        """Use a table.

        :raises ValueError: rate or burst can't be.
        """
        if not rate > 0 or burst < 1 or burst / rate * _SECOND_NS > _MAX_NS:
            raise ValueError(f"a bucket of {burst}, filled with {rate:g} a second, is never full")
        self._table = Table(area, start, shape)
        self._hash = area.hash
        self._interval_ns = max(1, round(_SECOND_NS / rate))
        self._full_ns = burst * self._interval_ns

    def take(self, key: bytes | str, amount: int = 1) -> bool:
        """See `corepool.LeakyBuckets`."""
        return self.take_at(time.monotonic_ns(), key, amount)

    def take_at(self, now_ns: int, key: bytes | str, amount: int = 1) -> bool:
        """Take at a moment: `take` without the clock."""
        if amount < 0:
            raise ValueError(f"{amount} can't be taken out of a bucket")
        hashed = self._hash(as_bytes(key))
        table = self._table
        lock, first = table.lock(hashed)
        try:
            entry = next(table.find(first, hashed), None)
            full_at = now_ns if entry is None else max(now_ns, table.words[entry + table.ways])
            full_at += amount * self._interval_ns
            if full_at - now_ns > self._full_ns:
                return False
            if entry is None:
                table.put(self._room(first), hashed, full_at, 0)
            else:
                table.words[entry + table.ways] = full_at
        finally:
            table.unlock(lock)
        return True

    def _room(self, first: int) -> int:
        table = self._table
        free = next(table.find(first, FREE), None)
        if free is not None:
            return free
        values = first // WORD + table.ways
        full_at = table.words[values : values + table.ways].tolist()
        return first // WORD + full_at.index(min(full_at))


class SharedSemaphores:
    """Semaphores for keys. Implements `corepool.Semaphores`.

    A member has an entry of its own for each key of which it holds any, so its end ends them all.
    """

    def __init__(self, area: SharedArea, start: int, shape: Shape, member: Member) -> None:
        """Use a table, as a member of the area."""
        self._table = Table(area, start, shape)
        self._area = area
        self._token = member.token
        self._own = threading.Lock()
        """Between the threads of this process: `release` takes no lock of others."""

    def acquire(self, key: bytes | str, limit: int | None = None) -> SharedHold | None:
        """See `corepool.Semaphores`."""
        hashed = self._area.hash(as_bytes(key))
        table = self._table
        lock, first = table.lock(hashed)
        try:
            held, own = self._count(first, hashed)
            if limit is not None and held >= limit:
                return None
            with self._own:
                if own is not None and table.words[own]:  # else it was released meanwhile
                    table.words[own + table.ways] += 1
                elif (own := self._room(first)) is not None:
                    table.put(own, hashed, 1, self._token)
                else:
                    return None
        finally:
            table.unlock(lock)
        return SharedHold(self, own)

    def held(self, key: bytes | str) -> int:
        """See `corepool.Semaphores`."""
        hashed = self._area.hash(as_bytes(key))
        lock, first = self._table.lock(hashed)
        try:
            return self._count(first, hashed)[0]
        finally:
            self._table.unlock(lock)

    def release(self, entry: int) -> None:
        """Let one of an entry go. Without the lock: no other process changes an entry that is held."""
        words, value = self._table.words, entry + self._table.ways
        with self._own:
            if words[value] > 1:
                words[value] -= 1
            else:
                words[entry] = 0  # from here on, the entry is anyone's

    def _count(self, first: int, hashed: bytes) -> tuple[int, int | None]:
        """Return how many are held, and the entry of this process; those of processes that ended are freed."""
        table, held, own = self._table, 0, None
        for entry in table.find(first, hashed):
            token = table.words[entry + 2 * table.ways]
            if token == self._token:
                own = entry
            elif not self._area.is_member(token):
                table.words[entry] = 0
                continue
            held += table.words[entry + table.ways]
        return held, own

    def _room(self, first: int) -> int | None:
        table = self._table
        free = next(table.find(first, FREE), None)
        if free is None:
            entries = range(first // WORD, first // WORD + table.ways)
            free = next((at for at in entries if not self._area.is_member(table.words[at + 2 * table.ways])), None)
        return free


class SharedHold:
    """One that is held. Implements `corepool.Hold`."""

    __slots__ = ("_entry", "_of")

    def __init__(self, of: SharedSemaphores, entry: int) -> None:
        """Own it."""
        self._of = of
        self._entry = entry

    def release(self) -> None:
        """See `corepool.Hold`."""
        if (entry := self._entry) >= 0:
            self._entry = -1
            self._of.release(entry)


def as_bytes(key: bytes | str) -> bytes:
    """Return a key, or a value, as bytes."""
    return key.encode() if isinstance(key, str) else key
