"""A worker that can take no more is passed over, and comes back when it can; nothing is made anew for an accept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from corepool.master.placing import IN_FLIGHT_LIMIT, STALLED_S, Placing
from corepool.spec.dispatcher import WorkerView

NOTHING = (0, 0, 0, 0, 0, 0)


class Pool:
    """A placing over workers in memory, and their counters."""

    def __init__(self, workers: int = 2, max_connections: int = 1000) -> None:
        self.loads = [NOTHING] * workers
        self.entries: list[Any] = [
            SimpleNamespace(
                view=WorkerView(slot, 1000 + slot),
                row=SimpleNamespace(index=slot),
                load=None,
                ledger=SimpleNamespace(received=0, waiting_since=float("inf")),
                max_connections=max_connections,
                sockets={0},
            )
            for slot in range(workers)
        ]
        ready: Any = SimpleNamespace(ready=lambda: self.entries)
        self.placing = Placing(ready, lambda: self.loads)
        self.placing.read()

    def slots(self) -> list[int]:
        return [view.slot for view in self.placing.candidates]

    def place(self, slot: int, count: int) -> None:
        for _ in range(count):
            self.placing.placed(self.entries[slot])


def test_a_worker_that_leaves_its_handoffs_is_blocked_until_it_has_taken_one() -> None:
    pool = Pool()
    pool.place(0, IN_FLIGHT_LIMIT - 1)
    assert pool.slots() == [0, 1]
    pool.place(0, 1)
    assert pool.slots() == [1]

    pool.placing.reconsider(0.0)
    assert pool.slots() == [1], "nothing has changed"
    pool.entries[0].view.in_flight -= 1
    pool.placing.reconsider(0.0)
    assert pool.slots() == [0, 1]


def test_a_full_worker_is_blocked_until_a_connection_of_it_ends() -> None:
    pool = Pool(max_connections=3)
    pool.place(0, 3)
    assert pool.slots() == [1]
    pool.loads = [(0, 0, 3, 3, 0, 0), NOTHING]
    pool.placing.read()
    pool.placing.reconsider(0.0)
    assert pool.slots() == [1]

    pool.loads = [(1, 0, 3, 3, 0, 0), NOTHING]
    pool.placing.read()
    assert pool.entries[0].view.connections == 2
    pool.placing.reconsider(0.0)
    assert pool.slots() == [0, 1]


def test_a_stuck_worker_is_blocked_until_it_takes_something() -> None:
    pool = Pool()
    pool.placing.block(pool.entries[1])
    pool.entries[1].ledger.waiting_since = 10.0
    pool.placing.reconsider(10.0 + STALLED_S)
    assert pool.slots() == [0]

    pool.entries[1].ledger.waiting_since = 10.1
    pool.placing.reconsider(10.0 + STALLED_S)
    assert pool.slots() == [0, 1]


def test_a_worker_that_accepts_by_itself_until_it_is_full_is_blocked() -> None:
    pool = Pool(max_connections=2)
    pool.loads = [(0, 0, 0, 2, 0, 0), NOTHING]
    pool.placing.read()

    assert pool.slots() == [1]


def test_workers_that_have_not_changed_cost_no_new_lists() -> None:
    """Frames alone don't show them: a list of 64 workers is made in as many frames as one of two."""
    pool = Pool(64)
    before = pool.placing.candidates, pool.placing._entries  # noqa: SLF001
    pool.placing.read()
    pool.placing.reconsider(0.0)

    assert pool.placing.candidates is before[0]
    assert pool.placing._entries is before[1]  # noqa: SLF001


def test_acknowledgements_are_reported_once() -> None:
    pool = Pool()
    pool.place(1, 1)
    pool.loads = [NOTHING, (0, 0, 1, 1, 0, 5_000_000)]

    assert pool.placing.read() == [pool.entries[1]]
    assert pool.entries[1].view.lag_s == 0.005
    assert pool.placing.read() == []
