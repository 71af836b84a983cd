"""The store in memory beside a dict: transactions, expiry and the bound of bytes, under any order of changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.stores import NoRoomError, StoreError
from corepool_kv.stores.memory import MemoryStore

KEYS = st.sampled_from([b"a", b"b", b"c", b"dd"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=8), st.sampled_from([0, 50, 100, 150])),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("clear")),
    ),
    max_size=12,
)
NOW_MS = 100


def make(max_bytes: int = 1000, where: str = "") -> MemoryStore:
    options: Any = type("Options", (), {"max_bytes": max_bytes, "eviction": "noeviction"})()
    return MemoryStore(where, options)


def contents(store: MemoryStore) -> dict[bytes, tuple[bytes, int, int]]:
    records = store._databases[0]  # noqa: SLF001
    assert records.bytes == sum(len(key) + len(record.value) for key, record in records.all.items())
    assert sorted(records.keys.all) == sorted(records.all)
    assert sorted(records.expiring.all) == sorted(key for key, record in records.all.items() if record.expires_ms)
    return {key: (record.value, record.expires_ms, record.flags) for key, record in records.all.items()}


def apply(store: MemoryStore, changes: list[Any], model: dict[bytes, tuple[bytes, int, int]]) -> Any:
    transaction = store.begin()
    for name, *arguments in changes:
        if name == "put":
            key, value, expires_ms = arguments
            transaction.put(key, value, expires_ms, 7)
            model[key] = (value, expires_ms, 7)
        elif name == "delete":
            there = model.pop(arguments[0], None)
            lives = there is not None and not 0 < there[1] < NOW_MS
            assert transaction.delete(arguments[0], NOW_MS) == lives
        else:
            transaction.clear()
            model.clear()
    return transaction


@given(CHANGES, CHANGES)
def test_what_is_committed_stays_and_what_is_aborted_was_never_there(first: list[Any], second: list[Any]) -> None:
    store = make()
    model: dict[bytes, tuple[bytes, int, int]] = {}
    store.commit(apply(store, first, model))
    assert contents(store) == model
    store.abort(apply(store, second, dict(model)))

    assert contents(store) == model


@given(CHANGES)
def test_a_key_is_read_until_its_time_and_then_removed_within_a_limit(changes: list[Any]) -> None:
    store = make()
    model: dict[bytes, tuple[bytes, int, int]] = {}
    store.commit(apply(store, changes, model))
    expired = {key for key, (_, expires_ms, _) in model.items() if 0 < expires_ms < NOW_MS}
    view = store.begin()

    assert view.count() == len(model)
    assert view.count_expiring() == sum(1 for _, expires_ms, _ in model.values() if expires_ms)
    for key, (value, _, _) in model.items():
        assert view.get_value(key, NOW_MS) == (None if key in expired else value)
    assert view.get_value(b"none", NOW_MS) is None
    assert view.has_expired(NOW_MS) == bool(expired)
    assert len(view.remove_expired(NOW_MS, 1)) == min(1, len(expired))
    assert len(view.remove_expired(NOW_MS, 100)) == max(0, len(expired) - 1)
    assert set(contents(store)) == set(model) - expired


def test_times_of_keys_that_are_set_again_and_again_do_not_pile_up() -> None:
    store = make()
    transaction = store.begin()
    for number in range(10_000):
        transaction.put(b"key", b"value", 1000 + number, 0)
        assert len(store._databases[0]._expiry) < 2000, number  # noqa: SLF001

    assert transaction.remove_expired(5000, 10) == [], "its last time counts"
    assert transaction.remove_expired(20_000, 10) == [b"key"]


def test_the_bound_is_of_keys_and_values_and_a_refused_change_leaves_nothing() -> None:
    store = make(max_bytes=10)
    transaction = store.begin()
    transaction.put(b"key", b"7 bytes", 0, 0)
    store.commit(transaction)
    transaction = store.begin()
    transaction.put(b"key", b"another", 0, 0)
    with pytest.raises(NoRoomError):
        transaction.put(b"k", b"", 0, 0)
    store.abort(transaction)

    assert contents(store) == {b"key": (b"7 bytes", 0, 0)}


def test_a_version_is_never_used_again() -> None:
    store = make()
    transaction = store.begin()
    versions = set()
    for _ in range(3):
        transaction.put(b"key", b"", 0, 0)
        record = transaction.get(b"key")
        assert record is not None
        versions.add(record.version)
        transaction.delete(b"key", 0)

    assert len(versions) == 3


@pytest.mark.parametrize("where", ["a place", "/etc/x", "a.b"])
def test_a_name_is_one_word(where: str) -> None:
    with pytest.raises(StoreError, match="takes no place"):
        make(where=where)
    assert make(where="shared-1").identity() == "memory:shared-1"
    assert make().identity() is None


def test_memory_is_not_shared_by_workers() -> None:
    make().open(1)
    with pytest.raises(StoreError, match="can't be shared by 2 workers"):
        make().open(2)
