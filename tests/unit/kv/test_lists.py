"""Lists on both stores beside those of Python: any order of changes at both ends and in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_stores import KINDS, changing, opened, reading

from corepool_kv.engine import lists
from corepool_kv.engine.lists import List

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.stores import Store

VALUE = st.binary(max_size=2)
WHERE = st.floats(0, 1)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("push"), VALUE, st.booleans()),
        st.tuples(st.just("push"), VALUE, st.booleans()),
        st.tuples(st.just("extend"), st.integers(1, 40), st.booleans()),
        st.tuples(st.just("pop"), st.booleans()),
        st.tuples(st.just("set"), WHERE, VALUE),
        st.tuples(st.just("insert"), WHERE, VALUE),
        st.tuples(st.just("remove"), st.sets(WHERE, min_size=1, max_size=4)),
        st.tuples(st.just("trim"), WHERE, WHERE),
    ),
    max_size=20,
)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


def index_of(where: float, model: list[bytes]) -> int:
    return int(where * (len(model) - 1))


def change(found: List, model: list[bytes], name: str, *arguments: Any) -> None:
    match name, *arguments:
        case "push", value, left:
            found.push(value, left=left)
            model.insert(0 if left else len(model), value)
        case "extend", count, left:
            for number in range(count):
                change(found, model, "push", b"%d" % number, left)
        case "pop", left if model:
            assert found.pop(left=left) == model.pop(0 if left else -1)
        case "set", where, value if model:
            index = index_of(where, model)
            found.set(index, value)
            model[index] = value
        case "insert", where, value if model:
            index = index_of(where, model)
            found.insert(index, value)
            model.insert(index, value)
        case "remove", places if model:
            indexes = sorted({index_of(where, model) for where in places})
            found.remove(indexes)
            for index in reversed(indexes):
                del model[index]
        case "trim", one, two if model:
            start, stop = sorted((index_of(one, model), index_of(two, model)))
            found.save()
            found.trim(start, stop)
            model[:] = model[start:stop]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=5), st.sampled_from([1, 3, 1000]))
def test_any_changes_leave_what_a_list_has(store: Store, transactions: Any, batch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_MOVED_AT_A_TIME", batch)
        patch.setattr(lists, "_CUT_AT_ONCE", batch * 5)
        with changing(store) as db:
            db.clear()
        model: list[bytes] = []
        for changes, aborts in transactions:
            after = model[:]
            with changing(store, abort=aborts) as db:
                for each in changes:
                    found = List.open(db, b"a")
                    before = found.id
                    change(found, after, *each)
                    if each[0] != "trim":
                        found.save()
                    again = List.open(db, b"a")
                    assert list(again.between(0, len(again))) == after
                    if after and again.id == before:
                        assert len(list(db.elements.between(again.id, b"", b"\xff"))) == len(after)
            model = model if aborts else after
            with reading(store) as view:
                found_now = List.find(view, b"a")
                values = [] if found_now is None else list(found_now.between(0, len(found_now)))
                assert values == model
                if found_now is not None:
                    assert [found_now.get(index) for index in range(-1, len(model) + 1)] == [None, *model, None]
                    assert list(found_now.between(1, len(model) - 1, reverse=True)) == model[1:-1][::-1]
    with changing(store) as db:
        db.delete(b"a")
    with changing(store) as db:
        while db.elements.remove_garbage(100):
            pass
        assert not db.elements.has_garbage()
