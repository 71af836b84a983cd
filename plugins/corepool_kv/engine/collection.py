"""A collection: the record that describes it, and what hashes, lists, sets, sorted sets and streams have in common."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Self

from corepool_kv.stores import ID_BYTES, STRING, Record, WrongTypeError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Elements

_AFTER_ALL = b"\xff"
"""Behind all names: those begin with a letter."""
_COPIED_AT_A_TIME = 1000
_COUNT_END = 2 * ID_BYTES
_new = tuple.__new__
"""The function of a NamedTuple is Python, and costs a collection more than its record."""


class Collection:
    """A collection of one key, for one command. After its changes `save` is called, once."""

    type = STRING
    """Of its record. Each class of collections has one of its own."""

    def __init__(self, db: Keyspace, key: bytes, record: Record | None) -> None:
        """Take a collection, or begin a new one: that exists when it has been saved."""
        self.db = db
        self.key = key
        self.elements = db.elements
        if record is None:
            db.check_key(key)
            self.id = db.new_collection()
            self.count = 0
            self.expires_ms = 0
            self.is_new = True
        else:
            self.id = record.value[:ID_BYTES]
            self.count = int.from_bytes(record.value[ID_BYTES:_COUNT_END])
            self.expires_ms = record.expires_ms
            self.is_new = False
            self._read(record.value[_COUNT_END:])

    @classmethod
    def find(cls, db: Keyspace, key: bytes) -> Self | None:
        """Return the collection of a key; None if the key does not exist.

        :raises WrongTypeError: the key holds another type.
        """
        return cls._of(db, key, db.find(key))

    @classmethod
    def look_up(cls, db: Keyspace, key: bytes) -> Self | None:
        """Return the collection of a key, for a command that reads; None if the key does not exist.

        :raises WrongTypeError: the key holds another type.
        """
        return cls._of(db, key, db.look_up(key))

    @classmethod
    def _of(cls, db: Keyspace, key: bytes, record: Record | None) -> Self | None:
        if record is None:
            return None
        if record.type != cls.type:
            raise WrongTypeError
        return cls(db, key, record)

    @classmethod
    def open(cls, db: Keyspace, key: bytes) -> Self:
        """Return the collection of a key, which may be new and empty.

        :raises WrongTypeError: the key holds another type.
        :raises KeyTooLongError: the store can't hold the key.
        """
        return cls.find(db, key) or cls(db, key, None)

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    def save(self) -> None:
        """Describe the collection as it is now; an empty one does not exist."""
        if self.count:
            self.describe()
        elif not self.is_new:
            self.db.detach(self.key)

    def describe(self) -> None:
        """Store the record, even of an empty collection."""
        description = self.id + self.count.to_bytes(ID_BYTES) + self._write()
        record = _new(Record, (description, self.expires_ms, 0, 0, self.type))
        self.db.put_record(self.key, record)
        if self.is_new:
            self.db.gain(self.key, self.type)

    def replace(self, event: bytes) -> None:
        """Store a new collection in the place of the key, and tell clients; without elements, remove the key."""
        if self.count:
            self.save()
            self.db.notify(event, self.key)
        elif self.db.delete(self.key):
            self.db.notify(b"del", self.key)

    def tell(self, event: bytes) -> None:
        """Note an event for clients; and the end of the key, if that has left it empty."""
        self.db.notify(event, self.key)
        if not self.count:
            self.db.notify(b"del", self.key)

    def _read(self, rest: bytes) -> None:
        """Read the part of the description that this type has for itself."""

    def _write(self) -> bytes:
        return b""


def copied(db: Keyspace, record: Record, target_db: Keyspace) -> Record:
    """Return a record of the same content, for another key: that of a collection has elements of its own."""
    if record.type == STRING:
        return record
    target = target_db.new_collection()
    copy_elements(db.elements, record.collection, target_db.elements, target, b"", _AFTER_ALL)
    return record._replace(value=target + record.value[ID_BYTES:])


def copy_elements(
    source: Elements, collection: bytes, target: Elements, target_collection: bytes, low: bytes, high: bytes
) -> None:
    """Copy the elements with low <= name < high to another collection, which may be among the same elements."""
    while batch := list(itertools.islice(source.between(collection, low, high), _COPIED_AT_A_TIME)):
        for name, value in batch:
            target.put(target_collection, name, value)
        low = batch[-1][0] + b"\0"
