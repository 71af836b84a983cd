"""Copying the keys of a server of Redis's protocol into a store, as DUMP serializes them."""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from corepool_kv.engine.errors import RefusedError
from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.operating.places import refuse_another_users
from corepool_kv.redis.commands.dumping import adopt
from corepool_kv.redis.dump_reader import DumpError
from corepool_kv.redis.numbers import LARGEST
from corepool_kv.stores import DATABASES, NoRoomError, StoreError
from corepool_kv.stores.lmdb import LmdbStore
from corepool_kv.stores.options import StoreOptions
from corepool_kv.stores.remote_url import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corepool_kv.stores import Store

_AT_ONCE = 64
"""Keys that are asked for in one round, and written in one transaction."""
_SCANNED = 1000
_MAX_VALUE = 512 << 20
_MAX_ELEMENTS = 1 << 32
_MAX_FAULTS = 20

_GONE_MS = -2


@dataclass
class Counts:
    """The keys of an import."""

    copied: int = 0
    kept: int = 0
    """Those that the store had already."""
    failed: int = 0
    faults: list[str] = field(default_factory=list)
    """Why: a sentence for each of the first ones."""

    def add(self, others: Counts) -> None:
        """Add those of a part."""
        self.copied += others.copied
        self.kept += others.kept
        self.failed += others.failed
        self.faults += others.faults[: _MAX_FAULTS - len(self.faults)]

    def fail(self, key: bytes, number: int, reason: object) -> None:
        """Count a key that could not be copied."""
        self.failed += 1
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(f"key {key[:100]!r} of database {number}: {reason}")


class _Dumped(NamedTuple):
    key: bytes
    value: bytes
    left_ms: int


def import_from(url: str, folder: Path, *, replaces: bool, tell: Callable[[int, int], None]) -> Counts:
    """Copy all keys of a server into the store of a folder, which may be served meanwhile.

    :param replaces: keys that the store has are replaced.
    :param tell: called with the keys that were copied, and those that the server has.
    :raises StoreError: the server can't be asked, or the store not be written.
    """
    if not is_remote(url) or url.startswith("cluster:"):
        raise StoreError("--from: expected redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH")
    refuse_another_users(folder)
    try:
        import redis  # noqa: PLC0415 - an extra
    except ImportError:
        raise StoreError("the import needs the library redis: pip install 'corepool[redis]'") from None
    store = LmdbStore(str(folder), StoreOptions())
    store.check()
    store.open(1)
    with closing(store):
        try:
            return _import(redis, url, store, replaces=replaces, tell=tell)
        except redis.RedisError as error:
            raise StoreError(f"the server can't be asked: {error}") from None


def _import(redis: Any, url: str, store: Store, *, replaces: bool, tell: Callable[[int, int], None]) -> Counts:
    counts = Counts()
    with redis.Redis.from_url(url) as server:
        sizes = {int(name[2:]): found["keys"] for name, found in server.info("keyspace").items()}
        chosen = server.connection_pool.connection_kwargs.get("db") or 0
    if "/" in url.partition("://")[2].partition("?")[0].strip("/") and not url.startswith("unix:"):
        sizes = {chosen: sizes.get(chosen, 0)}  # the URL names a database
    if beyond := [number for number in sizes if number >= DATABASES]:
        raise StoreError(f"the server has keys in database {beyond[0]}; a store has {DATABASES}, from 0 on")
    for number in sizes:
        with redis.Redis.from_url(url, db=number) as server:
            for batch in _dumped(server):
                _write(store, number, batch, counts, replaces=replaces)
                tell(counts.copied, sum(sizes.values()))
    return counts


def _dumped(server: Any) -> Iterator[list[_Dumped]]:
    keys = server.scan_iter(count=_SCANNED)
    while batch := list(itertools.islice(keys, _AT_ONCE)):
        pipeline = server.pipeline(transaction=False)
        for key in batch:
            pipeline.dump(key)
            pipeline.pttl(key)
        replies = pipeline.execute()
        found = zip(batch, replies[::2], replies[1::2], strict=True)
        yield [_Dumped(key, value, left) for key, value, left in found if value is not None and left != _GONE_MS]


def _write(store: Store, number: int, batch: list[_Dumped], counts: Counts, *, replaces: bool) -> None:
    """Write some keys in one transaction.

    :raises StoreError: they can't be written.
    """
    while True:
        written = Counts()
        try:
            transaction = store.begin()
        except NoRoomError:
            store.make_room()
            continue
        try:
            limits = Limits(store.max_key_bytes, _MAX_VALUE, 0)
            db = Keyspace(transaction, limits, time.time_ns() // 1_000_000).select(number)
            for each in batch:
                _adopt(db, each, written, replaces=replaces)
            store.commit(transaction)
        except NoRoomError:
            store.abort(transaction)
            store.make_room()
            continue
        except StoreError:
            store.abort(transaction)
            raise
        counts.add(written)
        return


def _adopt(db: Keyspace, each: _Dumped, counts: Counts, *, replaces: bool) -> None:
    if not replaces and db.peek(each.key) is not None:
        counts.kept += 1
        return
    try:
        expires_ms = min(db.now_ms + each.left_ms, LARGEST) if each.left_ms > 0 else 0
        adopt(db, each.key, each.value, expires_ms, _MAX_ELEMENTS)
    except DumpError:
        counts.fail(each.key, db.number, "its type, or the way it is serialized, is unknown here")
    except RefusedError as error:
        counts.fail(each.key, db.number, error)
    else:
        counts.copied += 1
