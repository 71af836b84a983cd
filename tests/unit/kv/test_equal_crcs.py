"""SCAN and its like list names with one CRC, of which a client can make any number, a bounded number at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from kv_stores import KINDS, changing, opened

from corepool_kv.engine.hashes import Hash
from corepool_kv.redis.commands import sets
from corepool_kv.stores.same_places import MAX_AT_ONE_PLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corepool_kv.stores import Store

COUNT = 3 * MAX_AT_ONE_PLACE
CRC = 0xFFFFFFFE


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


def solver() -> Callable[[int], int]:
    """Return a function that finds four bytes by whose bits a CRC changes as given: it is linear in them."""
    nothing = crc32(bytes(4))
    rows = []
    for bit in range(32):
        value, source = crc32((1 << bit).to_bytes(4)) ^ nothing, 1 << bit
        for high, low_value, low_source in rows:
            if value >> high & 1:
                value, source = value ^ low_value, source ^ low_source
        rows.append((value.bit_length() - 1, value, source))

    def solve(change: int) -> int:
        found = 0
        for high, value, source in sorted(rows, reverse=True):
            if change >> high & 1:
                change, found = change ^ value, found ^ source
        assert not change
        return found

    return solve


@pytest.fixture(scope="module")
def equal() -> list[bytes]:
    solve = solver()
    made = []
    for number in range(COUNT):
        beginning = b"%06d" % number
        made.append(beginning + solve(CRC ^ crc32(beginning + bytes(4))).to_bytes(4))
    assert {crc32(name) for name in made} == {CRC}
    return made


def walk(scan: Callable[[int], tuple[int, list[bytes]]]) -> tuple[list[list[bytes]], list[int]]:
    """Return the lists and the cursors of a whole scan."""
    cursor, lists, cursors = 0, [], []
    while True:
        cursor, names = scan(cursor)
        lists.append(names)
        if not cursor:
            return lists, cursors
        assert cursor < 1 << 64
        cursors.append(cursor)


def check(lists: list[list[bytes]], cursors: list[int], names: set[bytes]) -> None:
    assert sorted(name for each in lists for name in each) == sorted(names)
    assert max(map(len, lists)) <= MAX_AT_ONE_PLACE + 10
    assert len(set(cursors)) == len(cursors)


def test_keys_with_equal_crcs_are_scanned_in_parts(store: Store, equal: list[bytes]) -> None:
    others = {b"%d" % number for number in range(100)}
    with changing(store) as db:
        for key in (*equal, *others):
            db.put(key, b"")
        for count in (1, 10):
            check(*walk(lambda cursor, count=count: db.view.scan(cursor, count)), {*equal, *others})  # type: ignore[misc]


def test_a_key_that_stays_is_met_whatever_others_come_and_go(store: Store, equal: list[bytes]) -> None:
    with changing(store) as db:
        for key in equal[: 2 * MAX_AT_ONE_PLACE]:
            db.put(key, b"")
        met: set[bytes] = set()
        cursor, stays = 0, set(equal[MAX_AT_ONE_PLACE : 2 * MAX_AT_ONE_PLACE])
        while True:
            cursor, keys = db.view.scan(cursor, 10)
            met.update(keys)
            for key in equal[:MAX_AT_ONE_PLACE]:
                db.delete(key)
            for key in equal[2 * MAX_AT_ONE_PLACE :]:
                db.put(key, b"")
            if not cursor:
                break
        assert stays <= met


def test_fields_with_equal_crcs_are_scanned_in_parts(store: Store, equal: list[bytes]) -> None:
    others = {b"%d" % number for number in range(100)}
    with changing(store) as db:
        found = Hash.open(db, b"h")
        for field in (*equal, *others):
            found.put(field, b"")
        found.save()

        def scan(cursor: int) -> tuple[int, list[bytes]]:
            following, items = found.scan(cursor, 10)
            return following, [field for field, _ in items]

        check(*walk(scan), {*equal, *others})


def test_members_with_equal_crcs_are_chosen_too(store: Store, equal: list[bytes]) -> None:
    with changing(store) as db:
        sets.sadd(db, [b"s", *equal])
        for count in (b"0", b"50", b"60", b"-60"):
            chosen = sets.srandmember(db, [b"s", count])
            assert len(chosen) == abs(int(count))  # type: ignore[arg-type]
            assert set(chosen) <= set(equal)  # type: ignore[arg-type]
        popped = sets.spop(db, [b"s", b"100"])
        assert len(set(popped.items)) == 100  # type: ignore[union-attr]
        assert sets.scard(db, [b"s"]) == COUNT - 100
