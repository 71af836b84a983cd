"""Stores of both kinds in the test's process, and keyspaces on them."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.stores.options import StoreOptions, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.stores import Store

NOW_MS = 1_800_000_000_000
LIMITS = Limits(503, 1 << 26, 1 << 26)
KINDS = ("memory:", "lmdb:")


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Store]:
    """Yield an open store."""
    place = f"lmdb:{folder}/data" if kind == "lmdb:" else kind
    store = make_store(StoreOptions(store=place, durability="never"))
    store.open(1)
    with closing(store):
        yield store


@contextmanager
def changing(store: Store, *, abort: bool = False) -> Iterator[Keyspace]:
    """Yield the data in a transaction, which is committed, or aborted."""
    transaction = store.begin()
    yield Keyspace(transaction, LIMITS, NOW_MS)
    if abort:
        store.abort(transaction)
    else:
        store.commit(transaction)


@contextmanager
def reading(store: Store) -> Iterator[Keyspace]:
    """Yield the data."""
    view = store.read()
    yield Keyspace(view, LIMITS, NOW_MS)
    store.release(view)
