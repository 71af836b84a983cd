"""Views and transactions of an LMDB environment: its tables, read and written as records.

Two tables. `data`: crc32 of the key, then the key -> expiry, version, value; the hash in front gives SCAN a
numeric cursor that needs no memory, and RANDOMKEY a fair start. `expiry`: time, then the key -> nothing.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, cast
from zlib import crc32

import lmdb

from corepool_kv.stores import BrokenError, NoRoomError, Record, StoreError

if TYPE_CHECKING:
    from lmdb import _Database

_HEADER = Struct(">QQ")
_unpack_header = _HEADER.unpack_from
_TIME = Struct(">Q")
_NEVER = bytes(8)
_HASH = Struct(">I")

_WRITES_PER_TRANSACTION = 1 << 20  # of a version, the part below LMDB's transaction number


class LmdbTransaction:
    """Implements `View` and `Transaction` over one transaction of LMDB."""

    def __init__(self, txn: lmdb.Transaction, data: _Database, expiry: _Database) -> None:
        self.txn = txn
        self._find = txn.get
        self._data = data
        self._expiry = expiry
        self._writes = 0
        self._first_version = 0

    def get(self, key: bytes) -> Record | None:
        try:
            stored = cast("bytes | None", self._find(_place(key), None, self._data))
        except lmdb.BadValsizeError:
            return None
        if stored is None:
            return None
        expires_ms, version = _unpack_header(stored)
        return Record(stored[16:], expires_ms, version)

    def get_value(self, key: bytes, now_ms: int) -> bytes | None:
        try:
            stored = cast("bytes | None", self._find(crc32(key).to_bytes(4) + key, None, self._data))
        except lmdb.BadValsizeError:
            return None
        if stored is None or (stored[:8] != _NEVER and int.from_bytes(stored[:8]) < now_ms):
            return None
        return stored[16:]

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        keys: list[bytes] = []
        if cursor > 0xFFFFFFFF:
            return 0, keys
        with self.txn.cursor(db=self._data) as at:
            last = b""
            found = at.set_range(_HASH.pack(cursor))
            while found:
                place = bytes(at.key())
                if len(keys) >= count and place[:4] != last:
                    return _HASH.unpack(place[:4])[0], keys
                last = place[:4]
                keys.append(place[4:])
                found = at.next()
        return 0, keys

    def count(self) -> int:
        entries: int = self.txn.stat(self._data)["entries"]
        return entries

    def count_expiring(self) -> int:
        entries: int = self.txn.stat(self._expiry)["entries"]
        return entries

    def random(self, chance: float) -> bytes | None:
        with self.txn.cursor(db=self._data) as at:
            if at.set_range(_HASH.pack(int(chance * 0xFFFFFFFF))) or at.first():
                return bytes(at.key())[4:]
        return None

    def put(self, key: bytes, value: bytes, expires_ms: int) -> None:
        self._writes += 1
        if self._first_version == 0:
            self._first_version = self.txn.id() * _WRITES_PER_TRANSACTION
        header = _HEADER.pack(expires_ms, self._first_version + self._writes)
        try:
            before = cast("bytes | None", self.txn.replace(crc32(key).to_bytes(4) + key, header + value, self._data))
            if before is not None and before[:8] != _NEVER:
                self.txn.delete(before[:8] + key, db=self._expiry)
            if expires_ms:
                self.txn.put(_TIME.pack(expires_ms) + key, b"", db=self._expiry)
        except lmdb.Error as error:
            raise translated(error) from None

    def delete(self, key: bytes) -> bool:
        try:
            before = cast("bytes | None", self.txn.pop(_place(key), db=self._data))
            if before is not None and before[:8] != _NEVER:
                self.txn.delete(before[:8] + key, db=self._expiry)
        except lmdb.BadValsizeError:
            return False
        except lmdb.Error as error:
            raise translated(error) from None
        return before is not None

    def clear(self) -> None:
        try:
            self.txn.drop(self._data, delete=False)
            self.txn.drop(self._expiry, delete=False)
        except lmdb.Error as error:
            raise translated(error) from None

    def due(self, now_ms: int, limit: int) -> list[bytes]:
        keys: list[bytes] = []
        with self.txn.cursor(db=self._expiry) as at:
            found = at.first()
            while found and len(keys) < limit and _TIME.unpack_from(at.key())[0] < now_ms:
                keys.append(bytes(at.key())[8:])
                found = at.next()
        return keys


def translated(error: lmdb.Error) -> StoreError:
    """Return the store's error for one of LMDB."""
    if isinstance(error, lmdb.MapFullError | lmdb.MapResizedError):
        return NoRoomError()
    if isinstance(error, lmdb.PanicError):
        return BrokenError(str(error))
    return StoreError(str(error))


def _place(key: bytes) -> bytes:
    return crc32(key).to_bytes(4) + key
