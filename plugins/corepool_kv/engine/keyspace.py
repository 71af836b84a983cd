"""The data as commands see them: an expired record does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.errors import KeyTooLongError, ValueTooLongError

if TYPE_CHECKING:
    from corepool_kv.stores import Record, Transaction, View


class Limits(NamedTuple):
    """The limits of one listener for its clients, in bytes."""

    key: int
    value: int
    reply: int


class Keyspace:
    """A view of a store, and the time. Only work that runs in a transaction may write."""

    def __init__(self, view: View, limits: Limits, now_ms: int) -> None:
        self.view = view
        self.now_ms = now_ms
        self.limits = limits
        self._transaction: Transaction = view  # type: ignore[assignment]  # typing.cast would cost each GET a call
        self._max_key, self._max_value, _ = limits

    def find(self, key: bytes) -> Record | None:
        """Return the record of a key that exists now."""
        record = self.view.get(key)
        if record is not None and 0 < record.expires_ms < self.now_ms:
            return None
        return record

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key that exists now."""
        return self.view.get_value(key, self.now_ms)

    def put(self, key: bytes, value: bytes, expires_ms: int = 0, flags: int = 0) -> None:
        """Store a value; one that has expired already removes the key.

        :raises RefusedError: the key or the value is too long.
        """
        if len(key) > self._max_key:
            self.check_key(key)
        if len(value) > self._max_value:
            self.check_length(len(value))
        if 0 < expires_ms < self.now_ms:
            self._transaction.delete(key, self.now_ms)
        else:
            self._transaction.put(key, value, expires_ms, flags)

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

    def delete(self, key: bytes) -> bool:
        """Remove a key; return False if it did not exist."""
        return self._transaction.delete(key, self.now_ms)

    def clear(self) -> None:
        """Remove every key."""
        self._transaction.clear()

    def version(self, key: bytes) -> int | None:
        """Return a number that changes with each write of the key; None while the key does not exist."""
        record = self.find(key)
        return None if record is None else record.version

    def remove_expired(self, limit: int) -> int:
        """Remove expired records, `limit` at most, and return their number."""
        return self._transaction.remove_expired(self.now_ms, limit)
