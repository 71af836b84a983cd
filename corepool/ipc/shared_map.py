"""A map in the memory that workers share: keys and values as they are, not their hashes alone.

An entry has a word and two records, of which the word says which one holds: a value is changed by writing the other
record, and then the word. So a process that is killed at any moment has changed all or nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from corepool.errors import MapFullError
from corepool.ipc.shared_tables import FREE, WORD, Shape, Table, as_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import EllipsisType

    from corepool.ipc.shared_area import SharedArea

MAX_BYTES = 65_536
"""Of a key and its value: a lock is held while they are copied."""

_WAYS, _SPARE = 64, 2
"""As of buckets: hardly a map has no room for a key before it has as many as it is made for."""

_SECOND_NS = 1_000_000_000
_MAX_SECONDS = 2**31
_NEVER = 2**63
_LENGTH_BITS = 17
_MAX_LENGTH = 2**_LENGTH_BITS - 1


class _Record(NamedTuple):
    key: bytes
    value: bytes
    expires_ns: int


class _Found(NamedTuple):
    entry: int
    key: bytes
    value: bytes
    expires_ns: int


class SharedMap:
    """Values by key. Implements `corepool.SharedMap`.

    The word of an entry has the number of its record in the lowest bit, then the length of its key, then that of
    both. A record begins with the moment at which it expires, of the monotonic clock, which all processes share.
    """

    def __init__(
        self,
        area: SharedArea,
        start: int,
        most: int,
        size: int,
        name: str = "",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Use a table of the shape that `shape_of` returns.

        :param name: for errors.
        """
        shape = self.shape_of(most, size)
        self._table = Table(area, start, shape)
        self._hash = area.hash
        self._most = most
        self._size = size
        self._name = name
        self._record_bytes = _record_bytes(size)
        self._clock = clock

    @staticmethod
    def shape_of(most: int, size: int) -> Shape:
        """Return the shape of a map of so many keys.

        :param size: the most bytes of a key and its value.
        :raises ValueError: that can't be.
        """
        if most < 1 or not 1 <= size <= MAX_BYTES:
            raise ValueError(f"a shared map of {most} keys with {size} bytes each; 1 to {MAX_BYTES} bytes are possible")
        return Shape(_SPARE * most, _WAYS, 2 * _record_bytes(size))

    def get(self, key: bytes | str) -> bytes | None:
        """See `corepool.SharedMap`."""
        return self._change(as_bytes(key), lambda _: ...)

    def put(self, key: bytes | str, value: bytes | str, seconds: float | None = None) -> None:
        """See `corepool.SharedMap`."""
        new = as_bytes(value)
        self._change(as_bytes(key), lambda _: new, seconds)

    def add(self, key: bytes | str, value: bytes | str, seconds: float | None = None) -> bool:
        """See `corepool.SharedMap`."""
        new = as_bytes(value)
        return self._change(as_bytes(key), lambda value: new if value is None else ..., seconds) is None

    def replace(self, key: bytes | str, old: bytes | str, new: bytes | str, seconds: float | None = None) -> bool:
        """See `corepool.SharedMap`."""
        expected, wanted = as_bytes(old), as_bytes(new)
        return self._change(as_bytes(key), lambda value: wanted if value == expected else ..., seconds) == expected

    def pop(self, key: bytes | str) -> bytes | None:
        """See `corepool.SharedMap`."""
        return self._change(as_bytes(key), lambda _: None)

    def items(self) -> list[tuple[bytes, bytes]]:
        """See `corepool.SharedMap`."""
        found: list[tuple[bytes, bytes]] = []
        table = self._table
        for number in range(table.sets):
            lock, first = table.lock_set(number)
            try:
                entries = range(first // WORD, first // WORD + table.ways)
                each = [self._read(first, entry) for entry in entries if table.words[entry]]
            finally:
                table.unlock(lock)
            now_ns = self._clock()
            found += [(its.key, its.value) for its in each if its.expires_ns > now_ns]
        return found

    def _change(
        self,
        key: bytes,
        decide: Callable[[bytes | None], bytes | EllipsisType | None],
        seconds: float | None = None,
    ) -> bytes | None:
        """Return the value of a key, or None, from before the change.

        :param decide: given that, returns the new one; None: it has none any more; ...: nothing is changed.
        """
        now_ns = self._clock()
        expires_ns = _NEVER if seconds is None else now_ns + _nanoseconds(seconds)
        hashed = self._hash(key)
        table = self._table
        lock, first = table.lock(hashed)
        try:
            each = (self._read(first, entry) for entry in table.find(first, hashed))
            found = next((its for its in each if its.key == key and its.expires_ns > now_ns), None)
            old = None if found is None else found.value
            new = decide(old)
            if isinstance(new, bytes):
                self._write(first, hashed, found, _Record(key, new, expires_ns), now_ns)
            elif new is None and found is not None:
                table.words[found.entry] = 0
        finally:
            table.unlock(lock)
        return old

    def _read(self, first: int, entry: int) -> _Found:
        state = self._table.words[entry + self._table.ways]
        at = self._record_at(first, entry, state & 1)
        record = self._table.bytes[at : at + WORD + (state >> 1 + _LENGTH_BITS)]
        middle = WORD + (state >> 1 & _MAX_LENGTH)
        return _Found(entry, record[WORD:middle], record[middle:], int.from_bytes(record[:WORD], "little"))

    def _write(self, first: int, hashed: bytes, found: _Found | None, record: _Record, now_ns: int) -> None:
        key, value, expires_ns = record
        size = len(key) + len(value)
        if size > self._size:
            raise ValueError(f"a key and its value have {size} bytes; the map {self._name!r} is for {self._size}")
        words, ways = self._table.words, self._table.ways
        if found is None:
            entry, number = self._room(first, now_ns), 0
            words[entry] = 0  # it may have expired: from here on nothing reads its records
        else:
            entry = found.entry
            number = 1 - (words[entry + ways] & 1)
        at = self._record_at(first, entry, number)
        self._table.bytes[at : at + WORD + size] = expires_ns.to_bytes(WORD, "little") + key + value
        state = number | len(key) << 1 | size << 1 + _LENGTH_BITS
        if found is None:
            self._table.put(entry, hashed, state, 0)
        else:
            words[entry + ways] = state

    def _record_at(self, first: int, entry: int, number: int) -> int:
        records = first + 3 * self._table.ways * WORD
        return records + (2 * (entry - first // WORD) + number) * self._record_bytes

    def _room(self, first: int, now_ns: int) -> int:
        table = self._table
        free = next(table.find(first, FREE), None)
        if free is not None:
            return free
        for entry in range(first // WORD, first // WORD + table.ways):
            if self._read(first, entry).expires_ns <= now_ns:
                return entry
        raise MapFullError(f"the shared map {self._name!r}, made for {self._most} keys, has no room for another one")


def _record_bytes(size: int) -> int:
    return WORD + -(-size // WORD) * WORD


def _nanoseconds(seconds: float) -> int:
    if not 0 < seconds <= _MAX_SECONDS:
        raise ValueError(f"{seconds!r} seconds are no time for which a key can have a value")
    return max(1, round(seconds * _SECOND_NS))
