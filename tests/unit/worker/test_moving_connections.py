"""Connections that move and outlive crashes, under any order of events: none is leaked, none is served twice.

Connections are real descriptors, known by their inodes; what workers do is played here, with the shared memory that
they would write. `/proc/self/fd` shows the descriptors left open.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.ipc.crash_slots import CrashSlots, Status
from corepool.ipc.frozen import Frozen, crash_slot_of
from corepool.ipc.messages import NewConnections, SocketIndex, Thaw
from corepool.ipc.scoreboard import Cell, Scoreboard
from corepool.master.dispatch import Dispatch
from corepool.master.ledger import Handoff
from corepool.master.loop import Loop
from corepool.master.recovery import Recovery
from corepool.master.states import Event
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.dispatcher import WorkerView
from corepool.spec.types import Address

if TYPE_CHECKING:
    from corepool.ipc.messages import Message

RECORD = Frozen(0, 0.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, states=())


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


@dataclass
class FakeWorker:
    """A worker: its end of the channel, and what it holds."""

    full: bool = False
    gone: bool = False
    queue: list[Arrived] = field(default_factory=list)
    held: dict[int, Arrived] = field(default_factory=dict)

    def send(self, message: Message, fds: list[int]) -> None:
        if self.gone:
            raise PeerGoneError
        if self.full:
            raise ChannelFullError
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


class MovingMachine(RuleBasedStateMachine):
    """A master with up to three workers, and clients that never close."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets_before = open_sockets()
        self.now = 0.0
        self.loop = Loop(lambda: self.now)
        self.workers = Workers(3)
        self.board = Scoreboard(1)
        self.crash_slots = CrashSlots()
        self.recovery = Recovery(self.crash_slots, self.loop)
        self.peers: dict[int, socket.socket] = {}
        self.over: set[int] = set()
        """Connections that have ended: closed, sent an error, or gone with a worker that was not to be outlived."""
        self.crashes: Counter[int] = Counter()
        """In how many each connection was busy."""
        self.pid = 0

    @initialize(keep=st.booleans())
    def begin(self, keep: bool) -> None:  # noqa: FBT001
        self.keep = keep
        dispatcher = SimpleNamespace(pick=lambda workers, _: workers[0], worker_accepts=False)
        listener = SimpleNamespace(
            name="l", dispatcher=dispatcher, dispatcher_name="first", settings=SimpleNamespace(keep_on_crash=keep)
        )
        transport = SimpleNamespace(address=lambda _: Address("x"))
        self.bound = cast("Any", SimpleNamespace(index=0, listener=listener, transport=transport))
        self.configuration = cast(
            "Any",
            SimpleNamespace(worker_name=str, bound=[self.bound], pool=SimpleNamespace(max_connections=50)),
        )
        self.dispatch = Dispatch(self.loop, self.workers, self.board, [self.bound], self.recovery, self.stray)

    def stray(self, handoff: Handoff) -> None:
        raise AssertionError(handoff)

    def fake(self, entry: WorkerEntry) -> FakeWorker:
        return cast("FakeWorker", entry.channel)

    def pick_worker(self, data: st.DataObject) -> WorkerEntry:
        return data.draw(st.sampled_from(list(self.workers)))

    def pick_held(self, data: st.DataObject) -> tuple[WorkerEntry, Arrived] | None:
        entry = self.pick_worker(data)
        held = list(self.fake(entry).held.values())
        return (entry, data.draw(st.sampled_from(held))) if held else None

    @rule()
    def a_worker_boots(self) -> None:
        if len(self.workers) >= 3:
            return
        self.pid += 1
        slot = self.pid % 3
        entry = WorkerEntry(
            slot=slot,
            pid=self.pid,
            generation=0,
            configuration=self.configuration,
            pidfd=-1,
            channel=cast("Any", FakeWorker()),
            row=self.board.claim(0),
            view=WorkerView(slot, self.pid),
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
        self.take(self.pick_worker(data), count)

    def take(self, entry: WorkerEntry, count: int) -> None:
        fake = self.fake(entry)
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
        self.fake(entry).held.pop(each.inode, None)
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
        del self.fake(entry).held[each.inode]
        record = RECORD._replace(crash_slot=each.crash_slot).encode()
        fd = os.dup(each.fd)
        os.close(each.fd)
        entry.row.cells[Cell.MOVED_OUT] += 1
        self.dispatch.take_over(entry, [Handoff(fd, SocketIndex(0), None, record, entry.pid, crash_slot_of(record))])

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), full=st.booleans())
    def a_channel_fills_or_empties(self, data: st.DataObject, full: bool) -> None:  # noqa: FBT001
        self.fake(self.pick_worker(data)).full = full

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        self.bury(self.pick_worker(data))

    def bury(self, entry: WorkerEntry) -> None:
        fake = self.fake(entry)
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

    @rule(seconds=st.floats(0, 1))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.loop.turn(0)

    @invariant()
    def nobody_is_served_twice(self) -> None:
        held = [inode for entry in self.workers for inode in self.fake(entry).held]
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
                    self.fake(entry).full = False
                    self.take(entry, len(self.peers))
                self.now += 0.3
                self.dispatch.retry()
            held = {inode for entry in self.workers for inode in self.fake(entry).held}
            assert held == set(self.peers) - self.over
        for entry in self.workers:
            self.now += 1
            self.dispatch.refresh()
            for each in (*self.fake(entry).queue, *self.fake(entry).held.values()):
                os.close(each.fd)
            self.workers.remove(entry)
            self.dispatch.take_back(entry)
        self.recovery.close()
        self.dispatch.close()
        self.loop.close()
        for peer in self.peers.values():
            peer.close()
        assert not open_sockets() - self.sockets_before


def open_sockets() -> set[str]:
    """Name them: other tests' descriptors come and go with the garbage collector."""
    links = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            links.add(str(path.readlink()))
    return {link for link in links if link.startswith("socket:")}


TestMoving = MovingMachine.TestCase
TestMoving.settings = settings(deadline=None, max_examples=80)
