"""The contract of a store, as the engine uses it: consistent views, and one write transaction at a time."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from corepool import SetupError

_MAX_SHOWN_BYTES = 128


class StoreError(SetupError):
    """The store can't carry out an operation; `str()` is for the client and the log."""


class NoRoomError(StoreError):
    """There is no room: the transaction is void. After `make_room` it may be run again."""


class BrokenError(StoreError):
    """The store can't be used as it is open: the transaction is void. After `reopen` it may be run again."""


class DamagedRecordError(Exception):
    """A record can't be read: the command that needs it fails, and no other one. Writing or removing it mends it."""

    def __init__(self, key: bytes, reason: str) -> None:
        super().__init__(f"the record of {key[:_MAX_SHOWN_BYTES]!r} can't be read: {reason}; write or remove the key")


class Record(NamedTuple):
    """The value stored under a key."""

    value: bytes
    expires_ms: int
    """The last millisecond of its life, since the epoch, as in Redis; 0: it has no end."""
    version: int
    """Another number after each write of this key, in any process."""
    flags: int
    """A number of 32 bits that a client keeps with the value; 0 unless its dialect has such a thing."""


class View(Protocol):
    """The data as they were at one moment. Expired records are still among them: `Keyspace` hides those."""

    def get(self, key: bytes) -> Record | None:
        """Return a record; a key that can't be stored has none.

        :raises DamagedRecordError: it can't be read.
        """

    def get_value(self, key: bytes, now_ms: int) -> bytes | None:
        """Return the value of a record that has not expired at `now_ms`: all that GET needs, in one step.

        :raises DamagedRecordError: it can't be read.
        """

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Return the next cursor, and about `count` keys from `cursor` on; 0 begins, and 0 is the end.

        A key that exists from the first call to the last is listed, whatever other keys come and go.
        """

    def count(self) -> int:
        """Count the records."""

    def count_expiring(self) -> int:
        """Count the records that will expire."""

    def random(self, chance: float) -> bytes | None:
        """Return some key, chosen by a random number from 0 to 1; None if the store is empty."""

    def has_expired(self, now_ms: int) -> bool:
        """Report whether a record has expired at `now_ms`."""


class Transaction(View, Protocol):
    """A view that can be changed; no other view has the changes until they are committed."""

    def put(self, key: bytes, value: bytes, expires_ms: int, flags: int) -> None:
        """Store a record in the place of any other.

        :raises NoRoomError: there is no room.
        """

    def delete(self, key: bytes, now_ms: int) -> bool:
        """Remove a record, even a damaged one; return False if there was none, or it had expired at `now_ms`.

        :raises NoRoomError: there is no room for the pages that change.
        """

    def remove_expired(self, now_ms: int, limit: int) -> int:
        """Remove records that have expired at `now_ms`, the oldest first, `limit` at most; return their number.

        :raises NoRoomError: there is no room for the pages that change.
        """

    def clear(self) -> None:
        """Remove every record.

        :raises NoRoomError: there is no room for the list of what became free.
        """


class Store(Protocol):
    """The data of a place, as one process reaches them."""

    max_key_bytes: int

    max_workers: int | None
    """How many can share it; None: any number."""

    commits_are_slow: bool
    """A commit waits for more than memory. Then `begin`, `commit`, `abort` and the calls between them run in a
    thread of their own, always the same, and beside `read`."""

    def identity(self) -> str | None:
        """Return equal strings for two stores of the same data; None if no other store has the same.

        The listeners of a worker share one open store of each identity. May change when the store is opened, and not
        after that. Runs in: master, worker.
        """

    def check(self) -> None:
        """Check the place and its data, and change nothing. Runs in: master, and at `corepool check`.

        :raises StoreError: it can't be used.
        """

    def prepare(self, uid: int, gid: int) -> None:
        """Make the files that all workers share. Runs in: master, before the first fork.

        :param uid: and `gid`: the owner of the files, as chown(2) takes them.
        """

    def discard(self) -> None:
        """Remove temporary files. Runs in: master, when every worker is gone."""

    def open(self, workers: int) -> None:
        """Open it. Runs in: worker, at its start.

        :param workers: how many processes share it.
        :raises StoreError: it can't be opened, or not by so many.
        """

    def close(self) -> None:
        """Close it."""

    def read(self) -> View:
        """Begin a consistent view; to be released soon, since a view keeps its pages from being reused.

        :raises NoRoomError: the store has become larger.
        :raises BrokenError: the store has to be opened again.
        """

    def release(self, view: View) -> None:
        """End a view."""

    def begin(self) -> Transaction:
        """Begin a write transaction; waits while another process has one.

        :raises NoRoomError: the store has become larger.
        :raises BrokenError: the store has to be opened again.
        :raises StoreError: it can't be had.
        """

    def commit(self, transaction: Transaction) -> None:
        """Make the changes durable, as far as the options say.

        :raises NoRoomError: there is no room; nothing of it happened.
        :raises StoreError: nothing of it happened.
        """

    def abort(self, transaction: Transaction) -> None:
        """Forget the changes; do nothing if a commit was tried."""

    def make_room(self) -> None:
        """Grow, or follow another process that did. No view and no transaction of this process is open.

        :raises StoreError: it may not become larger.
        """

    def reopen(self) -> None:
        """Close it and open it again, after BrokenError. No view and no transaction of this process is open.

        :raises StoreError: it can't be opened; the next view or transaction raises BrokenError again.
        """

    def maintain(self) -> None:
        """Do the upkeep, about once a second; may take its time in a thread of its own."""
