"""The data as commands see them: what has expired does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from corepool_kv.replies import Error

if TYPE_CHECKING:
    from corepool_kv.stores import Record, Transaction, View


class Keyspace:
    """A view of a store at a time. Writing needs a view that is a transaction, which the command table sees to."""

    def __init__(self, view: View, max_key_bytes: int, max_value_bytes: int, now_ms: int) -> None:
        self.view = view
        self.now_ms = now_ms
        self._max_key_bytes = max_key_bytes
        self._max_value_bytes = max_value_bytes

    def find(self, key: bytes) -> Record | None:
        """Find a record that exists now."""
        if len(key) > self._max_key_bytes:
            return None  # it can't have been stored
        record = self.view.get(key)
        if record is not None and 0 < record.expires_ms <= self.now_ms:
            return None
        return record

    def get(self, key: bytes) -> bytes | None:
        """Find a value."""
        record = self.find(key)
        return None if record is None else record.value

    def put(self, key: bytes, value: bytes, expires_ms: int = 0) -> None:
        """Store a value; one that has expired already removes the key.

        :raises Error: the key is too long for the store, the value for Redis.
        """
        if len(key) > self._max_key_bytes:
            raise Error(f"ERR key is too long: this store takes {self._max_key_bytes} bytes")
        self.check_length(len(value))
        if 0 < expires_ms <= self.now_ms:
            self._transaction.delete(key)
        else:
            self._transaction.put(key, value, expires_ms)

    def check_length(self, length: int) -> None:
        """Refuse a value that would be too long.

        :raises Error: it would.
        """
        if length > self._max_value_bytes:
            raise Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")

    def delete(self, key: bytes) -> bool:
        """Remove a key; False when it did not exist."""
        existed = self.find(key) is not None
        return len(key) <= self._max_key_bytes and self._transaction.delete(key) and existed

    def clear(self) -> None:
        """Remove every key."""
        self._transaction.clear()

    def version(self, key: bytes) -> int | None:
        """Give a number that changes with each write of the key; None while it does not exist."""
        record = self.find(key)
        return None if record is None else record.version

    def remove_expired(self, limit: int) -> int:
        """Remove what has expired, `limit` keys at most; how many there were."""
        keys = self.view.due(self.now_ms, limit)
        for key in keys:
            self._transaction.delete(key)
        return len(keys)

    @property
    def _transaction(self) -> Transaction:
        return cast("Transaction", self.view)
