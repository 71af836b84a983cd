"""Clients that wait, and elements that come in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corepool import ListenerInfo
from corepool.hot.reactor import Reactor
from corepool.testing.failures import Failures
from corepool.testing.loop import SteppedLoop
from corepool.testing.worker_here import WorkerHere
from corepool_kv.engine.demands import Demand
from corepool_kv.engine.engine import Engines
from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.engine.lists import List
from corepool_kv.stores import LIST, StoreError
from corepool_kv.stores.options import StoreOptions, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from corepool_kv.engine.line import Outcome
    from corepool_kv.engine.work import Work


class Waiting:
    """Implements `execution.Client`, and `Waiter`."""

    def __init__(self) -> None:
        self.limits = Limits(100, 100, 1000)
        self.waiting: list[Work] = []
        self.elements: list[bytes] = []

    def answer(self, replies: bytes) -> None:
        """Take the replies."""

    def explain(self, error: StoreError, commands: int) -> bytes:
        raise AssertionError(error, commands)

    def end_wait(self, outcome: Outcome) -> None:
        assert outcome.taken is not None
        self.elements += outcome.taken.elements

    def fail_wait(self, error: StoreError) -> None:
        raise AssertionError(error)


def _push(db: Keyspace, key: bytes) -> bytes:
    found = List.open(db, key)
    found.push(b"of " + key, left=True)
    found.save()
    return b""


@pytest.mark.parametrize("store", ["lmdb", "memory"])
def test_one_that_begins_to_wait_behind_an_element_that_no_client_wanted_gets_the_next(
    store: str, tmp_path: Path
) -> None:
    loop = SteppedLoop(Reactor())
    failures = Failures()
    worker = WorkerHere(loop, ListenerInfo("kv", "kv", ("tcp://127.0.0.1:6379",)), failures)
    place = f"lmdb:{tmp_path / 'store'}" if store == "lmdb" else "memory:"
    engines = worker.shared(Engines)
    engine = engines.join(make_store(StoreOptions(store=place)), worker)
    client = Waiting()
    demand = Demand(0, LIST, first=True, most=0, keys=(b"wanted",))

    def wait(db: Keyspace) -> bytes:
        engine.blocking.begin(db, client, demand)
        return b""

    try:
        for work in (lambda db: _push(db, b"other"), wait, lambda db: _push(db, b"wanted")):
            engine.execution.submit(client, work)
        loop.turn()
        loop.turn()
        failures.raise_first()
        assert client.elements == [b"of wanted"]
    finally:
        engines.leave(engine)
        worker.end_bus()
        loop.close()
