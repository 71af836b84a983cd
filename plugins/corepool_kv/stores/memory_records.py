"""The records of one database in memory, their size, and their times of expiry."""

from __future__ import annotations

import heapq
import itertools
import random
from typing import TYPE_CHECKING

from corepool_kv.stores.memory_elements import Collections

if TYPE_CHECKING:
    from corepool_kv.stores import Record

_STALE_ENTRIES = 1000


class Keys:
    """Keys of which any can be had at once, by its number."""

    def __init__(self) -> None:
        self.all: list[bytes] = []
        self._numbers: dict[bytes, int] = {}

    def add(self, key: bytes) -> None:
        if key not in self._numbers:
            self._numbers[key] = len(self.all)
            self.all.append(key)

    def discard(self, key: bytes) -> None:
        number = self._numbers.pop(key, None)
        if number is not None:
            last = self.all.pop()
            if last != key:
                self.all[number] = last
                self._numbers[last] = number

    def sample(self, count: int) -> list[bytes]:
        if len(self.all) <= count:
            return self.all[:]
        return list(dict.fromkeys(random.choices(self.all, k=count)))  # noqa: S311  # no secret


class Records:
    """The stored records, their size, and their times of expiry."""

    def __init__(self, max_bytes: int, databases: list[Records]) -> None:
        """Begin without any.

        :param databases: those that share the bound.
        """
        self._max_bytes = max_bytes
        self._databases = databases
        self.all: dict[bytes, Record] = {}
        self.keys = Keys()
        self.expiring = Keys()
        self.bytes = 0
        self.collections = Collections()
        self.versions = itertools.count(1)
        self._expiry: list[tuple[int, bytes]] = []
        """A heap; outdated entries stay in it until their time comes, or there are too many of them."""

    def has_room(self) -> bool:
        """Report whether keys, values and elements are within the bound."""
        return sum([each.bytes + each.collections.bytes for each in self._databases]) <= self._max_bytes

    def set(self, key: bytes, record: Record) -> None:
        before = self.all.get(key)
        if before is None:
            self.keys.add(key)
            self.bytes += len(key) + len(record.value)
        else:
            self.bytes += len(record.value) - len(before.value)
        self.all[key] = record
        if not record.expires_ms:
            self.expiring.discard(key)
        else:
            self.expiring.add(key)
            heapq.heappush(self._expiry, (record.expires_ms, key))
            if len(self._expiry) > 2 * len(self.all) + _STALE_ENTRIES:
                self._expiry = [(each.expires_ms, name) for name, each in self.all.items() if each.expires_ms]
                heapq.heapify(self._expiry)

    def remove(self, key: bytes) -> Record | None:
        record = self.all.pop(key, None)
        if record is not None:
            self.bytes -= len(key) + len(record.value)
            self.keys.discard(key)
            self.expiring.discard(key)
        return record

    def first_to_expire(self) -> tuple[int, bytes] | None:
        """Return the time and the key that will expire before all others, unless none will."""
        while self._expiry:
            expires_ms, key = self._expiry[0]
            record = self.all.get(key)
            if record is not None and record.expires_ms == expires_ms:
                return expires_ms, key
            heapq.heappop(self._expiry)
        return None

    def next_expired(self, now_ms: int) -> bytes | None:
        """Return the key that has expired first, unless none has."""
        first = self.first_to_expire()
        return first[1] if first is not None and first[0] < now_ms else None
