"""A map in shared memory, beside a dict; the processes are played, and so is the time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corepool.ipc.shared_area import SharedArea
from corepool.ipc.shared_map import SharedMap
from corepool.worker.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable

MASTER = os.getpid()
SECOND = 1_000_000_000
SIZE = 40
KEYS = [b"", b"a", b"b", b"key", b"x" * 20]
VALUES = st.binary(max_size=SIZE - 20)
STEP = st.tuples(
    st.sampled_from(["get", "put", "add", "replace", "pop", "wait"]),
    st.integers(0, 1),
    st.sampled_from(KEYS),
    VALUES,
    st.sampled_from([None, 1, 2.5]),
)


class PlainMap:
    """The same, in a dict."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._values: dict[bytes, tuple[bytes, float]] = {}

    def get(self, key: bytes) -> bytes | None:
        value, until_ns = self._values.get(key, (None, 0))
        return value if until_ns > self._clock() else None

    def put(self, key: bytes, value: bytes, seconds: float | None) -> None:
        self._values[key] = value, float("inf") if seconds is None else self._clock() + seconds * SECOND

    def pop(self, key: bytes) -> bytes | None:
        value = self.get(key)
        self._values.pop(key, None)
        return value

    def items(self) -> dict[bytes, bytes]:
        return {key: value for key in self._values if (value := self.get(key)) is not None}


def two(clock: Callable[[], int]) -> list[SharedMap]:
    """Return the map of two workers."""
    fd = os.memfd_create("test")
    areas = [SharedArea(fd), SharedArea(fd, is_made=True)]
    os.close(fd)
    size = SharedMap.shape_of(32, SIZE).size
    starts = [area.table("test", size, area.join(number + 1, MASTER).place) for number, area in enumerate(areas)]
    return [SharedMap(area, start, 32, SIZE, "test", clock) for area, start in zip(areas, starts, strict=True)]


@given(st.lists(STEP, max_size=40))
@settings(deadline=None, max_examples=150)
def test_it_holds_what_a_dict_holds(steps: list[tuple[str, int, bytes, bytes, float | None]]) -> None:
    now_ns = 0
    maps, plain = two(lambda: now_ns), PlainMap(lambda: now_ns)
    for what, worker, key, value, seconds in steps:
        shared, before = maps[worker], plain.get(key)
        match what:
            case "get":
                assert shared.get(key) == before
            case "put":
                shared.put(key, value, seconds)
                plain.put(key, value, seconds)
            case "add":
                assert shared.add(key, value, seconds) is (before is None)
                if before is None:
                    plain.put(key, value, seconds)
            case "replace":
                assert not shared.replace(key, value + b"not", value, seconds)
                assert shared.replace(key, before or b"", value, seconds) is (before is not None)
                if before is not None:
                    plain.put(key, value, seconds)
            case "pop":
                assert shared.pop(key) == plain.pop(key)
            case _:
                now_ns += SECOND // 2
        assert all(dict(each.items()) == plain.items() for each in maps)


def test_keys_that_have_expired_make_room() -> None:
    now_ns = 0
    shared, _ = two(lambda: now_ns)
    for number in range(64):
        shared.put(str(number), "old", 10)
    now_ns = 10 * SECOND
    for number in range(64):
        assert shared.add(str(number + 32), "new")
    assert dict(shared.items()) == {b"%d" % (number + 32): b"new" for number in range(64)}


def test_keys_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, _ = two(lambda: 0)
    monkeypatch.setattr(shared, "_hash", lambda _: b"12345678")
    for key in "abc":
        shared.put(key, f"value of {key}")
    assert shared.pop("a") == b"value of a"
    assert [shared.get(key) for key in "abc"] == [None, b"value of b", b"value of c"]


def test_a_map_has_room_for_the_keys_that_it_is_made_for() -> None:
    shared = Sharing(SharedArea(), "main", MASTER).map("test", most=20_000, size=10)
    for number in range(20_000):
        shared.put(str(number), "x")
    assert len(shared.items()) == 20_000


@pytest.mark.parametrize(("most", "size"), [(0, 10), (10, 0), (10, 65_537)])
def test_maps_that_cannot_be_are_refused(most: int, size: int) -> None:
    with pytest.raises(ValueError, match="1 to 65536 bytes"):
        Sharing(SharedArea(), "main", MASTER).map("test", most=most, size=size)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_times_that_cannot_be_are_refused(seconds: float) -> None:
    shared, _ = two(lambda: 0)
    with pytest.raises(ValueError, match="seconds are no time"):
        shared.put("a", "b", seconds)
    assert shared.get("a") is None


def test_a_value_of_the_largest_size_is_kept() -> None:
    shared = Sharing(SharedArea(), "main", MASTER).map("large", most=1, size=65_536)
    shared.put("k", b"v" * 65_535)
    shared.put("k", b"w" * 65_535)
    assert shared.get("k") == b"w" * 65_535


def test_maps_of_other_sizes_are_others() -> None:
    sharing = Sharing(SharedArea(), "main", MASTER)
    sharing.map("a", most=32, size=8).put("k", "v")
    assert sharing.map("a", most=32, size=8).get("k") == b"v"
    assert sharing.map("a", most=32, size=7).get("k") is None, "as many bytes of memory, laid out alike"
    assert sharing.map("b", most=32, size=8).get("k") is None
