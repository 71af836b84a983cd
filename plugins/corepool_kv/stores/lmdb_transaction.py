"""Views and transactions of an LMDB environment: its tables, read and written as records.

`data`: crc32 of the key, then the key -> header, value (lmdb_format.py); the hash in front gives SCAN a
numeric cursor that needs no memory, and RANDOMKEY a fair start. `expiry`: time, then the key -> nothing.
Elements of collections: lmdb_elements.py.
"""

from __future__ import annotations

import itertools
import random
from struct import Struct
from typing import TYPE_CHECKING

import lmdb

from corepool_kv.stores import ID_BYTES, STREAM, STRING, DamagedRecordError, Record, WrongTypeError
from corepool_kv.stores.lmdb_elements import LmdbElements
from corepool_kv.stores.lmdb_errors import translated
from corepool_kv.stores.lmdb_format import LONG_BYTES, SHORT, SHORT_BYTES, long_header
from corepool_kv.stores.lmdb_order import ORDER, order_of
from corepool_kv.stores.lmdb_records import parse, parsed_short, place_of, short_record, short_value
from corepool_kv.stores.lmdb_times import TIME, some_time
from corepool_kv.stores.same_places import MAX_AT_ONE_PLACE, list_part, split_cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmdb import _Database

    _Tables = tuple[_Database, _Database, _Database]

_NEVER = bytes(8)
_ID_END = SHORT_BYTES + ID_BYTES
_HASH = Struct(">I")

_WRITES_PER_TRANSACTION = 1 << 20  # of a version, the part below LMDB's transaction number


