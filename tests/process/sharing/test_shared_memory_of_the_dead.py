"""Processes that die or stop with a lock of the shared counts, after each of their stores."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from corepool.ipc.shared_area import SharedArea
from corepool.ipc.shared_map import SharedMap
from corepool.ipc.shared_tables import Shape, SharedBuckets, SharedSemaphores
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.ipc.shared_area import Member

MASTER = os.getpid()
SECOND = 1_000_000_000
KEYS = [str(number) for number in range(20)]


class DyingWords:
    """Words whose process is killed by one of the stores, or by the one after all of them."""

    def __init__(self, words: memoryview[int], stores: int) -> None:
        self._words = words
        self._left = stores

    def __getitem__(self, at: int) -> int:
        return self._words[at]

    def __setitem__(self, at: int, value: int) -> None:
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        self._words[at] = value


class DyingBytes:
    """Bytes whose process is killed in the middle of one of the stores."""

    def __init__(self, area: SharedArea, stores: int) -> None:
        self._bytes = area.bytes
        self._left = stores

    def __getitem__(self, at: slice) -> bytes:
        return self._bytes[at]

    def __setitem__(self, at: slice, value: bytes) -> None:
        if not self._left:
            self._bytes[at.start : at.start + len(value) // 2] = value[: len(value) // 2]
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        self._bytes[at] = value


def run_and_reap(area: SharedArea, child: Callable[[], object]) -> int:
    """Return 0, or the signal that has ended the child."""
    if not (pid := os.fork()):
        try:
            child()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    area.leave(pid)
    return os.WTERMSIG(status)


def semaphores_of(area: SharedArea, member: Member) -> SharedSemaphores:
    shape = Shape.of_semaphores(64)
    return SharedSemaphores(area, area.table("semaphores", shape.size, member.place), shape, member)


def buckets_of(area: SharedArea, member: Member) -> SharedBuckets:
    shape = Shape.of_buckets(32)  # one set, which is full sometimes
    return SharedBuckets(area, area.table("buckets", shape.size, member.place), shape, 1, 3)


@pytest.mark.parametrize("stores", range(12))
def test_a_semaphore_is_right_whichever_store_its_process_dies_at(stores: int) -> None:
    area = SharedArea()
    ours = semaphores_of(area, area.join(os.getpid(), MASTER))
    holds = [ours.acquire(key) for key in KEYS]

    def child() -> None:
        theirs = semaphores_of(area, area.join(os.getpid(), MASTER))
        theirs._table.words = DyingWords(area.words, stores)  # type: ignore[assignment]  # noqa: SLF001
        for key in ("a", *KEYS):
            first, second = theirs.acquire(key), theirs.acquire(key)
            assert first is not None
            assert second is not None
            first.release()
            second.release()

    assert run_and_reap(area, child) == signal.SIGKILL
    assert [ours.held(key) for key in ("a", *KEYS)] == [0, *[1] * len(KEYS)]
    for key, hold in zip(KEYS, holds, strict=True):
        assert hold is not None
        assert ours.acquire(key, 1) is None
        hold.release()
        assert ours.acquire(key, 1) is not None


@pytest.mark.parametrize("stores", range(8))
@pytest.mark.parametrize("is_full", [False, True])
def test_a_bucket_is_right_whichever_store_its_process_dies_at(stores: int, *, is_full: bool) -> None:
    area = SharedArea()
    member = area.join(os.getpid(), MASTER)
    ours = buckets_of(area, member)
    for number in range(64 if is_full else 0):
        assert ours.take_at(number, f"other {number}")

    def child() -> None:
        theirs = buckets_of(area, member)
        theirs._table.words = DyingWords(area.words, stores)  # type: ignore[assignment]  # noqa: SLF001
        for key in ("a", "b", "c"):
            assert theirs.take_at(SECOND, key)
            assert theirs.take_at(SECOND, key)

    run_and_reap(area, child)
    for key in ("a", "b", "c"):
        given = sum(ours.take_at(SECOND, key) for _ in range(4))
        assert given in (1, 2, 3), "one or two were taken, or that was not noted"
    assert sum(ours.take_at(SECOND, "new") for _ in range(4)) == 3


def map_of(area: SharedArea, member: Member) -> SharedMap:
    shape = SharedMap.shape_of(32, 100)
    return SharedMap(area, area.table("map", shape.size, member.place), 32, 100)


@pytest.mark.parametrize("in_bytes", [False, True])
@pytest.mark.parametrize("stores", range(26))
def test_a_map_is_right_whichever_store_its_process_dies_at(stores: int, *, in_bytes: bool) -> None:
    area = SharedArea()
    member = area.join(os.getpid(), MASTER)
    ours = map_of(area, member)
    ours.put("kept", "kept")
    for number in range(62):  # one place is free
        ours.put(f"old {number}", "old", 1e-9)

    def child() -> None:
        theirs = map_of(area, member)
        if in_bytes:
            theirs._table.bytes = DyingBytes(area, stores // 3)  # type: ignore[assignment]  # noqa: SLF001
        else:
            theirs._table.words = DyingWords(area.words, stores)  # type: ignore[assignment]  # noqa: SLF001
        for key in "abc":
            assert theirs.add(key, "first")
            theirs.put(key, "second")
            theirs.put(key, "third", 1000)
        for key in "abc":
            assert theirs.pop(key) == b"third"

    run_and_reap(area, child)
    assert ours.get("kept") == b"kept"
    found = dict(ours.items())
    assert found.pop(b"kept") == b"kept"
    assert set(found) <= {b"a", b"b", b"c"}
    assert set(found.values()) <= {b"first", b"second", b"third"}
    for key in "abc":
        assert ours.get(key) == found.get(key.encode())
        ours.put(key, "last")
        assert ours.get(key) == b"last"


def test_the_lock_of_a_stopped_process_is_waited_for_once_and_freed_by_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("corepool.ipc.robust_locks.WAIT_S", 0.01)
    area = SharedArea()
    ours = buckets_of(area, area.join(os.getpid(), MASTER))
    if not (pid := os.fork()):
        area.locks.take(1)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(1)
    os.waitpid(pid, os.WUNTRACED)

    with pytest.raises(TimeoutError, match="was it stopped"):
        ours.take("a")
    monkeypatch.setattr("corepool.ipc.robust_locks.WAIT_S", 600)
    for _ in range(3):
        with pytest.raises(TimeoutError):  # at once
            ours.take("a")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert ours.take("a")


def test_a_member_whose_master_has_ended_is_forgotten_when_it_has_ended_itself() -> None:
    area = SharedArea()
    ours = semaphores_of(area, area.join(os.getpid(), MASTER))
    read, write = os.pipe()
    if not (master := os.fork()):
        for _ in range(2):
            if not os.fork():
                theirs = semaphores_of(area, area.join(os.getpid(), os.getppid()))
                theirs.acquire("a")
                os.write(write, b"x")
                signal.pause()
        signal.pause()
    os.close(write)
    for _ in range(2):
        assert os.read(read, 1) == b"x"
    assert ours.held("a") == 2
    children = [each.pid for each in psutil.Process(master).children()]

    os.kill(children[0], signal.SIGKILL)
    area.forget_orphans()
    assert ours.held("a") == 2, "its master lives, and will note it"
    os.kill(master, signal.SIGKILL)
    os.waitpid(master, 0)
    os.kill(children[1], signal.SIGKILL)
    os.read(read, 1)  # its end

    wait_until(lambda: not any(map(psutil.pid_exists, children)), what="the process that inherits them has reaped them")
    area.forget_orphans()
    assert ours.held("a") == 0
    os.close(read)


def test_processes_that_take_and_hold_at_once_have_no_more_than_there_is() -> None:
    """Each does nothing else, so that a lock which did not exclude the others would show."""
    area, shape = SharedArea(), Shape.of_buckets(32)
    member = area.join(os.getpid(), MASTER)
    start = area.table("many", shape.size, member.place)
    read, write = os.pipe()
    children = []
    for _ in range(4):
        if not (pid := os.fork()):
            buckets = SharedBuckets(area, start, shape, 0.001, 30_000)
            semaphores = semaphores_of(area, area.join(os.getpid(), MASTER))
            taken = sum(buckets.take_at(0, "key") for _ in range(20_000))
            held = sum(semaphores.acquire("key", 2_000) is not None for _ in range(2_000))
            os.write(write, b"%d %d\n" % (taken, held))
            signal.pause()
        children.append(pid)
    os.close(write)
    with os.fdopen(read) as answers:
        lines = [answers.readline().split() for _ in children]
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert sum(int(taken) for taken, _ in lines) == 30_000
    assert sum(int(held) for _, held in lines) == 2_000
