"""Counters, buckets and semaphores in shared memory, beside what they should be; the processes are played."""

from __future__ import annotations

import os
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from corepool.ipc.shared_area import SharedArea
from corepool.ipc.shared_tables import Shape, SharedBuckets
from corepool.worker.sharing import Sharing

if TYPE_CHECKING:
    from corepool import Hold

SECOND = 1_000_000_000
MASTER = os.getpid()


class PlainBucket:
    """Tokens and a refill, as the textbooks have it, in exact arithmetic."""

    def __init__(self, rate: int, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = Fraction(burst), 0

    def take(self, now_ns: int, amount: int) -> bool:
        self._tokens = min(Fraction(self._burst), self._tokens + Fraction((now_ns - self._at) * self._rate, SECOND))
        self._at = now_ns
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True


def buckets_of(rate: float, burst: int, most: int = 100) -> SharedBuckets:
    area = SharedArea()
    shape = Shape.of_buckets(most)
    member = area.join(os.getpid(), MASTER)
    return SharedBuckets(area, area.table("test", shape.size, member.place), shape, rate, burst)


@given(
    st.sampled_from([1, 2, 5, 10, 1000]),  # whose intervals are whole nanoseconds
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * SECOND), st.integers(0, 3))),
)
@settings(deadline=None)
def test_buckets_give_what_plain_buckets_give(rate: int, burst: int, steps: list[tuple[str, int, int]]) -> None:
    buckets, plain, now = buckets_of(rate, burst), {key: PlainBucket(rate, burst) for key in "abc"}, 0
    for key, pause_ns, amount in steps:
        now += pause_ns
        assert buckets.take_at(now, key, amount) is plain[key].take(now, amount)


def test_all_of_65536_keys_are_remembered() -> None:
    buckets = buckets_of(0.001, 1, most=65_536)
    assert all(buckets.take_at(0, str(number)) for number in range(65_536))
    assert sum(buckets.take_at(1, str(number)) for number in range(65_536)) <= 3


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (1e-9, 1000), (float("nan"), 1)])
def test_buckets_that_are_never_full_are_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="is never full"):
        buckets_of(rate, burst)


def test_nothing_is_put_into_a_bucket() -> None:
    with pytest.raises(ValueError, match="-1 can't be taken"):
        buckets_of(1, 1).take("a", -1)


class Processes(RuleBasedStateMachine):
    """Workers come, count, hold, let go, and die."""

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.area = SharedArea()
        self.pids = iter(range(10_000_000, 20_000_000))  # of no process
        self.workers: dict[int, Sharing] = {}
        self.total = 0
        self.held: dict[int, Counter[str]] = {}
        self.come()

    @rule()
    def come(self) -> None:
        pid = next(self.pids)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getpid", lambda: pid)
            self.workers[pid] = Sharing(self.area, "main", MASTER)
            self.workers[pid].counter("test")
        self.held[pid] = Counter()

    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        pid = data.draw(st.sampled_from(sorted(self.workers)))
        self.area.leave(pid)
        del self.workers[pid], self.held[pid]
        if not self.workers:
            self.come()

    @rule(data=st.data(), amount=st.integers(-5, 1000))
    def add(self, data: st.DataObject, amount: int) -> None:
        data.draw(st.sampled_from(sorted(self.workers.items())))[1].counter("test").add(amount)
        self.total += amount

    @rule(data=st.data(), key=st.sampled_from("abc"), limit=st.integers(1, 8), target=holds)
    def acquire(self, data: st.DataObject, key: str, limit: int) -> tuple[int, str, list[Hold]]:
        pid, worker = data.draw(st.sampled_from(sorted(self.workers.items(), key=lambda each: each[0])))
        held = sum(each[key] for each in self.held.values())
        hold = worker.semaphores("test", most=64).acquire(key, limit)
        assert (hold is not None) is (held < limit)
        if hold is None:
            return pid, key, []
        self.held[pid][key] += 1
        return pid, key, [hold]

    @rule(hold=holds)
    def release(self, hold: tuple[int, str, list[Hold]]) -> None:
        pid, key, holds = hold
        if pid in self.workers and holds:
            self.held[pid][key] -= 1
            holds.pop().release()

    @invariant()
    def all_agree(self) -> None:
        for worker in self.workers.values():
            assert worker.counter("test").get() == self.total
            for key in "abc":
                assert worker.semaphores("test", most=64).held(key) == sum(each[key] for each in self.held.values())


Processes.TestCase.settings = settings(deadline=None, max_examples=50)
test_what_workers_share_is_what_each_has_put_there = Processes.TestCase


def test_a_hold_is_released_once() -> None:
    semaphores = Sharing(SharedArea(), "main", MASTER).semaphores("test")
    first, second = semaphores.acquire(b"key"), semaphores.acquire("key")
    assert first is not None
    assert second is not None
    first.release()
    first.release()
    assert semaphores.held("key") == 1
    second.release()
    assert semaphores.held("key") == 0


def test_names_are_those_of_a_pool_and_a_kind() -> None:
    area = SharedArea()
    one, other = Sharing(area, "one", MASTER), Sharing(area, "other", MASTER)
    one.counter("a").add(1)
    assert (one.counter("a").get(), one.counter("b").get(), other.counter("a").get()) == (1, 0, 0)
    assert one.buckets("a", 1, 1).take("key")
    assert not one.buckets("a", 1, 1).take("key")
    assert other.buckets("a", 1, 1).take("key")
    assert one.semaphores("a").held("key") == 0


def test_tables_that_no_process_uses_make_room() -> None:
    area = SharedArea()
    for generation in range(5):  # of reloads that each ask for another size
        area_pid = 10_000_000 + generation
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getpid", lambda pid=area_pid: pid)
            semaphores = Sharing(area, "main", MASTER).semaphores("test", most=600_000 + generation)
        assert semaphores.held("key") == 0
        assert semaphores.acquire("key") is not None
        area.leave(area_pid)


def test_memory_of_another_format_is_refused() -> None:
    fd = os.memfd_create("test")
    SharedArea(fd).words[0] += 1
    with pytest.raises(ValueError, match="format 2, not 1"):
        SharedArea(fd, is_made=True)
    os.ftruncate(fd, 4096)
    with pytest.raises(ValueError, match="4096 bytes"):
        SharedArea(fd, is_made=True)
    os.close(fd)


def test_two_mappings_are_one_memory() -> None:
    fd = os.memfd_create("test")
    old, new = SharedArea(fd), SharedArea(fd, is_made=True)
    os.close(fd)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 10_000_000)
        theirs = Sharing(new, "main", MASTER)
        theirs.counter("a").add(2)
    ours = Sharing(old, "main", MASTER)
    ours.counter("a").add(3)
    assert theirs.counter("a").get() == 5


def test_a_process_that_is_forked_by_an_application_shares_nothing() -> None:
    fd = os.memfd_create("test")
    area, other = SharedArea(fd), SharedArea(fd, is_made=True)
    os.close(fd)
    sharing = Sharing(area, "main", MASTER)
    sharing.counter("a").add(1)
    buckets, semaphores = sharing.buckets("b", 1, 1), sharing.semaphores("c")
    hold = semaphores.acquire("key")
    area.abandon()
    sharing.counter("a").add(10)
    assert hold is not None
    hold.release()
    buckets.take("key")
    semaphores.acquire("other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 10_000_000)
        theirs = Sharing(other, "main", MASTER)
    assert theirs.counter("a").get() == 1
    assert theirs.semaphores("c").held("key") == 1
    assert theirs.buckets("b", 1, 1).take("key")
