"""The contract of every dispatcher, as tests to inherit.

class TestMyDispatcher(DispatcherContract):
    def make(self):
        return MyDispatcher()
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

from corepool import Address, Dispatcher, Incoming, WorkerView

_MAX_WORKERS = 64
_ROUNDS = 200  # of choices, each among other workers; enough to meet every kind of list, done in milliseconds
_PEERS = (
    Address("192.0.2.7", 51234),
    Address("2001:db8::7", 51234),
    Address("fe80::1%eth0", 1),
    Address("127.0.0.1", 0),
    Address("unix"),
    Address("/run/client.sock"),
    Address("@abstract"),
    Address("/run/\udcff.sock"),  # a byte that is not UTF-8, as Python keeps it
    Address("unknown"),
    Address(""),
)


class DispatcherContract(ABC):
    """Derive, name the class Test..., and say how to make yours; pytest runs the rest."""

    @abstractmethod
    def make(self) -> Dispatcher:
        """Make a new instance of the dispatcher."""

    def test_is_written_for_this_contract(self) -> None:
        assert isinstance(self.make(), Dispatcher)
        assert self.make().api_version == Dispatcher.api_version

    def test_chooses_the_only_worker_again_and_again(self) -> None:
        dispatcher = self.make()
        only = _views([3])

        for peer in _PEERS * 3:
            _choose(dispatcher, only, peer)

    def test_chooses_one_of_the_workers_given_whatever_their_number_and_load(self) -> None:
        dispatcher = self.make()
        chance = random.Random(1)  # noqa: S311 - the same cases every time

        for count in range(1, _MAX_WORKERS + 1):
            _choose(dispatcher, _views(range(count), chance), chance.choice(_PEERS))

    def test_copes_with_workers_that_come_and_go(self) -> None:
        """Views are made anew each time: one that was kept from an earlier call is not among those given."""
        dispatcher = self.make()
        chance = random.Random(2)  # noqa: S311 - the same cases every time

        for _ in range(_ROUNDS):
            slots = sorted(chance.sample(range(_MAX_WORKERS), chance.randint(1, _MAX_WORKERS)))
            _choose(dispatcher, _views(slots, chance), chance.choice(_PEERS))

    def test_takes_any_peer_address(self) -> None:
        for peer in _PEERS:
            _choose(self.make(), _views(range(4)), peer)

    def test_changes_nothing_that_it_was_shown(self) -> None:
        dispatcher = self.make()
        workers = _views(range(8), random.Random(3))  # noqa: S311 - the same cases every time
        before = list(workers)
        facts = [_facts(worker) for worker in workers]

        for peer in _PEERS:
            _choose(dispatcher, workers, peer)

        assert workers == before, "the list was changed"
        assert [_facts(worker) for worker in workers] == facts, "a view was changed"


def _choose(dispatcher: Dispatcher, workers: list[WorkerView], peer: Address) -> None:
    incoming = Incoming("listener", peer)
    if dispatcher.worker_accepts:
        # The master never asks such a dispatcher; if it did by mistake, a choice would hide that.
        try:
            chosen = dispatcher.pick(workers, incoming)
        except RuntimeError:
            return
        raise AssertionError(f"workers accept by themselves, but pick() gave {chosen!r}")
    chosen = dispatcher.pick(workers, incoming)
    assert chosen is None or any(chosen is worker for worker in workers), f"{chosen!r} was not given"


def _views(slots: range | list[int], chance: random.Random | None = None) -> list[WorkerView]:
    """Make the view of a worker for each slot, idle or with random load."""
    views = [WorkerView(slot, 1000 + slot) for slot in slots]
    if chance is not None:
        for view in views:
            view.connections = chance.randrange(10_000)
            view.in_flight = chance.randrange(64)
            view.handed_over = view.connections + chance.randrange(10_000)
            view.lag_s = chance.random()
    return views


def _facts(worker: WorkerView) -> tuple[object, ...]:
    return tuple(getattr(worker, name) for name in WorkerView.__slots__)
