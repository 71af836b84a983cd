"""What `stats` tells: counted by one worker, of one listener; what the store holds is true for all."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from typing import TYPE_CHECKING

from corepool_kv.memcached.items import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool import Worker
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.memcached.options import MemcachedOptions

VERSION = b"1.6.18"
"""The version of memcached whose replies these are."""

_FOUND = {b"incr": "incr", b"decr": "decr", b"touch": "touch", b"delete": "delete"}


class Statistics:
    """The counters of one listener in one worker."""

    def __init__(self, options: MemcachedOptions, worker: Worker) -> None:
        self._options = options
        self._workers = worker.workers
        self._began_s = time.monotonic()
        self.connections = 0
        self.reset()

    def reset(self) -> None:
        """Count from zero again."""
        self.total_connections = 0
        self.get_hits = self.get_misses = 0
        self.cmd_set = self.cmd_touch = self.cmd_flush = self.cmd_meta = 0
        self.total_items = self.store_too_large = 0
        self.touch_hits = self.touch_misses = 0
        self.cas_hits = self.cas_misses = self.cas_badval = 0
        self.found: Counter[bytes] = Counter()
        self.missed: Counter[bytes] = Counter()

    def count(self, command: bytes, *, was_found: bool) -> None:
        """Count a command that needs an item."""
        (self.found if was_found else self.missed)[command] += 1

    def count_stored(self, outcome: Outcome, *, is_cas: bool) -> None:
        """Count a command that stores an item."""
        self.cmd_set += 1
        self.total_items += outcome is Outcome.STORED
        if is_cas:
            self.cas_hits += outcome is Outcome.STORED
            self.cas_misses += outcome is Outcome.NOT_FOUND
            self.cas_badval += outcome is Outcome.EXISTS

    def general(self, db: Keyspace) -> bytes:
        """Reply to `stats`."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        fields = {
            "pid": os.getpid(),
            "uptime": int(time.monotonic() - self._began_s),
            "time": db.now_ms // 1000,
            "version": VERSION.decode(),
            "pointer_size": 64,
            "rusage_user": f"{usage.ru_utime:.6f}",
            "rusage_system": f"{usage.ru_stime:.6f}",
            "curr_connections": self.connections,
            "total_connections": self.total_connections,
            "cmd_get": self.get_hits + self.get_misses,
            "cmd_set": self.cmd_set,
            "cmd_flush": self.cmd_flush,
            "cmd_touch": self.cmd_touch,
            "cmd_meta": self.cmd_meta,
            "get_hits": self.get_hits,
            "get_misses": self.get_misses,
            "delete_misses": self.missed[b"delete"],
            "delete_hits": self.found[b"delete"],
            "incr_misses": self.missed[b"incr"],
            "incr_hits": self.found[b"incr"],
            "decr_misses": self.missed[b"decr"],
            "decr_hits": self.found[b"decr"],
            "cas_misses": self.cas_misses,
            "cas_hits": self.cas_hits,
            "cas_badval": self.cas_badval,
            "touch_hits": self.touch_hits + self.found[b"touch"],
            "touch_misses": self.touch_misses + self.missed[b"touch"],
            "store_too_large": self.store_too_large,
            "limit_maxbytes": self._options.max_bytes,
            "threads": self._workers,
            "curr_items": db.view.count(),
            "total_items": self.total_items,
        }
        return _encode(fields.items())

    def settings(self, _: Keyspace) -> bytes:
        """Reply to `stats settings`."""
        options = self._options
        fields = {
            "maxbytes": options.max_bytes,
            "item_size_max": options.max_item,
            "num_threads": self._workers,
            "binding_protocol": "ascii",
            "cas_enabled": "yes",
            "flush_enabled": "yes",
            "evictions": "off",
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


def _encode(fields: Iterable[tuple[str, object]]) -> bytes:
    return "".join(f"STAT {name} {value}\r\n" for name, value in fields).encode() + b"END\r\n"
