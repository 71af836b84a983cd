"""Sorted sets on both stores beside a dictionary that is sorted again and again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_stores import KINDS, changing, opened, reading

from corepool_kv.engine import sorted_sets
from corepool_kv.engine.sorted_sets import LexRange, ScoreRange, SortedSet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Store

MEMBER = st.sampled_from([b"", b"a", b"b", b"ab", b"\xff", b"\0", b"x" * 462, b"x" * 463, b"y" * 600, b"z" * 700])
SCORE = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, 5e-324, -5e-324, 1.7e308]),
    st.floats(allow_nan=False),
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), MEMBER, SCORE),
        st.tuples(st.just("add"), MEMBER, SCORE),
        st.tuples(st.just("remove"), MEMBER),
        st.tuples(st.just("remove ranks"), st.integers(0, 5), st.integers(0, 5)),
        st.tuples(st.just("remove scores"), SCORE, SCORE),
    ),
    max_size=15,
)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


def in_order(model: dict[bytes, float]) -> list[tuple[bytes, float]]:
    return sorted(model.items(), key=lambda item: (item[1], item[0]))


def closed(low: float, high: float) -> ScoreRange:
    return ScoreRange(low, high, excludes_low=False, excludes_high=False)


def change(db: Keyspace, model: dict[bytes, float], name: str, *arguments: Any) -> None:
    found = SortedSet.open(db, b"a")
    match name, *arguments:
        case "add", member, score:
            found.add(member, score, found.score(member))
            found.save()
            model[member] = score
        case "remove", member:
            assert found.remove(member) == (model.pop(member, None) is not None)
            found.save()
        case "remove ranks", start, count:
            start = min(start, len(model))
            gone = in_order(model)[start : start + count]
            assert found.remove_all(found.by_rank(start, start + len(gone))) == len(gone)
            for member, _ in gone:
                del model[member]
        case "remove scores", low, high:
            kept = {member: score for member, score in model.items() if not low <= score <= high}
            assert found.remove_all(found.by_score(closed(low, high))) == len(model) - len(kept)
            model.clear()
            model.update(kept)


def check(db: Keyspace, model: dict[bytes, float]) -> None:
    found = SortedSet.find(db, b"a")
    if not model:
        assert found is None
        return
    assert found is not None
    expected = in_order(model)
    assert len(found) == len(expected)
    assert list(found.by_rank(0, len(expected))) == expected
    assert dict(found.members()) == model
    assert len(list(db.elements.between(found.id, b"", b"\xff"))) == 2 * len(expected), "nothing is left behind"
    for rank, (member, score) in enumerate(expected):
        assert found.score(member) == score
        assert found.rank(member, score) == rank
    for start in range(len(expected) + 1):
        for stop in range(start, len(expected) + 1):
            assert list(found.by_rank(start, stop)) == expected[start:stop]
            assert list(found.by_rank(start, stop, reverse=True)) == expected[::-1][start:stop]
    bounds = sorted({score for _, score in expected})
    for low, high in zip(bounds, bounds[1:] + bounds[-1:], strict=True):
        for without_low in (False, True):
            for without_high in (False, True):
                scores = ScoreRange(low, high, excludes_low=without_low, excludes_high=without_high)
                inside = [
                    (member, score)
                    for member, score in expected
                    if (low < score if without_low else low <= score)
                    and (score < high if without_high else score <= high)
                ]
                assert list(found.by_score(scores)) == inside
                assert list(found.by_score(scores, reverse=True)) == inside[::-1]
                assert found.count_by_score(scores) == len(inside)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=4), st.sampled_from([1, 3, 1000]))
def test_any_changes_leave_what_a_sorted_dictionary_has(store: Store, transactions: Any, batch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_sets, "_REMOVED_ONE_BY_ONE", batch)
        with changing(store) as db:
            db.clear()
        model: dict[bytes, float] = {}
        for changes, aborts in transactions:
            after = dict(model)
            with changing(store, abort=aborts) as db:
                for each in changes:
                    change(db, after, *each)
                check(db, after)
            model = model if aborts else after
            with reading(store) as db:
                check(db, model)


BOUND = st.one_of(st.none(), MEMBER, st.binary(max_size=2))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.one_of(MEMBER, st.binary(max_size=2)), max_size=8), BOUND, BOUND, st.tuples(st.booleans(), st.booleans())
)
def test_members_of_one_score_are_found_by_their_bytes(
    store: Store, members: set[bytes], low: bytes | None, high: bytes | None, without: tuple[bool, bool]
) -> None:
    without_low, without_high = without
    bounds = LexRange(low, high, excludes_low=without_low, excludes_high=without_high)
    inside = [
        member
        for member in sorted(members)
        if (low is None or (low < member if without_low else low <= member))
        and (high is None or (member < high if without_high else member <= high))
    ]
    with changing(store) as db:
        db.clear()
        found = SortedSet.open(db, b"a")
        for member in members:
            found.add(member, 7.5, None)
        assert [member for member, _ in found.by_lex(bounds)] == inside
        assert [member for member, _ in found.by_lex(bounds, reverse=True)] == inside[::-1]


def test_long_members_that_begin_alike_are_all_found(store: Store) -> None:
    members = {b"x" * 500 + b"%d" % number for number in range(50)}
    bounds = LexRange(b"x" * 500 + b"2", b"x" * 500 + b"3", excludes_low=False, excludes_high=True)
    with changing(store) as db:
        found = SortedSet.open(db, b"a")
        for member in members:
            found.add(member, 1, None)
        assert {member for member, _ in found.by_rank(0, 50)} == members
        wanted = {member for member in members if b"x" * 500 + b"2" <= member < b"x" * 500 + b"3"}
        for reverse in (False, True):
            assert {member for member, _ in found.by_lex(bounds, reverse=reverse)} == wanted
