"""Items: what the commands of both kinds, text and meta, do with the records of a store.

The flags of an item are those of its record, and its CAS is the version of its record: so an item is a string of the kv
protocol, and a write of either protocol gives it another CAS. An item that `md I` has marked stale, or whose reader was
told to recache it, has that in its flags above the 32 bits of the client.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from corepool_kv.memcached.numbers import LARGEST, number_in
from corepool_kv.stores import STRING, WrongTypeError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Record

CLIENT_FLAGS = (1 << 32) - 1
STALE = 1 << 32
"""It was invalidated, and may still be used."""
TOKEN_SENT = 1 << 33
"""A client was told that it is the one to recache it."""


class Mode(enum.IntEnum):
    """How an item is stored."""

    SET, ADD, REPLACE, APPEND, PREPEND = range(5)


class Outcome(enum.IntEnum):
    """The result of a command."""

    STORED, NOT_STORED, EXISTS, NOT_FOUND = range(4)


def find(db: Keyspace, key: bytes) -> Record | None:
    """Return an item; None: there is none, or the key has a collection of the kv protocol."""
    record = db.find(key)
    return record if record is not None and record.type == STRING else None


class Put:
    """An item to be stored."""

    __slots__ = ("_flags", "_may_be_late", "_mode", "_value", "cas", "key")

    def __init__(
        self,
        key: bytes,
        value: bytes,
        flags: int,
        mode: Mode = Mode.SET,
        cas: int | None = None,
        *,
        may_be_late: bool = False,
    ) -> None:
        """Describe it.

        :param cas: the CAS that the item must have.
        :param may_be_late: an item with a higher CAS is replaced, and marked stale.
        """
        self.key = key
        self._value = value
        self._flags = flags
        self._mode = mode
        self.cas = cas
        self._may_be_late = may_be_late

    def store(self, db: Keyspace, expires_ms: int) -> Outcome:
        """Store it.

        :raises RefusedError: it is too large.
        """
        flags = self._flags
        if self.cas is not None:
            record = db.find(self.key)
            if record is None:
                return Outcome.NOT_FOUND
            if record.version != self.cas:
                if not (self._may_be_late and self.cas < record.version):
                    return Outcome.EXISTS
                flags |= STALE
        mode = self._mode
        if mode in (Mode.APPEND, Mode.PREPEND):
            return self._extend(db)
        if mode != Mode.SET and (db.find(self.key) is None) is (mode == Mode.REPLACE):
            return Outcome.NOT_STORED
        db.put(self.key, self._value, expires_ms, flags)
        return Outcome.STORED

    def _extend(self, db: Keyspace) -> Outcome:
        record = db.find_string(self.key)
        if record is None:
            return Outcome.NOT_STORED
        value = record.value + self._value if self._mode == Mode.APPEND else self._value + record.value
        db.put(self.key, value, record.expires_ms, record.flags & CLIENT_FLAGS)
        return Outcome.STORED


class NotNumericError(Exception):
    """The item is no number."""


def add(record: Record, delta: int, *, decrements: bool) -> bytes:
    """Return an item with a number added, or subtracted: memcached wraps above 64 bits, and stops at 0.

    :raises NotNumericError: it is no number.
    """
    number = number_in(record.value)
    if number is None:
        raise NotNumericError
    return b"%d" % (max(0, number - delta) if decrements else (number + delta) & LARGEST)


def string(db: Keyspace, key: bytes) -> Record | None:
    """Return an item that is to be changed.

    :raises WrongTypeError: the key has a collection.
    """
    record = db.find(key)
    if record is not None and record.type != STRING:
        raise WrongTypeError
    return record


def live_until(db: Keyspace, key: bytes, record: Record, expires_ms: int) -> None:
    """Change when an item expires."""
    db.put_record(key, record._replace(expires_ms=expires_ms))
