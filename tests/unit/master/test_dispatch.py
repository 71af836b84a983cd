"""The ledger and the dispatch under any order of events: nothing is lost, leaked or served twice."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from played_workers import DispatchMachine, PlayedChannel

from corepool import Address, Incoming
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.scoreboard import Cell
from corepool.ipc.shapes import SocketIndex
from corepool.master.ledger import Handoff, Ledger

if TYPE_CHECKING:
    from corepool.ipc.messages import Message
    from corepool.spec.dispatcher import WorkerView


class LedgerMachine(RuleBasedStateMachine):
    """Every handoff that goes in comes out exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.next = 0
        self.received = 0
        self.inside: list[int] = []

    @rule(count=st.integers(1, 70))
    def send(self, count: int) -> None:
        batch = [Handoff(self.next + index, SocketIndex(0), None) for index in range(count)]
        self.next += count
        self.ledger.sent(batch, 0.0)
        self.inside += [handoff.fd for handoff in batch]

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, len(self.inside)))
        self.received += count
        out = [handoff.fd for handoff in self.ledger.acknowledged(self.received, 0.0)]
        assert out == self.inside[:count]
        del self.inside[:count]

    @rule()
    def die(self) -> None:
        assert [handoff.fd for handoff in self.ledger.unread()] == self.inside
        self.inside = []

    @invariant()
    def length_agrees(self) -> None:
        assert len(self.ledger) == len(self.inside)


class Inbox(PlayedChannel):
    """The inodes of the connections sent to a worker that it has not read."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[int] = []

    def take_in(self, message: Message, fds: list[int]) -> None:
        assert isinstance(message, NewConnections)
        assert message.connections == len(fds)
        self.queue += [os.fstat(fd).st_ino for fd in fds]


class FirstFree:
    """Takes the first candidate; refuses now and then, as a strategy may."""

    worker_accepts = False

    def __init__(self) -> None:
        self.refuses = False

    def pick(self, workers: list[WorkerView], incoming: object) -> WorkerView | None:  # noqa: ARG002
        return None if self.refuses else workers[0]


class PlacingMachine(DispatchMachine):
    """Workers read what they are sent, close it, and die."""

    channel = Inbox

    def __init__(self) -> None:
        super().__init__()
        self.strategy = FirstFree()
        self.begin(self.strategy, max_connections=8)
        self.taken: list[int] = []
        self.paused = True
        self.dispatch.on_full = lambda: setattr(self, "paused", True)
        self.dispatch.on_room = lambda: setattr(self, "paused", False)

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), count=st.integers(1, 5))
    def a_worker_takes(self, data: st.DataObject, count: int) -> None:
        entry = self.pick_worker(data)
        channel = self.played(entry)
        taken, channel.queue = channel.queue[:count], channel.queue[count:]
        entry.row.cells[Cell.RECEIVED] += len(taken)
        entry.row.cells[Cell.ACCEPTED] += len(taken)
        self.taken += taken

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data())
    def a_connection_closes(self, data: st.DataObject) -> None:
        cells = self.pick_worker(data).row.cells
        if cells[Cell.CLOSED] < cells[Cell.ACCEPTED]:
            cells[Cell.CLOSED] += 1
            self.dispatch.retry()

    @rule(refuses=st.booleans())
    def the_strategy_changes_its_mind(self, refuses: bool) -> None:  # noqa: FBT001
        self.strategy.refuses = refuses

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), noticed=st.booleans())
    def a_worker_dies(self, data: st.DataObject, noticed: bool) -> None:  # noqa: FBT001
        entry = self.pick_worker(data)
        channel = self.played(entry)
        channel.gone = True
        channel.queue = []
        if noticed:
            self.workers.remove(entry)
            self.dispatch.take_back(entry)
            self.board.retire(entry.row)

    @invariant()
    def nobody_is_served_twice(self) -> None:
        assert len(self.taken) == len(set(self.taken))

    def teardown(self) -> None:
        # The dead are removed, the living take everything: then nothing may be missing.
        for entry in self.workers:
            if self.played(entry).gone:
                self.workers.remove(entry)
                self.dispatch.take_back(entry)
        self.strategy.refuses = False
        if not len(self.workers):
            self.a_worker_boots()
        for _ in range(len(self.peers) + 5):
            for entry in self.workers:
                channel = self.played(entry)
                channel.full = False
                self.taken += channel.queue
                entry.row.cells[Cell.RECEIVED] += len(channel.queue)
                entry.row.cells[Cell.ACCEPTED] += len(channel.queue)
                entry.row.cells[Cell.CLOSED] = entry.row.cells[Cell.ACCEPTED]
                channel.queue = []
            self.dispatch.retry()
        assert sorted(self.taken) == sorted(self.peers)
        assert not self.paused
        self.dispatch.refresh()
        self.close()


TestLedger = LedgerMachine.TestCase
TestDispatch = PlacingMachine.TestCase
TestDispatch.settings = settings(deadline=None, max_examples=60)


def test_a_strategy_that_chooses_whom_it_was_not_offered_is_not_obeyed() -> None:
    machine = PlacingMachine()
    machine.a_worker_boots()
    machine.a_worker_boots()
    full, free = list(machine.workers)
    full.row.cells[Cell.ACCEPTED] = 8
    machine.strategy.pick = lambda workers, incoming: full.view  # type: ignore[method-assign]  # noqa: ARG005

    machine.connections_arrive(3)

    assert len(machine.played(full).queue) == 0
    assert len(machine.played(free).queue) == 3
    machine.teardown()


def test_a_strategy_that_calls_sys_exit_costs_no_connection() -> None:
    machine = PlacingMachine()
    machine.a_worker_boots()
    machine.strategy.pick = lambda workers, incoming: sys.exit(1)  # type: ignore[method-assign]  # noqa: ARG005

    machine.connections_arrive(3)

    (entry,) = machine.workers
    assert len(machine.played(entry).queue) == 3
    machine.teardown()


def test_a_connection_of_a_workers_own_address_goes_to_its_slot_and_elsewhere_only_without_it() -> None:
    machine = PlacingMachine()
    machine.a_worker_boots()
    machine.a_worker_boots()
    first, second = machine.workers
    machine.bound.slot = second.view.slot

    machine.connections_arrive(3)
    assert (len(machine.played(first).queue), len(machine.played(second).queue)) == (0, 3)

    placing = machine.dispatch._placing  # noqa: SLF001 - what it chooses while one is blocked
    incoming = Incoming("x", Address("h", 1))
    placing.block(second)  # as with too many on their way: it is waited for
    assert placing.choose(machine.bound.listener, machine.bound.index, incoming, slot=second.view.slot) is None
    second.view.connections = second.max_connections
    assert placing.choose(machine.bound.listener, machine.bound.index, incoming, slot=second.view.slot) is first
    second.view.connections = 3

    machine.bound.slot = 7  # no worker has it
    machine.connections_arrive(1)
    assert len(machine.played(first).queue) + len(machine.played(second).queue) == 4
    machine.teardown()
