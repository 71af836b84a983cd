"""RESTORE of dumps that a few bytes make large, and DUMP of streams that are large in every part."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
from kv_stores import KINDS, changing, opened, reading

from corepool_kv.engine.errors import RefusedError
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import MAX_ID, Stream
from corepool_kv.redis.commands import dumping
from corepool_kv.redis.commands.dumping import adopt, dump_, restore
from corepool_kv.redis.dump_reader import DumpError, length_of
from corepool_kv.redis.dumps import dump_of_stream
from corepool_kv.redis.replies import Error
from corepool_kv.redis.stream_dumps import ConsumerValue, GroupValue, StreamValue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.stores import Store

SET_OF_INTEGERS, HASH, SORTED_SET, LIST, STREAM = 11, 16, 17, 18, 19
FOOTER = bytes(10)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as made:
        yield made


def compressed(head: bytes, pair: bytes, times: int, tail: bytes) -> bytes:
    """Return a string of the RDB format, compressed by LZF: a pair of bytes so many times, between others."""
    out = bytes((len(head) + 1,)) + head + pair
    left = 2 * times - 2
    while left > 2:
        step = min(left, 264)
        out += bytes((7 << 5, step - 9, 1)) if step >= 9 else bytes((step - 2 << 5, 1))
        left -= step
    if rest := pair[:left] + tail:
        out += bytes((len(rest) - 1,)) + rest
    return b"\xc3" + length_of(len(out)) + length_of(len(head) + 2 * times + len(tail)) + out


def listpack(elements: int) -> bytes:
    """Return a listpack of the number 1, so many times."""
    head = (7 + 2 * elements).to_bytes(4, "little") + b"\xff\xff"
    return compressed(head, b"\x01\x01", elements, b"\xff")


def intset(elements: int) -> bytes:
    head = (2).to_bytes(4, "little") + elements.to_bytes(4, "little")
    return compressed(head, b"\x01\x01", elements, b"")


@pytest.mark.parametrize(
    "packed",
    [
        bytes((SET_OF_INTEGERS,)) + intset(2001),
        bytes((HASH,)) + listpack(2002),
        bytes((SORTED_SET,)) + listpack(2002),
        bytes((LIST,)) + length_of(3) + (length_of(2) + listpack(700)) * 3,
        bytes((STREAM,)) + length_of(1) + length_of(16) + bytes(16) + listpack(2001),
    ],
    ids=["intset", "hash", "sorted set", "list", "stream"],
)
def test_a_dump_has_no_more_elements_than_it_may_have(store: Store, packed: bytes) -> None:
    with changing(store) as db:
        db.put(b"key", b"is kept")
        with pytest.raises(RefusedError, match="a serialized value of more than 2000 elements"):
            adopt(db, b"key", packed + FOOTER, 0, 2000)
        assert db.get(b"key") == b"is kept"


def test_a_dump_of_as_many_elements_as_it_may_have(store: Store) -> None:
    with changing(store) as db:
        adopt(db, b"key", bytes((LIST,)) + length_of(2) + (length_of(2) + listpack(1000)) * 2 + FOOTER, 0, 2000)
        assert dump_(db, [b"key"])


def test_a_group_of_a_dump_costs_the_same_beside_any_number_of_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [GroupValue(b"%d" % number, 0, None, {}, []) for number in range(30)]
    with changing(store) as db:
        with monkeypatch.context() as patch:
            patch.setattr(Group, "all", lambda _: pytest.fail("one group has read the others"))
            adopt(db, b"key", dump_of_stream(StreamValue([], 0, 0, 0, groups)), 0, 0)
        found = Stream.find(db, b"key")
        assert found is not None
        assert len({each.number for each in Group.all(found)}) == 30


def test_all_groups_of_a_stream_together_have_the_bound_of_a_dump(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumping, "MAX_DUMP_BYTES", 10_000)
    deliveries = dict.fromkeys(range(1, 101), (0, 1))
    groups = [
        GroupValue(b"%d" % number, 100, None, deliveries, [ConsumerValue(b"c", 0, list(deliveries))])
        for number in range(3)
    ]
    with changing(store) as db:
        adopt(db, b"one", dump_of_stream(StreamValue([], 100, 0, 0, groups[:1])), 0, 0)
        adopt(db, b"three", dump_of_stream(StreamValue([], 100, 0, 0, groups)), 0, 0)
    with reading(store) as db:
        assert dump_(db, [b"one"])
        with pytest.raises(Error, match="more than 10000 bytes is not serialized"):
            dump_(db, [b"three"])


@pytest.mark.parametrize(
    "group",
    [
        GroupValue(b"g", 1, None, {1: (0, 1 << 63)}, [ConsumerValue(b"c", 0, [1])]),
        GroupValue(b"g", 1, None, {1: (1 << 63, 1)}, [ConsumerValue(b"c", 0, [1])]),
        GroupValue(b"g", 1, None, {1: (0, 1)}, [ConsumerValue(b"c", 1 << 63, [1])]),
    ],
    ids=["deliveries", "their time", "time of a consumer"],
)
def test_numbers_of_a_dump_are_no_larger_than_a_client_can_read(store: Store, group: GroupValue) -> None:
    with changing(store) as db, pytest.raises(DumpError):
        adopt(db, b"key", dump_of_stream(StreamValue([(1, [b"f", b"v"])], 1, 0, 1, [group])), 0, 1000)


def test_a_time_beyond_all_is_refused(store: Store) -> None:
    with changing(store) as db:
        db.put(b"key", b"value")
        dumped = dump_(db, [b"key"])
        assert isinstance(dumped, bytes)
        with pytest.raises(Error, match="invalid expire time in 'restore' command"):
            restore(db, [b"new", b"%d" % (2**63 - 1), dumped])
        restore(db, [b"new", b"%d" % (2**63 - 1), dumped, b"ABSTTL"])
        assert db.get(b"new") == b"value"


@pytest.mark.parametrize("far", [1 << 127, 1 << 63, (1 << 128) - 1, (1 << 64) - 1, 1 << 64])
def test_ids_may_be_as_far_apart_as_they_can(store: Store, far: int) -> None:
    entries = [(entry_id, [b"f", b"v"]) for entry_id in sorted({1, far - 1, far})]
    with changing(store) as db:
        adopt(db, b"key", dump_of_stream(StreamValue(entries, far, 0, 3, [])), 0, 1000)
        found = Stream.find(db, b"key")
        assert found is not None
        assert list(found.entries(0, MAX_ID)) == entries


class Unlisted(SortedSet):
    def by_rank(self, start: int, stop: int, *, reverse: bool = False) -> NoReturn:  # noqa: ARG002
        pytest.fail("they are listed")


def test_members_that_are_too_many_are_not_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "MAX_DUMP_BYTES", 1000)
    monkeypatch.setattr(dumping, "SortedSet", Unlisted)
    with changing(store) as db:
        found = SortedSet.open(db, b"key")
        for number in range(100):
            found.add(b"%d" % number, number, None)
        found.save()
        with pytest.raises(Error, match="more than 1000 bytes is not serialized"):
            dump_(db, [b"key"])
