"""What `stats` tells: the counts of one listener over all workers, and what the store holds."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from corepool_kv.memcached.items import Outcome
from corepool_kv.memcached.shared_counts import SharedCounts
from corepool_kv.memcached.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool import Worker
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.memcached.options import MemcachedOptions

VERSION = b"1.6.18"
"""The version of memcached whose replies these are."""

_NEED_AN_ITEM = (b"delete", b"incr", b"decr")

_STOPPED = b"SERVER_ERROR a worker was stopped while it counted\r\n"


class Room(Protocol):
    """The bound of all items together."""

    max_bytes: int
    """0: others have set it."""
    policy: str
    """The policy by which items are evicted, as Redis names it."""
    evicted: int
    """Items that this worker has evicted."""


class Statistics:
    """The counters of one listener in one worker, and their sums over all workers."""

    def __init__(self, options: MemcachedOptions, worker: Worker, listener: str, room: Room) -> None:
        self._options = options
        self._room = room
        self._workers = worker.workers
        self._began_s = time.monotonic()
        self.connections = 0
        self.total_connections = 0
        self.get_hits = self.get_misses = 0
        self.cmd_set = self.cmd_touch = self.cmd_flush = self.cmd_meta = 0
        self.total_items = self.store_too_large = 0
        self.touch_hits = self.touch_misses = 0
        self.cas_hits = self.cas_misses = self.cas_badval = 0
        self.found: Counter[bytes] = Counter()
        self.missed: Counter[bytes] = Counter()
        self._shared = SharedCounts(worker, listener, self._count_all, lambda: self.connections)

    def close(self) -> None:
        """End, with the last counts told to the other workers."""
        self._shared.close()

    def count(self, command: bytes, *, was_found: bool) -> None:
        """Count a command that needs an item."""
        (self.found if was_found else self.missed)[command] += 1

    def count_stored(self, outcome: Outcome) -> None:
        """Count a command that stores an item."""
        self.cmd_set += 1
        self.total_items += outcome is Outcome.STORED

    def count_swapped(self, outcome: Outcome) -> None:
        """Count a command that stores an item if it has a CAS."""
        self.cas_hits += outcome is Outcome.STORED
        self.cas_misses += outcome is Outcome.NOT_FOUND
        self.cas_badval += outcome is Outcome.EXISTS

    def served(self, words: list[bytes]) -> bytes | Step:
        """Reply to `stats` with the words behind it."""
        if words == [b"reset"]:
            return self.reset()
        about_all = {b"": self.general, b"items": self.items, b"slabs": self.slabs}
        name = b" ".join(words)
        if name in about_all:
            return Step(about_all[name], writes=False, is_about_all=True)
        return Step(self.settings, writes=False) if name == b"settings" else b"ERROR\r\n"

    def general(self, db: Keyspace) -> bytes:
        """Reply to `stats`."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        try:
            connections, counts = self._shared.connections(), self._shared.totals()
        except TimeoutError:
            return _STOPPED
        fields = {
            "pid": os.getpid(),
            "uptime": int(time.monotonic() - self._began_s),
            "time": db.now_ms // 1000,
            "version": VERSION.decode(),
            "pointer_size": 64,
            "rusage_user": f"{usage.ru_utime:.6f}",
            "rusage_system": f"{usage.ru_stime:.6f}",
            "curr_connections": connections,
            "cmd_get": counts["get_hits"] + counts["get_misses"],
            **counts,
            "limit_maxbytes": self._room.max_bytes,
            "threads": self._workers,
            "bytes": db.view.used_bytes(),
            "curr_items": db.view.count(),
        }
        return _encode(fields.items())

    def reset(self) -> bytes:
        """Reply to `stats reset`."""
        try:
            self._shared.reset()
        except TimeoutError:
            return _STOPPED
        return b"RESET\r\n"

    def settings(self, _: Keyspace) -> bytes:
        """Reply to `stats settings`."""
        options = self._options
        fields = {
            "maxbytes": self._room.max_bytes,
            "item_size_max": options.max_item,
            "num_threads": self._workers,
            "binding_protocol": "ascii",
            "cas_enabled": "yes",
            "flush_enabled": "yes",
            "evictions": "off" if self._room.policy == "noeviction" else "on",
        }
        return _encode(fields.items())

    @staticmethod
    def items(db: Keyspace) -> bytes:
        """Reply to `stats items`: there are no slabs, all items are in one class."""
        count = db.view.count()
        return _encode([("items:1:number", count)] if count else [])

    @staticmethod
    def slabs(db: Keyspace) -> bytes:
        """Reply to `stats slabs`."""
        count = db.view.count()
        in_class = [("1:used_chunks", count), ("1:total_chunks", count)] if count else []
        return _encode([*in_class, ("active_slabs", int(count > 0)), ("total_malloced", 0)])

    def _count_all(self) -> dict[str, int]:
        """Return the counts since the worker's start."""
        counts = {
            "total_connections": self.total_connections,
            "cmd_set": self.cmd_set,
            "cmd_flush": self.cmd_flush,
            "cmd_touch": self.cmd_touch,
            "cmd_meta": self.cmd_meta,
            "get_hits": self.get_hits,
            "get_misses": self.get_misses,
        }
        for command in _NEED_AN_ITEM:
            name = command.decode()
            counts[f"{name}_misses"] = self.missed[command]
            counts[f"{name}_hits"] = self.found[command]
        return counts | {
            "cas_misses": self.cas_misses,
            "cas_hits": self.cas_hits,
            "cas_badval": self.cas_badval,
            "touch_hits": self.touch_hits + self.found[b"touch"],
            "touch_misses": self.touch_misses + self.missed[b"touch"],
            "store_too_large": self.store_too_large,
            "total_items": self.total_items,
            "evictions": self._room.evicted,
        }


def _encode(fields: Iterable[tuple[str, object]]) -> bytes:
    return "".join(f"STAT {name} {value}\r\n" for name, value in fields).encode() + b"END\r\n"
