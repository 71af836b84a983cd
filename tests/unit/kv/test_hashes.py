"""Hashes on both stores beside dictionaries: any order of changes, aborted transactions, keys that come and go."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_stores import KINDS, NOW_MS, changing, opened, reading

from corepool_kv.engine.collection import copied
from corepool_kv.engine.hashes import Hash
from corepool_kv.engine.names import MAX_WHOLE, name_of
from corepool_kv.stores import MAX_NAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Store

KEYS = st.sampled_from([b"a", b"b", b"string"])
# Two CRCs are the same, two names are long and begin alike, two are just short enough and just too long.
FIELDS = st.sampled_from(
    [b"", b"f", b"g", b"plumless", b"buckeroo", b"x" * 600, b"x" * 601, b"y" * MAX_WHOLE, b"y" * (MAX_WHOLE + 1)]
)
CHANGE = st.one_of(
    st.tuples(st.just("put"), KEYS, FIELDS, st.binary(max_size=4)),
    st.tuples(st.just("put"), KEYS, FIELDS, st.binary(max_size=4)),
    st.tuples(st.just("remove"), KEYS, FIELDS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("set"), KEYS),
    st.tuples(st.just("move"), KEYS, KEYS),
    st.tuples(st.just("copy"), KEYS, KEYS),
    st.tuples(st.just("expire"), KEYS),
    st.tuples(st.just("sweep"), st.integers(1, 5)),
    st.tuples(st.just("clear")),
)
CHANGES = st.lists(st.tuples(st.lists(CHANGE, max_size=12), st.booleans()), max_size=6)

Model = dict[bytes, dict[bytes, bytes] | bytes]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


def contents(db: Keyspace) -> Model:
    found: Model = {}
    for key in db.view.scan(0, 100)[1]:
        record = db.find(key)
        if record is None:
            continue
        if record.type == ord("s"):
            found[key] = record.value
            continue
        collection = Hash.find(db, key)
        assert collection is not None
        items = dict(collection.items())
        assert len(collection) == len(items) > 0
        assert all(collection.get(field) == value for field, value in items.items())
        found[key] = items
    return found


def change(db: Keyspace, model: Model, name: str, *arguments: Any) -> None:
    match name, *arguments:
        case "put", key, field, value:
            if isinstance(model.get(key), bytes):
                return
            fields = model.setdefault(key, {})
            assert isinstance(fields, dict)
            found = Hash.open(db, key)
            assert found.put(field, value) == (field not in fields)
            fields[field] = value
            found.save()
        case "remove", key, field:
            fields = model.get(key)
            if isinstance(fields, dict):
                found = Hash.open(db, key)
                assert found.remove(field) == (fields.pop(field, None) is not None)
                found.save()
                if not fields:
                    del model[key]
        case "delete", key:
            assert db.delete(key) == (model.pop(key, None) is not None)
        case "set", key:
            db.put(key, b"value")
            model[key] = b"value"
        case "move", source, target:
            record = db.find(source)
            assert (record is not None) == (source in model)
            if record is not None and source != target:
                db.put_record(target, record)
                db.detach(source)
                model[target] = model.pop(source)
        case "copy", source, target:
            record = db.find(source)
            if record is not None and source != target:
                db.put_record(target, copied(db, record, db))
                value = model[source]
                model[target] = value if isinstance(value, bytes) else dict(value)
        case "expire", key:
            record = db.find(key)
            if record is not None:
                db.put_record(key, record._replace(expires_ms=NOW_MS + 1))
                later = type(db)(db.view, db.limits, NOW_MS + 2)
                assert later.find(key) is None
                assert later.remove_expired(10) == 1
                del model[key]
        case "sweep", limit:
            assert db.elements.remove_garbage(limit) <= limit + 1
        case ["clear"]:
            db.clear()
            model.clear()


def copy(model: Model) -> Model:
    return {key: value if isinstance(value, bytes) else dict(value) for key, value in model.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_any_changes_leave_what_a_dictionary_has(store: Store, transactions: Any) -> None:
    with changing(store) as db:
        db.clear()
    model: Model = {}
    for changes, aborts in transactions:
        after = copy(model)
        with changing(store, abort=aborts) as db:
            for each in changes:
                change(db, after, *each)
            assert contents(db) == after
        model = model if aborts else after
        with reading(store) as db:
            assert contents(db) == model


def test_a_huge_hash_is_removed_a_few_elements_at_a_time(store: Store) -> None:
    for remove in (lambda db: db.delete(b"a"), lambda db: db.put(b"a", b"x")):
        with changing(store) as db:
            db.delete(b"a")
            found = Hash.open(db, b"a")
            for number in range(5000):
                found.put(b"%d" % number, b"value")
            found.save()
        with changing(store) as db:
            remove(db)
            assert Hash.find(db, b"b") is None
            again = Hash(db, b"a", None)
            assert list(again.items()) == [], "elements left behind are not found"
        rounds = []
        while True:
            with changing(store) as db:
                if not db.elements.has_garbage():
                    break
                rounds.append(db.elements.remove_garbage(1000))
        assert sum(rounds) >= 5000
        assert max(rounds) <= 1001


def test_what_is_removed_and_undone_is_not_swept(store: Store) -> None:
    with changing(store) as db:
        found = Hash.open(db, b"a")
        for number in range(1000):
            found.put(b"%d" % number, b"value")
        found.save()
    with changing(store, abort=True) as db:
        db.delete(b"a")
        db.elements.remove_garbage(10**6)
    with reading(store) as db:
        found = Hash.open(db, b"a")
        assert len(list(found.items())) == 1000


@pytest.mark.parametrize("size", [1, 3, 100, 2000])
def test_scan_meets_every_field_that_stays_and_choices_are_fair(store: Store, size: int) -> None:
    fields = {b"%d" % number for number in range(size)}
    with changing(store) as db:
        found = Hash.open(db, b"a")
        for field in fields:
            found.put(field, b"value")
        found.save()
        met, cursor = set(), 0
        while True:
            cursor, items = found.scan(cursor, 7)
            met.update(field for field, _ in items)
            # Others come and go meanwhile.
            found.put(random.randbytes(4) + b"!", b"")  # noqa: S311
            if not cursor:
                break
        assert fields <= met
        chosen = Counter(found.choose()[0] for _ in range(20 * size if size < 2000 else 4000))
        assert len(chosen) > 0.6 * size
        for count in (0, 1, size // 10, size, 2 * size):
            distinct = [field for field, _ in found.choose_distinct(count)]
            assert len(distinct) == len(set(distinct)) == min(count, len(found))


def test_names_fit_into_any_store() -> None:
    assert max(len(name_of(b"x" * length)) for length in (0, MAX_WHOLE, MAX_WHOLE + 1, 10**6)) <= MAX_NAME_BYTES
    assert name_of(b"x" * 10_000) != name_of(b"x" * 10_001)
    assert name_of(b"plumless")[:5] == name_of(b"buckeroo")[:5], "two CRCs that are the same"
