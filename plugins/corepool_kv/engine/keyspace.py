"""The data as commands see them: an expired record does not exist."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.errors import KeyTooLongError, OutOfRoomError, ValueTooLongError
from corepool_kv.stores import DATABASES, LIST, SORTED_SET, STREAM, STRING, SYSTEM, DamagedRecordError, WrongTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.lookups import Lookups
    from corepool_kv.engine.notifications import Notifications
    from corepool_kv.stores import Elements, Record, Transaction, View
    from corepool_kv.stores.access_clock import AccessClock


class Limits(NamedTuple):
    """The limits of one listener for its clients, in bytes."""

    key: int
    value: int
    reply: int


class Keyspace:
    """A view of a store, and the time. Only work that runs in a transaction may write."""

    def __init__(
        self, view: View, limits: Limits, now_ms: int, number: int = 0, others: dict[int, Keyspace] | None = None
    ) -> None:
        """Take a view.

        :param number: the database.
        :param others: other databases of the same view that are in use.
        """
        self.view = view
        self.number = number
        self._others = others  # with this one in it from the first use of another: no circle of references before
        self.now_ms = now_ms
        self.limits = limits
        self._transaction: Transaction = view  # type: ignore[assignment]  # typing.cast would cost each GET a call
        self._max_key, self._max_value, _ = limits
        self._elements: Elements | None = None
        self.access: AccessClock | None = None
        """Notes which keys are used, if it matters. All databases of a view have one."""
        self.is_full = False
        """Commands that may store more are refused."""
        self.at_end: list[Callable[[], None]] = []
        """Called in the loop's thread when the changes are committed; of a view, when the command is done.

        All databases of a view have one list.
        """
        self.changes = 0
        """How often records were changed, since that was set to 0."""
        self.gained: list[tuple[int, bytes]] = []
        """Lists and sorted sets that have begun to exist, streams with new entries, and removed ones, for which clients
        may wait: as database and key.

        Filled by `gain` and the execution alone. All databases of a view have one list.
        """
        self.notifications: Notifications | None = None
        """The events that clients want to be told of; None: they want none."""
        self.lookups: Lookups | None = None
        """Counts the keys that commands look up; None: they are not counted."""

    def renew(self, view: View, now_ms: int) -> None:
        """Take another view, in the place of one that has ended: as a new one, but for the parts of the execution."""
        if self._others is not None:
            self._others.clear()
            self._others = None
        self.view = view
        self._transaction = view  # type: ignore[assignment]  # as above
        self.now_ms = now_ms
        self._elements = None
        self.is_full = False
        self.at_end.clear()
        self.changes = 0
        self.gained.clear()

    def select(self, number: int) -> Keyspace:
        """Return another database of the same view."""
        if number == self.number:
            return self
        if self._others is None:
            self._others = {self.number: self}
        other = self._others.get(number)
        if other is None:
            other = self._others[number] = Keyspace(
                self.view.database(number), self.limits, self.now_ms, number, self._others
            )
            other.access = self.access
            other.is_full = self.is_full
            other.at_end = self.at_end
            other.gained = self.gained
            if number != SYSTEM:
                other.notifications = self.notifications
                other.lookups = self.lookups
        return other

    def find(self, key: bytes) -> Record | None:
        """Return the record of a key that exists now, and note that the key is used."""
        record = self.peek(key)
        if record is not None and self.access is not None:
            self.access.touch(key, self.now_ms)
        return record

    def peek(self, key: bytes) -> Record | None:
        """Return the record of a key that exists now; that does not count as a use of the key."""
        record = self.view.get(key)
        if record is not None and 0 < record.expires_ms < self.now_ms:
            return None
        return record

    def look_up(self, key: bytes) -> Record | None:
        """Return the record of a key that exists now, for a command that reads; it is counted."""
        record = self.find(key)
        self.count(key, record is not None)
        return record

    def look_at(self, key: bytes) -> Record | None:
        """Do the same without counting as a use of the key."""
        record = self.peek(key)
        self.count(key, record is not None)
        return record

    def find_string(self, key: bytes) -> Record | None:
        """Return the record of a key that exists now.

        :raises WrongTypeError: it is a collection.
        """
        record = self.find(key)
        if record is not None and record.type != STRING:
            raise WrongTypeError
        return record

    def look_up_string(self, key: bytes) -> Record | None:
        """Return the record of a key that exists now, for a command that reads.

        :raises WrongTypeError: it is a collection.
        """
        record = self.look_up(key)
        if record is not None and record.type != STRING:
            raise WrongTypeError
        return record

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key that exists now, for a command that reads.

        :raises WrongTypeError: it is a collection.
        """
        try:
            value: bytes | None = self.view.get_value(key, self.now_ms)
        except WrongTypeError:
            self.count(key, True)
            raise
        self.count(key, value is not None)
        if value is not None and self.access is not None:
            self.access.touch(key, self.now_ms)
        return value

    def count(self, key: bytes, is_there: bool) -> None:  # noqa: FBT001  # in C there are no keywords
        """Count a key that a command that reads has looked up; a miss is an event."""
        if self.lookups is not None:
            self.lookups.hits += is_there
            self.lookups.misses += not is_there
        if not is_there and self.notifications is not None:
            self.notify(b"keymiss", key)

    def put(self, key: bytes, value: bytes, expires_ms: int = 0, flags: int = 0) -> None:
        """Store a value; one that has expired already does not exist.

        :raises RefusedError: the key or the value is too long.
        """
        if len(key) > self._max_key:
            self.check_key(key)
        if len(value) > self._max_value:
            self.check_length(len(value))
        if self.notifications is not None:
            self._notify_before(key, writes=True)
        self.changes += 1
        self._transaction.put(key, value, expires_ms, flags)
        if self.access is not None:
            self.access.touch(key, self.now_ms)

    def put_record(self, key: bytes, record: Record) -> None:
        """Store a record of any type, with a new version; one that has expired already does not exist.

        :raises RefusedError: the key is too long.
        """
        self.check_key(key)
        if self.notifications is not None:
            self._notify_before(key, writes=True)
        self.changes += 1
        self._transaction.put_record(key, record)
        if self.access is not None:
            self.access.touch(key, self.now_ms)

    def detach(self, key: bytes) -> None:
        """Remove a record; the elements of a collection stay."""
        self.changes += 1
        self._transaction.detach(key)

    def new_collection(self) -> bytes:
        """Return an ID that no collection has."""
        return self._transaction.new_collection()

    def gain(self, key: bytes, kind: int) -> None:
        """Note that a collection has begun to exist, under a key that had none, or that a stream has new entries."""
        if kind in (LIST, SORTED_SET, STREAM):
            self.gained.append((self.number, key))

    def rewrite(self, key: bytes, value: bytes, record: Record | None) -> None:
        """Store another value that keeps the expiry and the flags of a record.

        :raises RefusedError: the key or the value is too long.
        """
        if record is None:
            self.put(key, value)
        else:
            self.put(key, value, record.expires_ms, record.flags)

    def check_key(self, key: bytes) -> None:
        """Refuse a key that the store can't hold, before a command has done half of its work.

        :raises KeyTooLongError: it is refused.
        """
        if len(key) > self._max_key:
            raise KeyTooLongError(self._max_key)

    def check_length(self, length: int) -> None:
        """Refuse a value that would be too long.

        :raises ValueTooLongError: it is refused.
        """
        if length > self._max_value:
            raise ValueTooLongError(self._max_value)

    def refuse_growth(self) -> None:
        """Have commands that may store more refused, in all databases of the view."""
        for each in (self, *(self._others or {}).values()):
            each.is_full = True

    def check_growth(self) -> None:
        """Refuse a command that may store more, if there is no room for it.

        :raises OutOfRoomError: it is refused.
        """
        if self.is_full:
            raise OutOfRoomError

    def delete(self, key: bytes) -> bool:
        """Remove a key; return False if it did not exist."""
        if self.notifications is not None:
            self._notify_before(key, writes=False)
        was_there = self._transaction.delete(key, self.now_ms)
        self.changes += was_there
        return was_there

    def evict(self, key: bytes, *, expiring: bool) -> bool:
        """Remove a key, and return False if there is no such key.

        :param expiring: that will expire: the store may have sampled a time that a damaged record has left behind.
        """
        if expiring:
            try:
                record = self.view.get(key)
            except DamagedRecordError:
                return False
            if record is None or not record.expires_ms:
                return False
        if not self._transaction.delete(key, 0):
            return False
        self.notify(b"evicted", key)
        return True

    def clear(self) -> None:
        """Remove every key."""
        self.changes += 1
        self._transaction.clear()

    def swap(self, first: int, second: int) -> None:
        """Exchange two databases."""
        self.changes += 1
        self._transaction.swap(first, second)
        for each in (self, *(self._others or {}).values()):
            each.forget_elements()

    def forget_elements(self) -> None:
        """Look for the elements anew."""
        self._elements = None

    def version(self, key: bytes) -> int | None:
        """Return a number that changes with each write of the key; None while the key does not exist."""
        record = self.peek(key)
        return None if record is None else record.version

    @property
    def elements(self) -> Elements:
        """The elements of all collections."""
        if self._elements is None:
            self._elements = self.view.elements()
        return self._elements

    def clear_all(self) -> None:
        """Remove every key of every database."""
        for number in range(DATABASES):
            other = self.select(number)
            if other.view.count():
                other.clear()

    def remove_expired(self, limit: int) -> int:
        """Remove expired records, `limit` at most, and return their number."""
        removed = self._transaction.remove_expired(self.now_ms, limit)
        for key in removed:
            self.notify(b"expired", key)
        return len(removed)

    def has_due(self) -> bool:
        """Report whether the sweeper has anything to remove."""
        return self.view.has_expired(self.now_ms) or self.elements.has_garbage()

    def notify(self, event: bytes, key: bytes) -> None:
        """Note an event of a key for clients that want to know; they are told when the changes are committed.

        :param event: one of `notifications.EVENTS`.
        """
        found = self.notifications
        if found is not None and event in found.wanted:
            self.at_end.append(functools.partial(found.tell, self.number, event, key))

    def _notify_before(self, key: bytes, *, writes: bool) -> None:
        """Note the end of an expired record that is about to be replaced or removed, and a key that is new."""
        try:
            record = self.view.get(key)
        except DamagedRecordError:
            return  # it is about to be mended
        if record is None or 0 < record.expires_ms < self.now_ms:
            if record is not None:
                self.notify(b"expired", key)
            if writes:
                self.notify(b"new", key)

    def finish(self) -> None:
        """Make the calls of `at_end`: of a view, behind each command."""
        for call in self.at_end:
            call()
        self.at_end.clear()