class LmdbTransaction:
    """Implements `View` and `Transaction` over one transaction of LMDB."""

    def __init__(
        self,
        txn: lmdb.Transaction,
        databases: tuple[_Tables, ...],
        number: int = 0,
        others: dict[int, LmdbTransaction] | None = None,
    ) -> None:
        """Take a transaction.

        :param databases: the tables of each database.
        :param others: the databases of the same transaction that are in use.
        """
        self.txn = txn
        self._data, self._expiry, self._elements = databases[number]
        self._databases = databases
        self.has_swapped = False
        """The order of databases was changed."""
        self._number = number
        self._others = others  # with this one in it from the first use of another: no circle of references before
        self._version = 0
        """Of the last record that was written."""
        self.removed: list[tuple[int, bytes]] = []

    def renew(self, txn: lmdb.Transaction, databases: tuple[_Tables, ...]) -> None:
        """Take another transaction that only reads, in the place of one that has ended."""
        if self._others is not None:
            self._others.clear()
            self._others = None
        self.txn = txn
        if databases is not self._databases:
            self._databases = databases
            self._data, self._expiry, self._elements = databases[self._number]

    def get(self, key: bytes) -> Record | None:
        try:
            # Never a memoryview, without `buffers`; typing.cast would cost a tenth of each GET.
            stored: bytes | None = self.txn.get(place_of(key), None, self._data)  # type: ignore[assignment]
        except lmdb.BadValsizeError:
            return None
        except lmdb.Error as error:
            raise translated(error) from None
        if stored is None:
            return None
        return parsed_short(stored) or parse(stored, key)

    def get_value(self, key: bytes, now_ms: int) -> bytes | None:
        try:
            stored: bytes | None = self.txn.get(place_of(key), None, self._data)  # type: ignore[assignment]
        except lmdb.BadValsizeError:
            return None
        except lmdb.Error as error:
            raise translated(error) from None
        if stored is None:
            return None
        value = short_value(stored)
        if value is not None:
            return value
        record = parse(stored, key)
        if 0 < record.expires_ms < now_ms:
            return None
        if record.type != STRING:
            raise WrongTypeError
        return record.value

    def database(self, number: int) -> LmdbTransaction:
        if number == self._number:
            return self
        if self._others is None:
            self._others = {self._number: self}
        other = self._others.get(number)
        if other is None:
            other = self._others[number] = LmdbTransaction(self.txn, self._databases, number, self._others)
            other.removed = self.removed
        return other

    def elements(self) -> LmdbElements:
        return LmdbElements(self.txn, self._elements)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        crc, part = split_cursor(cursor)
        if part:
            return list_part(self._keys_of(crc), _itself, crc, part)
        keys: list[bytes] = []
        with self.txn.cursor(db=self._data) as at:
            last, begin = b"", 0
            found = at.set_range(_HASH.pack(crc))
            while found:
                place = bytes(at.key())
                if place[:4] != last:
                    if len(keys) >= count:
                        return _HASH.unpack(place[:4])[0], keys
                    last, begin = place[:4], len(keys)
                elif len(keys) - begin == MAX_AT_ONE_PLACE:
                    if begin:
                        return _HASH.unpack(last)[0], keys[:begin]
                    crc = _HASH.unpack(last)[0]
                    return list_part(self._keys_of(crc), _itself, crc, 0)
                keys.append(place[4:])
                found = at.next()
        return 0, keys

    def _keys_of(self, crc: int) -> Iterator[bytes]:
        beginning = _HASH.pack(crc)
        with self.txn.cursor(db=self._data) as at:
            found = at.set_range(beginning)
            while found and (place := bytes(at.key()))[:4] == beginning:
                yield place[4:]
                found = at.next()

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

    def sample(self, count: int, *, expiring: bool) -> list[bytes]:
        # Keys beside each other are as random as any, and lie in one page, which is free the sooner for it.
        table, skipped = (self._expiry, TIME.size) if expiring else (self._data, _HASH.size)
        try:
            with self.txn.cursor(db=table) as at:
                begin = some_time(at) if expiring else _HASH.pack(random.getrandbits(32))
                if not at.set_range(begin) and not at.first():
                    return []
                return [bytes(entry)[skipped:] for entry in itertools.islice(at.iternext(values=False), count)]
        except lmdb.Error as error:
            raise translated(error) from None

    def first_to_expire(self) -> bytes | None:
        with self.txn.cursor(db=self._expiry) as at:
            return bytes(at.key())[TIME.size :] if at.first() else None

    def used_bytes(self) -> int:
        used = 0
        try:
            for table in (self._data, self._expiry, self._elements):
                found = self.txn.stat(table)
                used += (found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]) * found["psize"]
        except lmdb.Error as error:
            raise translated(error) from None
        return used

    def put(self, key: bytes, value: bytes, expires_ms: int, flags: int) -> None:
        version = self._next_version()
        if expires_ms or flags:
            record = long_header(STRING, expires_ms, flags, version) + value
        else:
            record = short_record(STRING, version, value)
        try:
            before: bytes | None = self.txn.replace(place_of(key), record, self._data)  # type: ignore[assignment]
            if before is not None and before[:2] != SHORT:
                self._forget(key, before)
            if expires_ms:
                self.txn.put(TIME.pack(expires_ms) + key, b"", db=self._expiry)
        except lmdb.Error as error:
            raise translated(error) from None

    def put_record(self, key: bytes, record: Record) -> None:
        value, expires_ms, _, flags, kind = record
        version = self._next_version()
        if expires_ms or flags:
            stored = long_header(kind, expires_ms, flags, version) + value
        else:
            stored = short_record(kind, version, value)
        try:
            before: bytes | None = self.txn.replace(place_of(key), stored, self._data)  # type: ignore[assignment]
            if before is not None and before[:2] != SHORT and not _is_older(before, stored):
                self._forget(key, before, record.collection)
            if expires_ms:
                self.txn.put(TIME.pack(expires_ms) + key, b"", db=self._expiry)
        except lmdb.Error as error:
            raise translated(error) from None

    def detach(self, key: bytes) -> None:
        try:
            before: bytes | None = self.txn.pop(place_of(key), db=self._data)  # type: ignore[assignment]
            if before is not None:
                if before[1] == STREAM:
                    self.removed.append((self._number, key))
                self._forget_expiry(key, before)
        except lmdb.Error as error:
            raise translated(error) from None

    def new_collection(self) -> bytes:
        # A compact copy of an environment counts its transactions from 1 again, so IDs come that are in use.
        elements = self.elements()
        while elements.has_any(collection := self._next_version().to_bytes(ID_BYTES)):
            pass
        return collection

    def delete(self, key: bytes, now_ms: int) -> bool:
        try:
            before: bytes | None = self.txn.pop(place_of(key), db=self._data)  # type: ignore[assignment]
            if before is None:
                return False
            if before[:2] == SHORT:
                return True
            return not 0 < self._forget(key, before) < now_ms
        except lmdb.BadValsizeError:
            return False
        except lmdb.Error as error:
            raise translated(error) from None

    def _next_version(self) -> int:
        self._version = version = (self._version or self.txn.id() * _WRITES_PER_TRANSACTION) + 1
        return version

    def _forget(self, key: bytes, before: bytes, kept: bytes = b"") -> int:
        """Remove a record's entry of `expiry`, and its elements; return the time; 0 if it never expires, or is damaged.

        :param kept: the ID of the collection whose elements stay.
        """
        if before[1:2] != SHORT[1:]:
            try:
                record = parse(before, key)
            except DamagedRecordError:
                pass  # its elements can't be found, nor met
            else:
                if record.collection != kept:
                    if record.type == STREAM:
                        self.removed.append((self._number, key))
                    count = int.from_bytes(record.value[ID_BYTES : 2 * ID_BYTES])
                    self.elements().discard(record.collection, count)
        return self._forget_expiry(key, before)

    def _forget_expiry(self, key: bytes, before: bytes) -> int:
        """Remove a record's entry of `expiry`, and return the time; 0 if it never expires, or is damaged."""
        if before[:1] == SHORT[:1] or len(before) < LONG_BYTES or before[2:10] == _NEVER:
            return 0
        self.txn.delete(before[2:10] + key, db=self._expiry)
        return int.from_bytes(before[2:10])

    def clear(self) -> None:
        try:
            self.txn.drop(self._data, delete=False)
            self.txn.drop(self._expiry, delete=False)
            self.txn.drop(self._elements, delete=False)
        except lmdb.Error as error:
            raise translated(error) from None

    def swap(self, first: int, second: int) -> None:
        """Write the order of the tables, as `order_of` reads it."""
        order = bytearray(order_of(self.txn))
        order[first], order[second] = order[second], order[first]
        try:
            self.txn.put(ORDER, bytes(order))
        except lmdb.Error as error:
            raise translated(error) from None
        databases = list(self._databases)
        databases[first], databases[second] = databases[second], databases[first]
        for each in (self, *(self._others or {}).values()):
            each.take(tuple(databases))

    def take(self, databases: tuple[_Tables, ...]) -> None:
        """Use the tables of databases in another order from now on."""
        self.has_swapped = True
        self._databases = databases
        self._data, self._expiry, self._elements = databases[self._number]

    def has_expired(self, now_ms: int) -> bool:
        with self.txn.cursor(db=self._expiry) as at:
            return at.first() and bytes(at.key())[:8] < TIME.pack(now_ms)

    def remove_expired(self, now_ms: int, limit: int) -> list[bytes]:
        expired: list[bytes] = []
        removed: list[bytes] = []
        now = TIME.pack(now_ms)
        try:
            with self.txn.cursor(db=self._expiry) as at:
                found = at.first()
                while found and len(expired) < limit and bytes(at.key())[:8] < now:
                    expired.append(bytes(at.key()))
                    found = at.next()
            for entry in expired:
                self.txn.delete(entry, db=self._expiry)
                key = entry[8:]
                place = place_of(key)
                stored: bytes | None = self.txn.get(place, None, self._data)  # type: ignore[assignment]
                # An entry that was left behind by a damaged record says nothing about the record of today.
                if stored is not None and stored[:1] != SHORT[:1] and stored[2:10] == entry[:8]:
                    self.txn.delete(place, db=self._data)
                    self._forget(key, stored)
                    removed.append(key)
        except lmdb.Error as error:
            raise translated(error) from None
        return removed


def _is_older(before: bytes, stored: bytes) -> bool:
    """Report whether a record is one with a short header of the same collection, as most that are replaced by one."""
    return (
        stored[0] == SHORT[0]
        and len(before) >= _ID_END
        and before[0] == stored[0]
        and before[1] == stored[1]
        and before[SHORT_BYTES:_ID_END] == stored[SHORT_BYTES:_ID_END]
    )


def _itself(key: bytes) -> bytes:
    return key
