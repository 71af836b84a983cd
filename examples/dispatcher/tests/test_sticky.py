"""The dispatcher by itself, and in a real pool."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from math import ceil
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from corepool import Address, Incoming, WorkerView
from corepool.testing.dispatcher import DispatcherContract
from corepool_sticky import Sticky, StickyOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.testing.pools import Pools

WORKERS = 4
HOSTS = [f"192.0.2.{number}" for number in range(200)]
TOML = """
[pool]
workers = 4
dispatcher = "sticky"
dispatcher_options = { floor = 2 }
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


class TestContract(DispatcherContract):
    """What every dispatcher must do, whatever the workers and their loads."""

    def make(self) -> Sticky:
        return make()


def make(slack: float = 0.25, floor: int = 1) -> Sticky:
    return Sticky(StickyOptions(slack=slack, floor=floor))


def views(count: int = WORKERS, connections: int = 0) -> list[WorkerView]:
    workers = [WorkerView(slot, 1000 + slot) for slot in range(count)]
    for worker in workers:
        worker.connections = connections
    return workers


def place(dispatcher: Sticky, workers: Sequence[WorkerView], host: str, port: int | None = 50_000) -> int:
    worker = dispatcher.pick(workers, Incoming("web", Address(host, port)))
    worker.connections += 1
    return worker.slot


def favourites(workers: Sequence[WorkerView]) -> dict[str, int]:
    """Return each host's slot when all workers have room: with a new dispatcher, as after a restart."""
    return {host: make().pick(workers, Incoming("web", Address(host, 1))).slot for host in HOSTS}


def test_a_client_goes_where_it_was_whatever_its_port() -> None:
    dispatcher, workers = make(), views(connections=100)

    assert len({place(dispatcher, workers, "192.0.2.1", port) for port in range(20)}) == 1


def test_a_client_goes_where_it_was_in_another_process_too() -> None:
    """After a restart or an upgrade; hash() would be another one then."""
    slots = favourites(views(connections=100))

    assert [slots[host] for host in HOSTS[:12]] == [0, 0, 0, 1, 0, 2, 2, 3, 2, 1, 0, 2]


def test_clients_are_spread() -> None:
    assert set(favourites(views(connections=100)).values()) == set(range(WORKERS))


def test_no_worker_holds_more_than_its_share_and_the_slack_even_if_all_clients_are_one() -> None:
    dispatcher, workers = make(slack=0.25), views()

    for placed in range(1, 401):
        place(dispatcher, workers, "192.0.2.1")
        assert max(worker.connections for worker in workers) <= ceil(1.25 * placed / WORKERS)


def test_in_a_quiet_pool_a_client_keeps_its_worker_up_to_the_floor() -> None:
    dispatcher, workers = make(floor=16), views()

    placed = [place(dispatcher, workers, "192.0.2.1") for _ in range(17)]

    assert len(set(placed[:16])) == 1
    assert placed[16] != placed[0]


def test_a_worker_that_has_gone_moves_its_own_clients_and_no_others() -> None:
    workers = views(connections=100)
    before = favourites(workers)

    after = favourites([worker for worker in workers if worker.slot != 2])

    assert {host for host in HOSTS if before[host] != after[host]} == {host for host in HOSTS if before[host] == 2}


def test_a_client_that_was_passed_on_is_passed_on_to_the_same_worker_again() -> None:
    workers = views(connections=100)
    favourite = favourites(workers)["192.0.2.1"]
    workers[favourite].connections = 1000

    assert len({favourites(workers)["192.0.2.1"] for _ in range(5)} - {favourite}) == 1


def test_unix_clients_are_not_told_apart_and_spread_evenly() -> None:
    dispatcher, workers = make(), views()

    for _ in range(8):
        place(dispatcher, workers, "unix", None)

    assert [worker.connections for worker in workers] == [2] * WORKERS


@pytest.mark.parametrize("slack", [0, -1, float("inf"), float("nan")])
def test_an_option_that_makes_no_sense_is_refused(slack: float) -> None:
    with pytest.raises(ValidationError, match="slack"):
        StickyOptions(slack=slack)


def test_in_a_pool_one_host_fills_no_worker_beyond_the_bound(pool: Pools) -> None:
    running = pool(TOML)

    with ExitStack() as stack:
        for _ in range(16):
            client = stack.enter_context(running.connect())
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        held = [worker["connections"] for worker in running.status()["workers"]]

    assert sum(held) == 16
    assert max(held) <= 5


def test_in_a_pool_a_host_that_comes_again_gets_the_same_worker(pool: Pools) -> None:
    running = pool(TOML)
    _, _, port = running.urls()[0].rpartition(":")

    for _ in range(8):
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20, source_address=("127.0.0.9", 0)) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"

    assert sorted(worker["accepted"] for worker in running.status()["workers"]) == [0, 0, 0, 8]
