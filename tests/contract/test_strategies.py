"""The spread of connections by each strategy: its promises beyond the contract of all strategies."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool import Address, Incoming, WorkerView
from corepool_dispatch.kernel import Kernel
from corepool_dispatch.least_connections import LeastConnections
from corepool_dispatch.power_of_two import PowerOfTwo
from corepool_dispatch.round_robin import RoundRobin
from corepool_dispatch.source_hash import SourceHash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool import Dispatcher

ANYONE = Incoming("listener", Address("192.0.2.1", 1))
slot_sets = st.sets(st.integers(0, 63), min_size=2)
hosts = st.ip_addresses().map(str)


def views(slots: Iterable[int]) -> list[WorkerView]:
    return [WorkerView(slot, 1000 + slot) for slot in sorted(slots)]


def pick(dispatcher: Dispatcher, workers: list[WorkerView], peer: Address | None = None) -> int:
    """Ask for a worker, count the connection for it as the master does, and give its slot."""
    worker = dispatcher.pick(workers, Incoming("listener", peer) if peer else ANYONE)
    assert worker is not None
    worker.connections += 1
    worker.handed_over += 1
    return worker.slot


# --- round robin --------------------------------------------------------------------------------


def test_round_robin_takes_the_slots_in_turn() -> None:
    dispatcher, workers = RoundRobin(), views(range(3))

    assert [pick(dispatcher, workers) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_round_robin_passes_over_a_missing_worker_without_favouring_a_neighbour() -> None:
    dispatcher = RoundRobin()
    everyone, without_two = views(range(4)), views([0, 1, 3])

    turns = [pick(dispatcher, workers) for workers in (everyone, everyone, without_two, everyone, everyone)]

    assert turns == [0, 1, 3, 0, 1]


@given(st.lists(slot_sets, min_size=1, max_size=50), st.integers(0, 63))
def test_round_robin_never_lets_a_steady_worker_wait_longer_than_one_round(lists: list[set[int]], steady: int) -> None:
    """Whatever the others do: between two turns of a worker that is always there, no slot has two."""
    dispatcher = RoundRobin()
    turns = [pick(dispatcher, views(slots | {steady})) for slots in lists]

    since: list[int] = []
    for slot in turns:
        since = [] if slot == steady else [*since, slot]
        assert len(set(since)) == len(since)


# --- least connections --------------------------------------------------------------------------


def test_least_connections_never_lets_a_worker_be_more_than_one_ahead() -> None:
    dispatcher, workers = LeastConnections(), views(range(5))

    for _ in range(103):
        pick(dispatcher, workers)
        held = [worker.connections for worker in workers]
        assert max(held) - min(held) <= 1


def test_least_connections_fills_up_the_emptiest_worker_first() -> None:
    workers = views(range(3))
    workers[0].connections, workers[1].connections, workers[2].connections = 5, 2, 4

    assert [pick(LeastConnections(), workers) for _ in range(3)] == [1, 1, 2]


def test_least_connections_spreads_connections_that_are_over_at_once() -> None:
    """No worker holds any when the next one comes: all would go to the first worker otherwise."""
    dispatcher, workers = LeastConnections(), views(range(4))
    served: Counter[int] = Counter()

    for _ in range(400):
        slot = pick(dispatcher, workers)
        served[slot] += 1
        workers[slot].connections -= 1

    assert set(served.values()) == {100}


# --- power of two -------------------------------------------------------------------------------


def test_power_of_two_keeps_the_fullest_worker_near_the_average() -> None:
    """Two choices leave the fullest about log2(log2(n)) above the average; one choice about 30 here."""
    dispatcher, workers = PowerOfTwo(), views(range(16))

    for _ in range(1600):
        pick(dispatcher, workers)

    assert max(worker.connections for worker in workers) <= 100 + 8


def test_power_of_two_never_chooses_the_fullest_of_all() -> None:
    """The two are different workers: against a fuller one any other wins."""
    dispatcher, workers = PowerOfTwo(), views(range(5))
    workers[2].connections = 1_000_000

    assert 2 not in {pick(dispatcher, workers) for _ in range(500)}


def test_power_of_two_spreads_ties_over_everyone() -> None:
    dispatcher = PowerOfTwo()

    chosen = Counter(pick(dispatcher, views(range(4))) for _ in range(2000))

    assert min(chosen.values()) > 400  # 500 each; the chance of 400 or fewer is under 1 in a million


# --- source hash --------------------------------------------------------------------------------


@given(slot_sets, hosts, st.integers(0, 65535), st.integers(0, 65535))
def test_source_hash_sends_a_host_to_the_same_worker_from_any_port(
    slots: set[int], host: str, port: int, other_port: int
) -> None:
    """By any instance, too: the choice outlives a restart."""
    first = pick(SourceHash(), views(slots), Address(host, port))

    assert pick(SourceHash(), views(slots), Address(host, other_port)) == first


@given(slot_sets, hosts, st.data())
def test_source_hash_moves_only_the_clients_of_a_worker_that_goes(
    slots: set[int], host: str, data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted(slots)))

    before = pick(SourceHash(), views(slots), Address(host, 1))
    after = pick(SourceHash(), views(slots - {gone}), Address(host, 1))

    assert before in (after, gone)


@pytest.mark.parametrize("workers", [2, 7, 16, 17, 40])
def test_source_hash_spreads_hosts_evenly_over_neighbouring_slots(workers: int) -> None:
    """Across the border of the 16 slots whose scores come from one digest as well."""
    clients = [Address(f"10.0.{number // 250}.{number % 250}", 1) for number in range(300 * workers)]

    chosen = Counter(pick(SourceHash(), views(range(workers)), client) for client in clients)

    assert len(chosen) == workers
    # 300 each with a standard deviation of about 17; the hashes, and so the outcome, never vary.
    assert 225 < min(chosen.values()) <= max(chosen.values()) < 375


def test_source_hash_moves_its_share_and_no_more_to_a_worker_that_comes() -> None:
    clients = [Address(f"2001:db8::{number:x}", 1) for number in range(1000)]

    before = [pick(SourceHash(), views(range(4)), client) for client in clients]
    after = [pick(SourceHash(), views(range(5)), client) for client in clients]

    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {4}
    assert 150 < len(moved) < 250


def test_source_hash_sends_all_clients_of_a_unix_socket_to_one_worker() -> None:
    dispatcher, workers = SourceHash(), views(range(8))

    assert len({pick(dispatcher, workers, Address("unix")) for _ in range(20)}) == 1


# --- kernel -------------------------------------------------------------------------------------


def test_kernel_leaves_accepting_to_the_workers_and_refuses_to_choose() -> None:
    assert Kernel.worker_accepts is True
    with pytest.raises(RuntimeError, match="accept by themselves"):
        Kernel().pick(views([0]), ANYONE)
