"""The ledger and the dispatch under any order of events: nothing is lost, leaked or served twice."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.messages import NewConnections, SocketIndex
from corepool.ipc.scoreboard import Cell, Scoreboard
from corepool.master.dispatch import Dispatch
from corepool.master.ledger import Handoff, Ledger
from corepool.master.loop import Loop
from corepool.master.recovery import Recovery
from corepool.master.states import Event
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.dispatcher import WorkerView
from corepool.spec.types import Address

if TYPE_CHECKING:
    from corepool.ipc.messages import Message


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


@dataclass
class FakeChannel:
    """A worker's end in memory: the messages sent to it, and its answers."""

    full: bool = False
    gone: bool = False
    queue: list[int] = field(default_factory=list)

    def send(self, message: Message, fds: list[int]) -> None:
        if self.gone:
            raise PeerGoneError
        if self.full:
            raise ChannelFullError
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


class DispatchMachine(RuleBasedStateMachine):
    """Connections are real descriptors; a connection is known by its inode, which survives dup and passing."""

    def __init__(self) -> None:
        super().__init__()
        self.fds_before = self.open_fds()
        self.now = 0.0
        self.loop = Loop(lambda: self.now)
        self.workers = Workers(3)
        self.board = Scoreboard(1)
        self.recovery = Recovery(CrashSlots(), self.loop)
        self.strategy = FirstFree()
        listener = SimpleNamespace(
            name="l",
            dispatcher=self.strategy,
            dispatcher_name="first-free",
            settings=SimpleNamespace(keep_on_crash=False),
        )
        transport = SimpleNamespace(address=lambda _: Address("x"))
        self.bound = cast("Any", SimpleNamespace(index=0, listener=listener, transport=transport))
        self.configuration = cast(
            "Any",
            SimpleNamespace(worker_name=str, bound=[self.bound], pool=SimpleNamespace(max_connections=8)),
        )
        self.dispatch = Dispatch(self.loop, self.workers, self.board, [self.bound], self.recovery, lambda _: None)
        self.peers: dict[int, socket.socket] = {}
        self.taken: list[int] = []
        self.pid = 0
        self.paused = True
        self.dispatch.on_full = lambda: setattr(self, "paused", True)
        self.dispatch.on_room = lambda: setattr(self, "paused", False)

    @staticmethod
    def open_fds() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def pick_worker(self, data: st.DataObject) -> WorkerEntry:
        return data.draw(st.sampled_from(list(self.workers)))

    @rule()
    def a_worker_boots(self) -> None:
        if len(self.workers) >= 3:
            return
        self.pid += 1
        entry = WorkerEntry(
            slot=self.pid % 3,
            pid=self.pid,
            generation=0,
            configuration=self.configuration,
            pidfd=-1,
            channel=cast("Any", FakeChannel()),
            row=self.board.claim(0),
            view=WorkerView(self.pid % 3, self.pid),
            started_at=0.0,
        )
        self.workers.add(entry)
        entry.happened(Event.BOOTED)
        self.dispatch.retry()

    @rule(count=st.integers(1, 5))
    def connections_arrive(self, count: int) -> None:
        self.dispatch.refresh()
        for _ in range(count):
            if not self.dispatch.has_room:
                break
            ours, theirs = socket.socketpair()
            fd = theirs.detach()
            self.peers[os.fstat(fd).st_ino] = ours
            self.dispatch.place(self.bound, fd, None)
        self.dispatch.flush()

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), count=st.integers(1, 5))
    def a_worker_takes(self, data: st.DataObject, count: int) -> None:
        entry = self.pick_worker(data)
        channel = cast("FakeChannel", entry.channel)
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

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), full=st.booleans())
    def a_channel_fills_or_empties(self, data: st.DataObject, full: bool) -> None:  # noqa: FBT001
        cast("FakeChannel", self.pick_worker(data).channel).full = full

    @rule(refuses=st.booleans())
    def the_strategy_changes_its_mind(self, refuses: bool) -> None:  # noqa: FBT001
        self.strategy.refuses = refuses

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), noticed=st.booleans())
    def a_worker_dies(self, data: st.DataObject, noticed: bool) -> None:  # noqa: FBT001
        entry = self.pick_worker(data)
        channel = cast("FakeChannel", entry.channel)
        channel.gone = True
        channel.queue = []
        if noticed:
            self.workers.remove(entry)
            self.dispatch.take_back(entry)
            self.board.retire(entry.row)

    @rule(seconds=st.floats(0, 1))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.loop.turn(0)

    @invariant()
    def nobody_is_served_twice(self) -> None:
        assert len(self.taken) == len(set(self.taken))

    def teardown(self) -> None:
        # The dead are buried, the living take everything: then nothing may be missing.
        for entry in self.workers:
            if cast("FakeChannel", entry.channel).gone:
                self.workers.remove(entry)
                self.dispatch.take_back(entry)
        self.strategy.refuses = False
        if not len(self.workers):
            self.a_worker_boots()
        for _ in range(len(self.peers) + 5):
            for entry in self.workers:
                channel = cast("FakeChannel", entry.channel)
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
        self.dispatch.close()
        self.loop.close()
        for peer in self.peers.values():
            peer.close()
        assert self.open_fds() == self.fds_before


TestLedger = LedgerMachine.TestCase
TestDispatch = DispatchMachine.TestCase
TestDispatch.settings = settings(deadline=None, max_examples=60)


def test_a_strategy_that_chooses_whom_it_was_not_offered_is_not_obeyed() -> None:
    machine = DispatchMachine()
    machine.a_worker_boots()
    machine.a_worker_boots()
    full, free = list(machine.workers)
    full.row.cells[Cell.ACCEPTED] = 8
    machine.strategy.pick = lambda workers, incoming: full.view  # type: ignore[method-assign]  # noqa: ARG005

    machine.connections_arrive(3)

    assert len(cast("FakeChannel", full.channel).queue) == 0
    assert len(cast("FakeChannel", free.channel).queue) == 3
    machine.teardown()


def test_a_strategy_that_calls_sys_exit_costs_no_connection() -> None:
    machine = DispatchMachine()
    machine.a_worker_boots()
    machine.strategy.pick = lambda workers, incoming: sys.exit(1)  # type: ignore[method-assign]  # noqa: ARG005

    machine.connections_arrive(3)

    (entry,) = machine.workers
    assert len(cast("FakeChannel", entry.channel).queue) == 3
    machine.teardown()
