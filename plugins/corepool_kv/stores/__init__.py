"""The contract of a store, as the engine uses it: consistent views, and one write transaction at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from corepool import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.stores.access_clock import AccessClock

STRING, HASH, LIST, SET, SORTED_SET, STREAM = b"shltzx"
"""Types of records."""

MAX_NAME_BYTES = 503
"""The longest name of an element: a store may have a limit of its keys, as LMDB's 511 bytes."""

ID_BYTES = 8

DATABASES = 16
"""Each has keys of its own. A store has all of them, and its views begin at number 0."""

SYSTEM = DATABASES
"""One more database, which no client can select or clear: what workers have in common besides the data."""

_MAX_SHOWN_BYTES = 128


class StoreError(SetupError):
    """The store can't carry out an operation; `str()` is for the client and the log."""


class NoRoomError(StoreError):
    """There is no room: the transaction is void. After `make_room` it may be run again."""


class FullError(StoreError):
    """The store may not become larger, and there is no room in it."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the store is full: max_bytes = {max_bytes}")


class BrokenError(StoreError):
    """The store can't be used as it is open: the transaction is void. After `reopen` it may be run again."""


class DamagedRecordError(Exception):
    """A record can't be read: the command that needs it fails, and no other one. Writing or removing it mends it."""

    def __init__(self, key: bytes, reason: str) -> None:
        super().__init__(f"the record of {key[:_MAX_SHOWN_BYTES]!r} can't be read: {reason}; write or remove the key")


class WrongTypeError(Exception):
    """The key holds a record of another type than the command works on."""


class Record(NamedTuple):
    """The value stored under a key."""

    value: bytes
    """Of a string: its bytes. Of a collection: its ID and the number of its elements, 8 bytes each, and whatever the
    engine keeps behind them."""
    expires_ms: int
    """The last millisecond of its life, since the epoch, as in Redis; 0: it has no end."""
    version: int
    """Another number after each write of this key, in any process."""
    flags: int
    """A number of 32 bits that a client keeps with the value, 0 unless its dialect has such a thing; above them, to 48
    bits, marks of the dialect."""
    type: int = STRING

    @property
    def collection(self) -> bytes:
        """The ID under which the elements of a collection are kept; empty: it is a string."""
        return b"" if self.type == STRING else self.value[:ID_BYTES]


Element: TypeAlias = tuple[bytes, bytes]
"""The name and the value of an element."""


class Elements(Protocol):
    """The elements of all collections, each under the ID of its collection and a name.

    Those of a view can't be changed.
    """

    def get(self, collection: bytes, name: bytes) -> bytes | None:
        """Return the value of an element."""

    def between(self, collection: bytes, low: bytes, high: bytes, *, reverse: bool = False) -> Iterator[Element]:
        """Yield the elements with low <= name < high in the order of their names, or in the reverse order.

        No element may be changed until the iteration is over, or given up.
        """

    def count_between(self, collection: bytes, low: bytes, high: bytes) -> int:
        """Count the elements with low <= name < high, in time proportional to their number."""

    def put(self, collection: bytes, name: bytes, value: bytes) -> bytes | None:
        """Store an element; return the value that it had.

        :param name: at most MAX_NAME_BYTES.
        :raises NoRoomError: there is no room.
        """

    def delete(self, collection: bytes, name: bytes) -> bytes | None:
        """Remove an element; return the value that it had.

        :raises NoRoomError: there is no room for the pages that change.
        """

    def has_any(self, collection: bytes) -> bool:
        """Report whether a collection has elements."""

    def has_garbage(self) -> bool:
        """Report whether elements of removed collections are left."""

    def remove_garbage(self, limit: int) -> int:
        """Remove elements of removed collections, `limit` at most; return their number.

        :raises NoRoomError: there is no room for the pages that change.
        """


