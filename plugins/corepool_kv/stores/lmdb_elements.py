"""The elements of collections in LMDB: a record for each, so that a change costs the same in a collection of any size.

One table, `elements`: the ID of the collection, then the element's name -> its value. A small collection is removed at
once. A larger one is noted under the ID 0 (its own ID is the name), and the sweeper removes its elements a few at a
time: neither a worker nor another writer waits for it. A new collection has an ID without elements, so it can't meet
any that were left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lmdb

from corepool_kv.stores import ID_BYTES
from corepool_kv.stores.lmdb_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmdb import _Database

    from corepool_kv.stores import Element

_GARBAGE = bytes(ID_BYTES)

_REMOVED_AT_ONCE = 64
"""Elements: a note costs as much as removing a few of them, and their room is free at once."""


class LmdbElements:
    """Implements `Elements` over one transaction of LMDB."""

    def __init__(self, txn: lmdb.Transaction, table: _Database) -> None:
        self._txn = txn
        self._table = table

    def get(self, collection: bytes, name: bytes) -> bytes | None:
        try:
            # Never a memoryview, without `buffers`; as below.
            return self._txn.get(collection + name, None, self._table)  # type: ignore[return-value]
        except lmdb.Error as error:
            raise translated(error) from None

    def between(self, collection: bytes, low: bytes, high: bytes, *, reverse: bool = False) -> Iterator[Element]:
        first, end = collection + low, collection + high
        try:
            with self._txn.cursor(db=self._table) as at:
                pairs: Iterator[Element]
                if not reverse:
                    if at.set_range(first):
                        pairs = at.iternext()  # type: ignore[assignment]
                        for key, value in pairs:
                            if key >= end:
                                return
                            yield key[ID_BYTES:], value
                    return
                if at.prev() if at.set_range(end) else at.last():
                    pairs = at.iterprev()  # type: ignore[assignment]
                    for key, value in pairs:
                        if key < first:
                            return
                        yield key[ID_BYTES:], value
        except lmdb.Error as error:
            raise translated(error) from None

    def count_between(self, collection: bytes, low: bytes, high: bytes) -> int:
        end = collection + high
        count = 0
        try:
            with self._txn.cursor(db=self._table) as at:
                if at.set_range(collection + low):
                    keys: Iterator[bytes] = at.iternext(values=False)  # type: ignore[assignment]
                    for key in keys:
                        if key >= end:
                            break
                        count += 1
        except lmdb.Error as error:
            raise translated(error) from None
        return count

    def put(self, collection: bytes, name: bytes, value: bytes) -> bytes | None:
        try:
            return self._txn.replace(collection + name, value, self._table)  # type: ignore[return-value]
        except lmdb.Error as error:
            raise translated(error) from None

    def delete(self, collection: bytes, name: bytes) -> bytes | None:
        try:
            return self._txn.pop(collection + name, self._table)  # type: ignore[return-value]
        except lmdb.Error as error:
            raise translated(error) from None

    def has_any(self, collection: bytes) -> bool:
        """Report whether a collection has elements, or has left some behind."""
        try:
            with self._txn.cursor(db=self._table) as at:
                return at.set_range(collection) and bytes(at.key())[:ID_BYTES] == collection
        except lmdb.Error as error:
            raise translated(error) from None

    def discard(self, collection: bytes, count: int) -> None:
        """Remove all elements of a collection, now or later.

        :param count: their number, about.
        """
        try:
            if count <= _REMOVED_AT_ONCE:
                self._remove(collection, 2 * _REMOVED_AT_ONCE)  # members of a sorted set have two records each
            if count > _REMOVED_AT_ONCE or self.has_any(collection):
                self._txn.put(_GARBAGE + collection, b"", db=self._table)
        except lmdb.Error as error:
            raise translated(error) from None

    def has_garbage(self) -> bool:
        return self.has_any(_GARBAGE)

    def remove_garbage(self, limit: int) -> int:
        removed = 0
        try:
            while removed < limit:
                with self._txn.cursor(db=self._table) as at:
                    note = bytes(at.key()) if at.set_range(_GARBAGE) else b""
                if note[:ID_BYTES] != _GARBAGE:
                    break
                collection = note[ID_BYTES:]
                removed += self._remove(collection, limit - removed)
                if not self.has_any(collection):
                    self._txn.delete(note, db=self._table)
                    removed += 1
        except lmdb.Error as error:
            raise translated(error) from None
        return removed

    def _remove(self, collection: bytes, limit: int) -> int:
        removed = 0
        with self._txn.cursor(db=self._table) as at:
            found = at.set_range(collection)
            while found and removed < limit and bytes(at.key())[:ID_BYTES] == collection:
                at.delete()  # and the cursor is at the next one
                removed += 1
                found = bool(at.key())
        return removed
