"""Data in this process's memory: for one worker, until it ends."""

from __future__ import annotations

import heapq
import itertools
import zlib
from typing import TYPE_CHECKING

from corepool_kv.stores import Record, StoreError

if TYPE_CHECKING:
    from corepool_kv.options import KvOptions
    from corepool_kv.stores import Transaction, View


class MemoryStore:
    """Implements `Store`."""

    max_key_bytes = 512 * 1024 * 1024

    def __init__(self, where: str, options: KvOptions) -> None:  # noqa: ARG002
        """Take nothing after the colon.

        :raises StoreError: there is something.
        """
        if where:
            raise StoreError(f"memory: takes no place; got {where!r}")
        self._records: dict[bytes, Record] = {}
        self._versions = itertools.count(1)

    def prepare(self) -> None:
        """Nothing is shared."""

    def discard(self) -> None:
        """It went with its worker."""

    def open(self, workers: int) -> None:
        if workers > 1:
            raise StoreError(
                f"store = 'memory:' can't be shared by {workers} workers, each would have data of its own; "
                "use 'lmdb:PATH', or workers = 1"
            )

    def close(self) -> None:
        self._records.clear()

    def read(self) -> View:
        return MemoryTransaction(self._records, self._versions)

    def release(self, view: View) -> None:
        """Nothing is held."""

    def begin(self) -> Transaction:
        return MemoryTransaction(self._records, self._versions)

    def commit(self, transaction: Transaction) -> None:
        """Every change has been made already."""

    def abort(self, transaction: Transaction) -> None:
        assert isinstance(transaction, MemoryTransaction)
        transaction.undo()

    def maintain(self) -> None:
        """Nothing is ever due."""


class MemoryTransaction:
    """Changes the records at once, and remembers what they were."""

    def __init__(self, records: dict[bytes, Record], versions: itertools.count[int]) -> None:
        self._records = records
        self._versions = versions
        self._before: dict[bytes, Record | None] = {}

    def undo(self) -> None:
        """Put back what was changed."""
        for key, record in self._before.items():
            if record is None:
                self._records.pop(key, None)
            else:
                self._records[key] = record

    def get(self, key: bytes) -> Record | None:
        return self._records.get(key)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        # By hash, so that keys which come and go meanwhile don't move the others; memory: is for small data.
        hashed = ((zlib.crc32(key), key) for key in self._records)
        found = heapq.nsmallest(count, (item for item in hashed if item[0] >= cursor))
        if len(found) < count:
            return 0, [key for _, key in found]
        last = found[-1][0]
        keys = [key for number, key in found if number < last]
        keys += [key for key in self._records if zlib.crc32(key) == last]
        return last + 1, keys

    def count(self) -> int:
        return len(self._records)

    def count_expiring(self) -> int:
        return sum(1 for record in self._records.values() if record.expires_ms)

    def random(self, chance: float) -> bytes | None:
        if not self._records:
            return None
        return next(itertools.islice(self._records, int(chance * len(self._records)), None))

    def put(self, key: bytes, value: bytes, expires_ms: int) -> None:
        self._before.setdefault(key, self._records.get(key))
        self._records[key] = Record(value, expires_ms, next(self._versions))

    def delete(self, key: bytes) -> bool:
        record = self._records.pop(key, None)
        if record is None:
            return False
        self._before.setdefault(key, record)
        return True

    def clear(self) -> None:
        for key in list(self._records):
            self.delete(key)

    def due(self, now_ms: int, limit: int) -> list[bytes]:
        expired = ((record.expires_ms, key) for key, record in self._records.items() if record.expires_ms)
        return [key for _, key in heapq.nsmallest(limit, (item for item in expired if item[0] <= now_ms))]
