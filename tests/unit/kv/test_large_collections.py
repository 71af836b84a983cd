"""Commands on large collections look at each element a few times: counted, not timed. Moves are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kv_stores import KINDS, LIMITS, NOW_MS, changing, opened, reading

from corepool_kv.engine.keyspace import Keyspace
from corepool_kv.engine.lists import List
from corepool_kv.engine.sets import Set
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.redis.commands import lists, set_operations, sets, sorted_ranges, sorted_sets
from corepool_kv.redis.replies import Error
from corepool_kv.stores.lmdb import LmdbStore
from corepool_kv.stores.options import StoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.stores import Element, Elements, Store, View

COUNT = 5000


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


class Counted:
    """Elements that count how many of them were looked at."""

    def __init__(self, elements: Elements) -> None:
        self._elements = elements
        self.looks = 0

    def get(self, collection: bytes, name: bytes) -> bytes | None:
        self.looks += 1
        return self._elements.get(collection, name)

    def between(self, collection: bytes, low: bytes, high: bytes, *, reverse: bool = False) -> Iterator[Element]:
        for each in self._elements.between(collection, low, high, reverse=reverse):
            self.looks += 1
            yield each

    def __getattr__(self, name: str) -> object:
        return getattr(self._elements, name)


class CountedView:
    """A view whose elements are counted."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._counted = Counted(view.elements())

    def elements(self) -> Counted:
        return self._counted

    def __getattr__(self, name: str) -> object:
        return getattr(self._view, name)


def counting(db: Keyspace) -> tuple[Keyspace, Counted]:
    """Return the same data, and the count of looks at their elements."""
    view = CountedView(db.view)
    return Keyspace(view, LIMITS, NOW_MS), view.elements()  # type: ignore[arg-type]


def fill(db: Keyspace) -> None:
    sorted_sets.zadd(db, [b"z", *[word for number in range(COUNT) for word in (b"%d" % number, b"%d" % number)]])


@pytest.mark.parametrize(("begin", "end"), [(b"100", b"-1"), (b"1", b"-2"), (b"0", b"-101"), (b"2000", b"3999")])
def test_removing_ranks_looks_at_each_member_a_few_times(store: Store, begin: bytes, end: bytes) -> None:
    with changing(store) as data:
        fill(data)
        db, counted = counting(data)
        first, last = int(begin), int(end) % COUNT
        assert sorted_ranges.zremrangebyrank(db, [b"z", begin, end]) == last - first + 1
        assert counted.looks < 4 * COUNT
        found = SortedSet.find(db, b"z")
        assert found is not None
        kept = [number for number in range(COUNT) if not first <= number <= last]
        assert [int(member) for member, _ in found.by_rank(0, len(found))] == kept
        assert [found.score(b"%d" % number) for number in kept] == kept


def test_a_range_of_bytes_in_a_set_of_several_scores_is_removed_in_one_look(store: Store) -> None:
    with changing(store) as data:
        fill(data)
        db, counted = counting(data)
        assert sorted_ranges.zremrangebylex(db, [b"z", b"[2000", b"+"])
        assert counted.looks < 4 * COUNT


def test_members_that_are_left_to_the_sweeper_are_removed(store: Store) -> None:
    with changing(store) as db:
        fill(db)
        sorted_ranges.zremrangebyrank(db, [b"z", b"0", b"-101"])
    with changing(store) as db:
        assert db.elements.remove_garbage(10 * COUNT) >= 2 * COUNT
        assert not db.elements.has_garbage()
        assert len(list(db.elements.between(SortedSet.open(db, b"z").id, b"", b"\xff"))) == 200


def test_a_union_of_many_sets_looks_at_each_member_a_few_times(store: Store) -> None:
    keys = [b"s%d" % number for number in range(50)]
    with changing(store) as data:
        for key in keys:
            sets.sadd(data, [key, b"in all", *[b"%b %d" % (key, number) for number in range(20)]])
        db, counted = counting(data)
        union = set_operations.sunion(db, keys)
        assert len(union.items) == 50 * 20 + 1  # type: ignore[union-attr]
        assert counted.looks < 3 * 50 * 21
        assert set_operations.sunionstore(db, [b"t", *keys]) == 50 * 20 + 1
        assert counted.looks < 6 * 50 * 21
        stored = Set.find(db, b"t")
        assert stored is not None
        assert set(stored.members()) == set(union.items)  # type: ignore[union-attr]


def test_elements_that_are_longer_than_a_listener_lets_in_are_moved_all_the_same(store: Store) -> None:
    long, member = b"v" * 100, b"m" * 100
    with changing(store) as db:
        lists.rpush(db, [b"l", long])
        sets.sadd(db, [b"s", member])
        sorted_sets.zadd(db, [b"z", b"1", member])
    transaction = store.begin()
    db = Keyspace(transaction, LIMITS._replace(value=10), NOW_MS)
    assert lists.rpoplpush(db, [b"l", b"l2"]) == long
    assert sets.smove(db, [b"s", b"s2", member]) == 1
    assert set_operations.sunionstore(db, [b"s3", b"s2"]) == 1
    assert sorted_ranges.zrangestore(db, [b"z2", b"z", b"0", b"-1"]) == 1
    store.commit(transaction)
    with reading(store) as db:
        assert List.open(db, b"l2").get(0) == long
        assert set(Set.open(db, b"s2").members()) == set(Set.open(db, b"s3").members()) == {member}
        assert SortedSet.open(db, b"z2").score(member) == 1


@pytest.mark.parametrize("options", [[b"zmpop", b"1", b"z", b"MIN", b"COUNT", b"100"], [b"zpopmax", b"z", b"100"]])
def test_members_that_are_no_reply_are_not_popped(store: Store, options: list[bytes]) -> None:
    with changing(store) as db:
        for number in range(100):
            sorted_sets.zadd(db, [b"z", b"1", b"%d" % number])
    transaction = store.begin()
    db = Keyspace(transaction, LIMITS._replace(reply=1024), NOW_MS)
    name, *args = options
    pop = sorted_sets.zmpop if name == b"zmpop" else sorted_sets.zpopmax
    with pytest.raises(Error, match="a reply of more than 1024 bytes"):
        pop(db, args)
    assert SortedSet.open(db, b"z").count == 100
    assert len(sorted_sets.zmpop(db, [b"1", b"z", b"MAX", b"COUNT", b"15"])[1]) == 15  # type: ignore[index,arg-type]
    store.commit(transaction)
    with reading(store) as db:
        assert SortedSet.open(db, b"z").count == 85


def test_collections_made_in_a_restored_compact_copy_have_elements_of_their_own(tmp_path: Path) -> None:
    """A compact copy counts its transactions from 1 again, and the IDs of collections are made of their numbers."""
    keys = [b"%d" % number for number in range(20)]
    with opened("lmdb:", tmp_path) as store:
        assert isinstance(store, LmdbStore)
        for key in keys:
            with changing(store) as db:
                sets.sadd(db, [key, b"of " + key])
        (tmp_path / "copy").mkdir()
        store._env.copy(str(tmp_path / "copy"), compact=True)  # noqa: SLF001
    restored = LmdbStore(str(tmp_path / "copy"), StoreOptions())
    restored.open(1)
    for key in keys:
        with changing(restored) as db:
            sets.sadd(db, [b"new " + key, b"new"])
    with reading(restored) as db:
        for key in keys:
            assert set(Set.open(db, key).members()) == {b"of " + key}
            assert set(Set.open(db, b"new " + key).members()) == {b"new"}
    restored.close()
