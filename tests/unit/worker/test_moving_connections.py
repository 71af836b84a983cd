"""Connections that move and outlive crashes, under any order of events: none is leaked, none is served twice.

Connections are real descriptors, known by their inodes; what workers do is played here, with the shared memory that
they would write. `/proc/self/fd` shows the descriptors left open.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from played_workers import DispatchMachine, PlayedChannel

from corepool.ipc.crash_slots import Status
from corepool.ipc.frozen import Frozen, crash_slot_of
from corepool.ipc.messages import Thaw
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.scoreboard import Cell
from corepool.ipc.shapes import SocketIndex
from corepool.master.ledger import Handoff

if TYPE_CHECKING:
    from corepool.ipc.messages import Message
    from corepool.master.workers import WorkerEntry

RECORD = Frozen(0, 0.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, protocol="test", states=())


@dataclass
class Arrived:
    """A descriptor of a worker's own, as SCM_RIGHTS makes one."""

    fd: int
    crash_slot: int
    is_lost: bool
    is_new: bool

    @property
    def inode(self) -> int:
        return os.fstat(self.fd).st_ino


class Holder(PlayedChannel):
    """A worker: its end of the channel, and the connections that it holds, by inode."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[Arrived] = []
        self.held: dict[int, Arrived] = {}

    def take_in(self, message: Message, fds: list[int]) -> None:
        if isinstance(message, Thaw):
            records = [Frozen.decode(record) for record in message.records]
            told = [(each.crash_slot, each.is_lost) for each in records]
        else:
            assert isinstance(message, NewConnections)
            assert message.connections == len(fds)
            told = [(slot, False) for slot in message.crash_slots or [0] * len(fds)]
        assert len(told) == len(fds)
        is_new = isinstance(message, NewConnections)
        self.queue += [
            Arrived(os.dup(fd), crash_slot, lost, is_new) for fd, (crash_slot, lost) in zip(fds, told, strict=True)
        ]


class MovingMachine(DispatchMachine):
    """Workers hold their connections, hand them back, and crash."""

    channel = Holder

    def __init__(self) -> None:
        super().__init__()
        self.over: set[int] = set()
        """Connections that have ended: closed, sent an error, or gone with a worker that was not to be outlived."""
        self.crashes: Counter[int] = Counter()
        """In how many each connection was busy."""

    @initialize(keep=st.booleans())
    def begin_with_or_without_rescue(self, keep: bool) -> None:  # noqa: FBT001
        strategy = SimpleNamespace(pick=lambda workers, _: workers[0], worker_accepts=False)
        self.begin(strategy, max_connections=50, keep_on_crash=keep)

    def pick_held(self, data: st.DataObject) -> tuple[WorkerEntry, Arrived] | None:
        entry = self.pick_worker(data)
        held = list(self.played(entry).held.values())
        return (entry, data.draw(st.sampled_from(held))) if held else None

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), count=st.integers(1, 5))
    def a_worker_takes(self, data: st.DataObject, count: int) -> None:
        self.take(self.pick_worker(data), count)

    def take(self, entry: WorkerEntry, count: int) -> None:
        fake = self.played(entry)
        taken, fake.queue = fake.queue[:count], fake.queue[count:]
        for each in taken:
            entry.row.cells[Cell.RECEIVED] += 1
            entry.row.cells[Cell.ACCEPTED if each.is_new else Cell.MOVED_IN] += 1
            if each.is_lost:
                self.end(entry, each)
                continue
            fake.held[each.inode] = each
            if each.crash_slot:
                assert self.crash_slots.statuses[each.crash_slot] == Status.BUSY
                self.crash_slots.write(each.crash_slot, RECORD._replace(crash_slot=each.crash_slot).encode())
                self.crash_slots.statuses[each.crash_slot] = Status.IDLE

    def end(self, entry: WorkerEntry, each: Arrived) -> None:
        self.over.add(each.inode)
        self.played(entry).held.pop(each.inode, None)
        if each.crash_slot:
            self.crash_slots.statuses[each.crash_slot] = Status.CLOSED
        os.close(each.fd)
        entry.row.cells[Cell.CLOSED] += 1

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), status=st.sampled_from([Status.BUSY, Status.IDLE, Status.SPEAKING, Status.SENDING]))
    def a_worker_goes_on(self, data: st.DataObject, status: Status) -> None:
        found = self.pick_held(data)
        if found and found[1].crash_slot:
            self.crash_slots.statuses[found[1].crash_slot] = status

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data())
    def a_worker_closes(self, data: st.DataObject) -> None:
        found = self.pick_held(data)
        if found:
            self.end(*found)
            self.dispatch.retry()

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data())
    def a_worker_hands_back(self, data: st.DataObject) -> None:
        found = self.pick_held(data)
        if not found:
            return
        entry, each = found
        if each.crash_slot and self.crash_slots.statuses[each.crash_slot] != Status.IDLE:
            return
        del self.played(entry).held[each.inode]
        record = RECORD._replace(crash_slot=each.crash_slot).encode()
        fd = os.dup(each.fd)
        os.close(each.fd)
        entry.row.cells[Cell.MOVED_OUT] += 1
        self.dispatch.take_over(entry, [Handoff(fd, SocketIndex(0), None, record, entry.pid, crash_slot_of(record))])

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        self.bury(self.pick_worker(data))

    def bury(self, entry: WorkerEntry) -> None:
        fake = self.played(entry)
        fake.gone = True
        taken = dict(fake.held)
        statuses = {
            inode: Status(self.crash_slots.statuses[each.crash_slot])
            for inode, each in taken.items()
            if each.crash_slot
        }
        for each in (*fake.queue, *taken.values()):
            os.close(each.fd)
        fake.queue, fake.held = [], {}
        self.workers.remove(entry)
        self.dispatch.take_back(entry)
        left = self.recovery.recover(entry.pid)
        entry.row.cells[Cell.MOVED_OUT] += len(left)
        rescued = {os.fstat(handoff.fd).st_ino: handoff for handoff in left}
        for inode in taken:
            status = statuses.get(inode)
            # A socket pair can't tell how much of a reply has left: its client is sent the error.
            was_busy = status in (Status.BUSY, Status.SENDING)
            self.crashes[inode] += was_busy
            is_told = was_busy and self.crashes[inode] == 1
            assert (inode in rescued) == (status is Status.IDLE or is_told)
            if inode in rescued:
                record = rescued[inode].frozen
                assert record is not None
                assert Frozen.decode(record).is_lost == is_told
            else:
                self.over.add(inode)
        self.dispatch.adopt(left)
        self.board.retire(entry.row)

    @invariant()
    def nobody_is_served_twice(self) -> None:
        held = [inode for entry in self.workers for inode in self.played(entry).held]
        assert len(held) == len(set(held))
        assert not self.over & set(held)

    def teardown(self) -> None:
        if not hasattr(self, "dispatch"):
            self.loop.close()
            return
        if self.pid % 2:  # else the master is shut down as it is, in the midst of it
            self.a_worker_boots()
            for _ in range(3 * len(self.peers) + 5):
                for entry in self.workers:
                    self.played(entry).full = False
                    self.take(entry, len(self.peers))
                self.now += 0.3
                self.dispatch.retry()
            held = {inode for entry in self.workers for inode in self.played(entry).held}
            assert held == set(self.peers) - self.over
        for entry in self.workers:
            self.now += 1
            self.dispatch.refresh()
            for each in (*self.played(entry).queue, *self.played(entry).held.values()):
                os.close(each.fd)
            self.workers.remove(entry)
            self.dispatch.take_back(entry)
        self.close()


TestMoving = MovingMachine.TestCase
TestMoving.settings = settings(deadline=None, max_examples=80)
