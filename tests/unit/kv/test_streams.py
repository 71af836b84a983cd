"""Streams and groups on both stores beside dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_stores import KINDS, NOW_MS, changing, opened, reading

from corepool_kv.engine import stream_groups, streams
from corepool_kv.engine.collection import copied
from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import MAX_ID, Stream
from corepool_kv.redis.commands.stream_claims import xautoclaim
from corepool_kv.redis.commands.stream_reading import xread, xreadgroup
from corepool_kv.redis.replies import Error
from corepool_kv.stores.memory_elements import MemoryElements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.stores import Store

NAME = st.sampled_from([b"", b"a", b"b", b"\xff" * 30, b"x" * 462, b"x" * 463, b"x" * 600, b"x" * 599 + b"y"])
ID = st.integers(0, 30)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3), st.lists(st.binary(max_size=3), max_size=4)),
        st.tuples(st.just("add"), st.integers(1, 3), st.lists(st.binary(max_size=3), max_size=4)),
        st.tuples(st.just("remove"), ID),
        st.tuples(st.just("trim to"), st.integers(0, 6), st.integers(0, 3)),
        st.tuples(st.just("trim before"), ID, st.integers(0, 3)),
        st.tuples(st.just("create"), NAME),
        st.tuples(st.just("destroy"), NAME),
        st.tuples(st.just("deliver"), NAME, NAME, st.integers(1, 3)),
        st.tuples(st.just("deliver"), NAME, NAME, st.integers(1, 3)),
        st.tuples(st.just("claim"), NAME, NAME, ID),
        st.tuples(st.just("acknowledge"), NAME, ID),
        st.tuples(st.just("leave"), NAME, NAME),
        st.tuples(st.just("copy")),
    ),
    max_size=20,
)


class Model:
    """What a stream should have."""

    def __init__(self) -> None:
        self.entries: dict[int, list[bytes]] = {}
        self.last_id = 0
        self.groups: dict[bytes, tuple[int, dict[bytes, set[int]]]] = {}
        """The last ID, and the pending ones of each consumer."""

    def copy(self) -> Model:
        other = Model()
        other.entries, other.last_id = dict(self.entries), self.last_id
        for name, (last_id, consumers) in self.groups.items():
            other.groups[name] = last_id, {each: set(ids) for each, ids in consumers.items()}
        return other


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


def change_entries(found: Stream, model: Model, name: str, *arguments: Any) -> None:
    gone: list[int] = []
    match name, *arguments:
        case "add", step, fields:
            model.last_id += step
            model.entries[model.last_id] = fields
            found.add(model.last_id, fields)
        case "remove", entry_id:
            assert found.remove(entry_id) == (model.entries.pop(entry_id, None) is not None)
        case "trim to", length, limit:
            gone = sorted(model.entries)[: max(0, len(model.entries) - length)]
            gone = gone[:limit] if limit else gone
            assert found.trim_to(length, limit) == len(gone)
        case "trim before", entry_id, limit:
            gone = [each for each in sorted(model.entries) if each < entry_id]
            gone = gone[:limit] if limit else gone
            assert found.trim_before(entry_id, limit) == len(gone)
    for entry_id in gone:
        del model.entries[entry_id]


def change_groups(found: Stream, model: Model, name: str, group_name: bytes, *arguments: Any) -> None:
    group = Group.find(found, group_name)
    assert (group is None) == (group_name not in model.groups)
    if group is None:
        if name == "create":
            Group.create(found, group_name, 0, None, set()).save()
            model.groups[group_name] = 0, {}
        return
    last_id, consumers = model.groups[group_name]
    match name, *arguments:
        case ("destroy",):
            group.destroy()
            del model.groups[group_name]
            return
        case "deliver", consumer, count:
            ids = [each for each in sorted(model.entries) if each > last_id][:count]
            group.deliver(group.seen(consumer), ids, keeps=True)
            consumers.setdefault(consumer, set()).update(ids)
            model.groups[group_name] = max([last_id, *ids]), consumers
        case "claim", consumer, entry_id:
            before = group.delivery(entry_id)
            group.assign(entry_id, group.seen(consumer), NOW_MS, 1, before)
            for ids in consumers.values():
                ids.discard(entry_id)
            consumers.setdefault(consumer, set()).add(entry_id)
        case "acknowledge", entry_id:
            delivery = group.delivery(entry_id)
            assert (delivery is not None) == any(entry_id in ids for ids in consumers.values())
            if delivery is not None:
                assert entry_id in consumers[delivery.consumer.name]
                group.release(delivery)
                consumers[delivery.consumer.name].remove(entry_id)
        case "leave", name_of_consumer:
            consumer = group.consumer(name_of_consumer)
            assert (consumer is None) == (name_of_consumer not in consumers)
            if consumer is not None:
                assert group.remove_consumer(consumer) == len(consumers.pop(name_of_consumer))
    group.save()


def change(db: Keyspace, model: Model, name: str, *arguments: Any) -> None:
    found = Stream.open(db, b"a")
    if name in ("add", "remove", "trim to", "trim before"):
        change_entries(found, model, name, *arguments)
        found.save()
    elif name == "copy":
        found.save()
        record = db.find(b"a")
        assert record is not None
        db.put_record(b"a", copied(db, record, db))
    else:
        found.save()
        change_groups(found, model, name, *arguments)


def check(db: Keyspace, model: Model) -> None:
    found = Stream.find(db, b"a")
    if found is None:
        assert not model.entries
        return
    ids = sorted(model.entries)
    assert list(found.entries(0, MAX_ID)) == [(each, model.entries[each]) for each in ids]
    assert [each for each, _ in found.entries(3, 9, reverse=True)] == [each for each in ids[::-1] if 3 <= each <= 9]
    assert (len(found), found.last_id) == (len(ids), model.last_id)
    assert (found.first_id, found.top_id) == ((ids[0], ids[-1]) if ids else (0, 0))
    assert {each.name for each in Group.all(found)} == set(model.groups)
    elements = 1 + len(ids)
    for group in Group.all(found):
        last_id, consumers = model.groups[group.name]
        pending = {entry_id: name for name, ids in consumers.items() for entry_id in ids}
        assert group.last_id == last_id
        assert [(each.id, each.consumer.name) for each in group.deliveries(0, MAX_ID)] == sorted(pending.items())
        assert group.ends() == ((min(pending), max(pending)) if pending else None)
        assert (group.pending, group.consumers) == (len(pending), len(consumers))
        assert {each.name: each.pending for each in group.all_consumers()} == {
            name: len(ids) for name, ids in consumers.items()
        }
        for name, ids_of_one in consumers.items():
            mine = group.consumer(name)
            assert [each.id for each in group.deliveries(0, MAX_ID, mine)] == sorted(ids_of_one)
        elements += 1 + len(consumers) + 2 * len(pending)
    assert len(list(db.elements.between(found.id, b"", b"\xff"))) == elements, "nothing is left behind"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=4), st.sampled_from([1, 3, 1000]))
def test_any_changes_leave_what_dictionaries_have(store: Store, transactions: Any, batch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CUT_AT_ONCE", batch)
        patch.setattr(stream_groups, "_REMOVED_AT_A_TIME", batch)
        with changing(store) as db:
            db.clear()
        model = Model()
        for changes, aborts in transactions:
            after = model.copy()
            with changing(store, abort=aborts) as db:
                for each in changes:
                    change(db, after, *each)
                check(db, after)
            model = model if aborts else after
            with reading(store) as db:
                check(db, model)


def test_a_removed_stream_leaves_no_elements(store: Store) -> None:
    with changing(store) as db:
        found = Stream.open(db, b"a")
        for number in range(1, 500):
            found.add(number, [b"f", b"v"])
        found.save()
        group = Group.create(found, b"g", 0, None, set())
        group.deliver(group.seen(b"c"), range(1, 400), keeps=True)
        group.save()
    with changing(store) as db:
        assert db.delete(b"a")
    with changing(store) as db:
        while db.elements.has_garbage():
            assert db.elements.remove_garbage(100)
        assert not list(db.elements.between(found.id, b"", b"\xff"))


def test_what_waits_for_acknowledgements_is_not_copied_when_the_entries_before_it_go(store: Store) -> None:
    with changing(store) as db:
        found = Stream.open(db, b"s")
        for entry_id in range(1, 1002):
            found.add(entry_id, [b"f", b"v"])
        found.save()
        group = Group.create(found, b"g", 0, None, set())
        group.deliver(group.seen(b"c"), range(1, 1002), keeps=True)
        group.save()
        before = found.id
        assert found.trim_to(0) == 1001
        assert found.id == before
        assert (len(found), list(found.entries(0, MAX_ID)), group.pending) == (0, [], 1001)


def test_a_client_waits_for_any_number_of_entries(store: Store) -> None:
    with changing(store) as db:
        for command, words in ((xread, [b"$"]), (xreadgroup, [b">"])):
            found = Stream.open(db, b"s")
            if found.is_new:
                found.save()
                Group.create(found, b"g", 0, None, set()).save()
            of_group = [b"GROUP", b"g", b"c"] if command is xreadgroup else []
            options = [b"COUNT", b"%d" % (2**63 - 1), b"BLOCK", b"0", b"STREAMS", b"s"]
            demand = command([*of_group, *options, *words]).attempt(db)
            assert isinstance(demand, StreamDemand)
            assert StreamDemand.unpack(demand.pack()) == demand


@pytest.mark.parametrize("way", ["to", "before"])
def test_a_trim_to_a_small_rest_looks_at_the_rest_alone(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0
    between = MemoryElements.between

    def counted(*args: Any, **keywords: Any) -> Iterator[tuple[bytes, bytes]]:
        nonlocal seen
        for element in between(*args, **keywords):
            seen += 1
            yield element

    with opened("memory:", tmp_path) as memory, changing(memory) as db:
        found = Stream.open(db, b"s")
        for entry_id in range(1, 5001):
            found.add(entry_id, [b"f", b"v"])
        found.save()
        monkeypatch.setattr(MemoryElements, "between", counted)
        removed = found.trim_to(3) if way == "to" else found.trim_before(4998)
        assert removed == 4997
        assert seen < 30
        assert [entry_id for entry_id, _ in found.entries(0, MAX_ID)] == [4998, 4999, 5000]


def test_a_trim_with_a_limit_does_not_count_what_it_may_not_remove(store: Store) -> None:
    with changing(store) as db:
        found = Stream.open(db, b"s")
        for entry_id in range(1, 3001):
            found.add(entry_id, [b"f", b"v"])
        found.save()
        assert found.trim_before(2990, limit=10) == 10
        assert found.trim_before(11, limit=10) == 0
        assert found.trim_before(2990) == 2979
        assert [entry_id for entry_id, _ in found.entries(0, MAX_ID)] == list(range(2990, 3001))


def test_the_ids_that_xautoclaim_found_deleted_are_part_of_the_bounded_reply(store: Store) -> None:
    with changing(store) as db:
        found = Stream.open(db, b"s")
        for entry_id in range(1, 101):
            found.add(entry_id, [b"f", b"v"])
        group = Group.create(found, b"g", 0, None, set())
        group.deliver(group.seen(b"c"), range(1, 101), keeps=True)
        group.save()
        for entry_id in range(1, 101):
            found.remove(entry_id)
        found.save()
    with changing(store) as db:
        short = Keyspace(db.view, Limits(503, 1 << 26, 200), NOW_MS)
        with pytest.raises(Error):
            xautoclaim(short, [b"s", b"g", b"other", b"0", b"0"])
        reply: Any = xautoclaim(db, [b"s", b"g", b"other", b"0", b"0"])
        assert len(reply[2]) == 100
