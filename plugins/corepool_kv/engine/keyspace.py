"""The data as commands see them: what has expired does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from corepool_kv.redis.replies import Error, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Record, Transaction, View


class Limits(NamedTuple):
    """In bytes."""

    key: int
    value: int
    reply: int


class Keyspace:
    """A view of a store, and the time. Writing needs a view that is a transaction, which the command table sees to."""

    def __init__(self, view: View, limits: Limits, now_ms: int) -> None:
        self.view = view
        self.now_ms = now_ms
        self._transaction = cast("Transaction", view)
        self._limits = limits
        self._max_key, self._max_value, _ = limits

    def find(self, key: bytes) -> Record | None:
        """Find a record that exists now."""
        record = self.view.get(key)
        if record is not None and 0 < record.expires_ms < self.now_ms:
            return None
        return record

    def get(self, key: bytes) -> bytes | None:
        """Find a value."""
        return self.view.get_value(key, self.now_ms)

    def put(self, key: bytes, value: bytes, expires_ms: int = 0) -> None:
        """Store a value; one that has expired already removes the key.

        :raises Error: the key is too long for the store, the value for Redis.
        """
        if len(key) > self._max_key:
            self.check_key(key)
        if len(value) > self._max_value:
            self.check_length(len(value))
        if 0 < expires_ms < self.now_ms:
            self._transaction.delete(key)
        else:
            self._transaction.put(key, value, expires_ms)

    def check_key(self, key: bytes) -> None:
        """Refuse a key that the store can't have, before a command is done by half.

        :raises Error: it can't.
        """
        if len(key) > self._limits.key:
            raise Error(f"ERR key is too long: this store takes {self._limits.key} bytes")

    def check_length(self, length: int) -> None:
        """Refuse a value that would be too long.

        :raises Error: it would.
        """
        if length > self._limits.value:
            raise Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")

    def gather(self, replies: Iterable[Reply]) -> list[Reply]:
        """Make one reply of many, in a bounded amount of memory.

        :raises Error: it would be longer than a reply may be.
        """
        gathered: list[Reply] = []
        left = self._limits.reply
        for reply in replies:
            left -= size_of(reply)
            if left < 0:
                raise Error(f"ERR a reply of more than {self._limits.reply} bytes")
            gathered.append(reply)
        return gathered

    def delete(self, key: bytes) -> bool:
        """Remove a key; False when it did not exist."""
        existed = self.find(key) is not None
        return self._transaction.delete(key) and existed

    def clear(self) -> None:
        """Remove every key."""
        self._transaction.clear()

    def version(self, key: bytes) -> int | None:
        """Give a number that changes with each write of the key; None while it does not exist."""
        record = self.find(key)
        return None if record is None else record.version

    def remove_expired(self, limit: int) -> int:
        """Remove what has expired, `limit` keys at most, and say how many there were."""
        keys = self.view.due(self.now_ms, limit)
        for key in keys:
            self._transaction.delete(key)
        return len(keys)
