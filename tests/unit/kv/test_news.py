"""Clients that wait for a stream: those for whom there is nothing new cost next to nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kv_stores import KINDS, changing, opened

from corepool_kv.engine.blocking import Blocking
from corepool_kv.engine.line import NO_GROUP, NO_STREAM, TAKEN, Line, Outcome
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Store

CLIENTS = 30


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def blocking() -> Blocking:
    nothing: Any = SimpleNamespace(loop=None)
    return Blocking(nothing, nothing, "here", 503)


def add(db: Keyspace, entry_id: int) -> None:
    stream = Stream.open(db, b"s")
    stream.add(entry_id, [b"f", b"v"])
    stream.save()


def served(blocking: Blocking, db: Keyspace) -> list[Outcome]:
    """Serve the clients that wait, and return the outcomes in their order."""
    db.at_end.clear()
    blocking.serve(db)
    return [call.args[1] for call in db.at_end if isinstance(call.args[1], Outcome)]  # type: ignore[attr-defined]


def wait(blocking: Blocking, db: Keyspace, **options: Any) -> None:
    keys = (b"other", b"s", b"s")
    demand = StreamDemand(0, keys, **{"after": (0,) * 3, "most": 1000, "acknowledges": True} | options)
    waiter: Any = None
    blocking.begin(db, waiter, demand)


def test_demands_for_which_there_is_nothing_are_not_read(
    store: Store, blocking: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, found = Line.find, []
    monkeypatch.setattr(Line, "find", lambda line, place: found.append(place) or find(line, place))
    with changing(store) as db:
        for key in (b"s", b"other"):
            Stream.open(db, key).save()
            for name in (b"g", b"h"):
                stream = Stream.find(db, key)
                assert stream is not None
                Group.create(stream, name, 0, None, {each.number for each in Group.all(stream)}).save()
        for number in range(CLIENTS):
            wait(blocking, db, group=b"g", consumer=b"%d" % number)
            wait(blocking, db, group=b"h", consumer=b"%d" % number, most=1)
            wait(blocking, db, after=(0, 10, 0))
        add(db, 5)
        add(db, 6)
        db.gained = [(0, b"s")]
        outcomes = served(blocking, db)
        assert [(each.demand.group, each.demand.consumer) for each in outcomes] == [  # type: ignore[union-attr]
            (b"g", b"0"),
            (b"h", b"0"),
            (b"h", b"1"),
        ]
        assert [len(each.taken.elements) for each in outcomes if each.taken is not None] == [2, 1, 1]
        assert len(found) == 5, "those, and one more of each group"
        add(db, 11)
        assert len(served(blocking, db)) == 2 + CLIENTS


def test_all_consumers_are_told_of_the_end_of_their_group_and_stream(store: Store, blocking: Blocking) -> None:
    with changing(store) as db:
        Stream.open(db, b"s").save()
        for number in range(CLIENTS):
            wait(blocking, db, group=b"g", consumer=b"%d" % number)
            wait(blocking, db, after=(0, 0, 0))
        add(db, 5)
        assert [each.kind for each in served(blocking, db)] == [NO_GROUP, TAKEN] * CLIENTS
        for number in range(CLIENTS):
            wait(blocking, db, group=b"g", consumer=b"%d" % number)
            wait(blocking, db, after=(0, 5, 0))
        db.delete(b"s")
        db.gained = [(0, b"s")]
        assert [each.kind for each in served(blocking, db)] == [NO_STREAM] * CLIENTS
        add(db, 6)
        assert [each.kind for each in served(blocking, db)] == [TAKEN] * CLIENTS
