"""What clients and plugins can make the shared counts keep: a test for each row of bounds.md."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from corepool import MapFullError, SetupError
from corepool.ipc import shared_area
from corepool.ipc.shared_area import MAX_COUNTERS, MAX_TABLES, MEMBERS, SharedArea
from corepool.ipc.shared_map import SharedMap
from corepool.ipc.shared_tables import Shape, SharedBuckets
from corepool.worker.sharing import Sharing

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
MASTER = os.getpid()


def test_buckets() -> None:
    area, shape = SharedArea(), Shape.of_buckets(32)
    assert shape.size == 48 * 32
    member = area.join(os.getpid(), MASTER)
    buckets = SharedBuckets(area, area.table("test", shape.size, member.place), shape, 1, 2)
    for number in range(64):
        assert buckets.take_at(number, str(number), 2)
    assert buckets.take_at(64, "new", 2)

    assert buckets.take_at(65, "0", 2), "the oldest, which was forgotten"
    assert not any(buckets.take_at(66, str(number), 2) for number in range(2, 64))
    assert not buckets.take_at(66, "new")


def test_semaphores() -> None:
    assert Shape.of_semaphores(64).size == 96 * 64
    semaphores = Sharing(SharedArea(), "main", MASTER).semaphores("test", most=64)
    holds = [semaphores.acquire(str(number)) for number in range(256)]
    assert None not in holds
    assert semaphores.acquire("new") is None
    assert semaphores.acquire("0") is not None
    assert holds[0] is not None
    assert holds[1] is not None
    holds[1].release()
    assert semaphores.acquire("new") is not None


def test_maps() -> None:
    for most, size in ((32, 100), (1000, 1)):
        assert SharedMap.shape_of(most, size).size <= 2 * (most + 32) * (24 + 2 * (8 + size + 7))
    shared = Sharing(SharedArea(), "main", MASTER).map("test", most=32, size=10)
    for number in range(64):
        shared.put(str(number), "value")
    with pytest.raises(MapFullError, match="'test', made for 32 keys, has no room"):
        shared.put("new", "value")
    shared.put("0", "other")
    assert len(shared.items()) == 64
    assert shared.pop("1") == b"value"
    shared.put("new", "value")
    with pytest.raises(ValueError, match="11 bytes; the map 'test' is for 10"):
        shared.put("new", "12345678")
    assert shared.get("new") == b"value"
    with pytest.raises(ValueError, match="1 to 65536 bytes are possible"):
        SharedMap.shape_of(1, 65_537)


def test_names_and_tables() -> None:
    sharing = Sharing(SharedArea(), "main", MASTER)
    for number in range(MAX_COUNTERS):
        sharing.counter(str(number)).add(number)
    with pytest.raises(SetupError, match="'main/more': there are 256 names already"):
        sharing.counter("more")
    assert sharing.counter("255").get() == 255
    for number in range(MAX_TABLES):
        assert sharing.buckets(str(number), 1, 1, most=10).take("key")
    with pytest.raises(SetupError, match="beside 64 others"):
        sharing.buckets("more", 1, 1)
    assert not sharing.buckets("63", 1, 1, most=10).take("key")
    with pytest.raises(SetupError, match=r"no room for 480\.0 MiB beside 0 others; all may have 320 MiB"):
        Sharing(SharedArea(), "main", MASTER).buckets("large", 1, 1, most=10_485_760)
    with pytest.raises(ValueError, match="room for one key at least"):
        sharing.buckets("none", 1, most=0)
    with pytest.raises(ValueError, match="room for one key at least"):
        sharing.semaphores("none", most=0)


def test_as_many_tables_as_there_may_be_have_room_if_they_are_as_large_as_usual() -> None:
    sharing = Sharing(SharedArea(), "main", MASTER)
    for number in range(MAX_TABLES // 2):
        assert sharing.buckets(str(number), 1).take("key")
        assert sharing.semaphores(str(number)).acquire("key")


def test_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_area, "_exists", lambda _: True)
    area = SharedArea()
    members = [area.join(pid, MASTER) for pid in range(1, MEMBERS + 1)]
    with pytest.raises(SetupError, match="2048 processes"):
        area.join(MEMBERS + 1, MASTER)
    area.leave(7)
    assert area.join(MEMBERS + 1, MASTER).place == 6
    assert area.is_member(members[5].token)
    assert not area.is_member(members[6].token)


def test_each_row_of_the_page_has_a_test_here() -> None:
    section = PAGE.read_text().partition("\n## Counts that workers share\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
    rows = [row for row in rows if not row.startswith("---")]
    names = {f"test_{row.replace(' ', '_')}" for row in rows}
    assert len(rows) == 5
    assert names <= set(globals())
