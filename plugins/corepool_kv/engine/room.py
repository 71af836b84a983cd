"""Room in a store that comes near to its bound: keys are evicted by its policy, or commands that may grow are refused.

Before each transaction the pages in use are counted. From 7/8 of the bound on (the first mark) some keys are removed
for each command of the transaction; from 15/16 on (the second one) as many as it takes, up to a bound of their own. The
rest is for LMDB, which copies each page that a transaction changes and can use freed ones only later. So the bound
itself, that of the file, is never passed.

The policies about use are those of Redis: a few keys are chosen at random, and those that were not used for the longest
time are removed.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.stores import DATABASES, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Store
    from corepool_kv.stores.access_clock import AccessClock

log = logging.getLogger(__name__)

_LOG_INTERVAL_S = 60.0

SAMPLED = 24
"""Keys that are looked at for one round, in one place of the store."""
_TAKEN = 2
"""Of them, those that are removed."""

_FOR_EACH_COMMAND = 2
"""Keys, between the first mark and the second: a page of small records is free when nearly all of them are removed."""
_MAX_EVICTED = 1000
"""Keys for one transaction above the second mark: ten milliseconds, while no other worker can write."""
_MAX_ELEMENTS = 1000
"""Of removed collections, in one round."""

_FAR_BYTES = 4 << 30
"""A store with so much room is not looked at but once a second: nothing writes as much in that time."""

_SPARE_BYTES = 1 << 20
"""Of a small store: the pages that some transactions copy."""

_AT_ONCE = 16
"""A transaction that found no room is tried again when a part of the bound, one of so many, was evicted."""
TIMES = 8
"""So often."""


class Room:
    """The room in one store, as one worker sees it."""

    def __init__(self, store: Store) -> None:
        """Take the bound and the policy of a store that is open.

        :raises StoreError: the policy needs a clock, and there can't be any.
        """
        self._store = store
        self._log = RateLimitedLog(log, interval_s=_LOG_INTERVAL_S)
        self._used: Sequence[int] = range(DATABASES)
        """Databases that had anything in them when they were looked at last."""
        self.is_near = True
        """The bound may be reached before the next look: `make` has to be called for each transaction."""
        self.used_bytes = 0
        """In use when it was looked at last, in all databases."""
        self.peak_bytes = 0
        """The most of them."""
        self.evicted = 0
        """Keys that this worker has evicted."""
        self.access: AccessClock | None = None
        self.max_bytes, self.policy = store.max_bytes, ""
        self.configure(store.max_bytes, store.eviction)

    def configure(self, max_bytes: int, policy: str) -> None:
        """Change the bound, which is that of the store at most, and the policy.

        :param max_bytes: 0: that of the store.
        :raises StoreError: the policy needs a clock, and there can't be any.
        """
        if policy.endswith("-lru") and self.access is None:
            self.access = self._store.access_clock()
        elif not policy.endswith("-lru"):
            self.access = None
        self.max_bytes = min(max_bytes or self._store.max_bytes, self._store.max_bytes)
        self.policy = policy
        self.is_near = True

    @property
    def _first_mark(self) -> int:
        return self.max_bytes - self._spare_bytes

    @property
    def _second_mark(self) -> int:
        return self.max_bytes - self._spare_bytes // 2

    @property
    def _spare_bytes(self) -> int:
        return max(self.max_bytes // 8, min(_SPARE_BYTES, self.max_bytes // 2))

    def look(self, db: Keyspace) -> bool:
        """Look how much is used, once a second; return True if keys have to be evicted though no client writes."""
        in_use = [number for number in range(DATABASES) if db.select(number).view.used_bytes()]
        self._used = in_use or range(1)
        self.used_bytes = used = used_bytes(db)
        self.peak_bytes = max(self.peak_bytes, used)
        self.is_near = used + _FAR_BYTES > self._first_mark
        return used > self._second_mark and self.policy != "noeviction"

    def make(self, db: Keyspace, commands: int) -> None:
        """Make room for a transaction at its beginning, or have commands that may grow refused.

        :param commands: how many it will run.
        :raises NoRoomError: there is no room to remove anything.
        """
        used = self._count(db)
        if used <= self._first_mark:
            return
        is_full = used > self._second_mark
        if self.policy == "noeviction":
            if is_full:
                self._refuse(db)
            return
        most = _MAX_EVICTED if is_full else _FOR_EACH_COMMAND * (commands + 1)
        if not self._evict(db, self._first_mark, most) and is_full:
            self._refuse(db)

    def force(self, db: Keyspace) -> bool:
        """Evict a part of the keys, for a transaction that has found no room; return False if that is no help.

        Half of the first mark stays: if that is no room, something else is wrong, a reader that pins freed pages, say.

        :raises NoRoomError: there is no room to remove anything.
        """
        used = self._count(db)
        if self.policy == "noeviction" or used < self._first_mark // 2:
            return False
        return self._evict(db, used - self.max_bytes // _AT_ONCE, _MAX_EVICTED)

    def _refuse(self, db: Keyspace) -> None:
        db.refuse_growth()
        events.kv_store_full(self._log, max_bytes=self.max_bytes, eviction=self.policy)

    def _count(self, db: Keyspace) -> int:
        return sum([db.select(number).view.used_bytes() for number in self._used])

    def _evict(self, db: Keyspace, until: int, most: int) -> bool:
        """Evict keys until so many bytes are in use; return False if there was none to be evicted."""
        evicted = removed = tried = 0
        expiring = self.policy.startswith("volatile")
        while tried + removed < most:
            # A collection is gone at once, and its elements a few at a time.
            for number in self._used:
                garbage = db.select(number).elements
                if garbage.has_garbage():
                    removed += 1 + garbage.remove_garbage(_MAX_ELEMENTS) // 100
            if (evicted or removed) and self._count(db) <= until:
                break
            found = self._find(db)
            if found is None:
                break
            where, keys = found
            tried += len(keys)
            for key in keys:
                if where.evict(key, expiring=expiring):
                    evicted += 1
        if evicted:
            db.at_end.append(lambda: self._add(evicted))
        return evicted + removed > 0

    def _add(self, evicted: int) -> None:
        self.evicted += evicted

    def _find(self, db: Keyspace) -> tuple[Keyspace, list[bytes]] | None:
        """Choose keys to be evicted, from a database that is the more likely the larger it is."""
        bases = [db.select(number) for number in self._used]
        if len(bases) > 1:
            bases.sort(key=lambda base: random.random() * base.view.used_bytes(), reverse=True)  # noqa: S311
        for base in bases:
            if keys := self._choose(base):
                return base, keys
        return None

    def _choose(self, db: Keyspace) -> list[bytes]:
        if self.policy == "volatile-ttl":
            first = db.view.first_to_expire()
            return [] if first is None else [first]
        keys = db.view.sample(SAMPLED, expiring=self.policy.startswith("volatile"))
        access = self.access
        if access is None:
            random.shuffle(keys)
        else:
            now_ms = db.now_ms
            keys.sort(key=lambda key: access.idle_ms(key, now_ms), reverse=True)
        return keys[: max(1, min(_TAKEN, len(keys) // 2))]


def used_bytes(db: Keyspace) -> int:
    """Return the bytes that all databases take."""
    return sum(db.select(number).view.used_bytes() for number in range(SYSTEM + 1))