class View(Protocol):
    """The data as they were at one moment. Expired records are still among them: `Keyspace` hides those."""

    def get(self, key: bytes) -> Record | None:
        """Return a record; a key that can't be stored has none.

        :raises DamagedRecordError: it can't be read.
        """

    def get_value(self, key: bytes, now_ms: int) -> bytes | None:
        """Return the value of a string that has not expired at `now_ms`: all that GET needs, in one step.

        :raises WrongTypeError: the record is no string.
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

    def sample(self, count: int, *, expiring: bool) -> list[bytes]:
        """Return some keys, chosen at random: `count` at most, and one at least, if there is any.

        :param expiring: of those alone that will expire.
        """

    def first_to_expire(self) -> bytes | None:
        """Return the key that will expire, or has expired, before all others; None: no key will."""

    def used_bytes(self) -> int:
        """Return the bytes that the records and elements of this database take, as `max_bytes` counts them."""

    def has_expired(self, now_ms: int) -> bool:
        """Report whether a record has expired at `now_ms`."""

    def elements(self) -> Elements:
        """Return the elements of all collections."""

    def database(self, number: int) -> View:
        """Return another database at the same moment, of a transaction in the same transaction.

        :param number: SYSTEM too.
        """


class Transaction(View, Protocol):
    """A view that can be changed; no other view has the changes until they are committed."""

    removed: list[tuple[int, bytes]]
    """Streams that were removed or replaced, as database and key: clients may wait for them. The engine empties it.

    All databases of a transaction have one list. `clear` adds nothing.
    """

    def put(self, key: bytes, value: bytes, expires_ms: int, flags: int) -> None:
        """Store a string in the place of any other record, whose elements are removed.

        :raises NoRoomError: there is no room.
        """

    def put_record(self, key: bytes, record: Record) -> None:
        """Store a record of any type, with a new version. The elements of one that it replaces are removed.

        A replaced record of the same collection is an older description of it: then they stay.

        :raises NoRoomError: there is no room.
        """

    def detach(self, key: bytes) -> None:
        """Remove a record; the elements stay, for another key, or because there are none.

        :raises NoRoomError: there is no room for the pages that change.
        """

    def new_collection(self) -> bytes:
        """Return an ID that no collection has."""

    def delete(self, key: bytes, now_ms: int) -> bool:
        """Remove a record and its elements, even a damaged one.

        Return False if there was none, or it had expired at `now_ms`.

        :raises NoRoomError: there is no room for the pages that change.
        """

    def remove_expired(self, now_ms: int, limit: int) -> list[bytes]:
        """Remove records that have expired at `now_ms`, the oldest first, `limit` at most; return their keys.

        :raises NoRoomError: there is no room for the pages that change.
        """

    def clear(self) -> None:
        """Remove every record.

        :raises NoRoomError: there is no room for the list of what became free.
        """

    def swap(self, first: int, second: int) -> None:
        """Exchange two databases, in a moment, whatever they hold. Views of their elements have to be made anew.

        :raises NoRoomError: there is no room for the page that changes.
        """


class Store(Protocol):
    """The data of a place, as one process reaches them."""

    max_key_bytes: int

    max_workers: int | None
    """How many can share it; None: any number."""

    max_bytes: int
    """The bound of all databases together."""

    eviction: str
    """The policy by which keys are removed when it is near: one of `corepool_kv.stores.options.Eviction`."""

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

    def access_clock(self) -> AccessClock:
        """Return the times of the last uses of all keys, which all processes that have the data open share.

        Runs in: worker, if the policy of eviction needs it.

        :raises StoreError: there can't be any.
        """

    def make_room(self) -> None:
        """Grow, or follow another process that did. No view and no transaction of this process is open.

        :raises FullError: it may not become larger.
        """

    def reopen(self) -> None:
        """Close it and open it again, after BrokenError. No view and no transaction of this process is open.

        :raises StoreError: it can't be opened; the next view or transaction raises BrokenError again.
        """

    def maintain(self) -> None:
        """Do the upkeep, about once a second; may take its time in a thread of its own."""
