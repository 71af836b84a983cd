"""The dispatcher by itself, and in a real pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from corepool import Address, Incoming, WorkerView
from corepool.testing.dispatcher import DispatcherContract
from pydantic import ValidationError

from example_plugin import ExamplePlugin

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

INCOMING = Incoming("web", Address("192.0.2.1", 50000))


class TestContract(DispatcherContract):
    """The contract, whatever the workers and their loads."""

    def make(self) -> ExamplePlugin:
        return ExamplePlugin(ExamplePlugin.Options())


def test_the_first_worker_is_filled_up_before_the_next() -> None:
    dispatcher = ExamplePlugin(ExamplePlugin.Options(enough=2))
    workers = [WorkerView(slot, 1000 + slot) for slot in range(2)]

    chosen = []
    for _ in range(5):
        worker = dispatcher.pick(workers, INCOMING)
        worker.connections += 1
        chosen.append(worker.slot)

    assert chosen == [0, 0, 1, 1, 0]


def test_an_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValidationError, match="enough"):
        ExamplePlugin.Options(enough=0)


def test_connections_of_a_pool_go_where_it_says(pool: Pools) -> None:
    running = pool.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "2", "-d", "example-plugin")

    for _ in range(4):
        with running.connect() as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"

    assert [worker["accepted"] for worker in running.status()["workers"]] == [4, 0]
