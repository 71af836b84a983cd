"""A dispatch whose workers are played by the test, in memory: for machines of Hypothesis that derive from it.

Connections are real descriptors, known by their inodes, which survive dup and passing; workers write the shared memory
that real ones would. Derive, call `begin`, and add rules for the workers' part.
"""

from __future__ import annotations

import contextlib
import os
import socket
from abc import abstractmethod
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.scoreboard import Scoreboard
from corepool.master.dispatch import Dispatch
from corepool.master.loop import Loop
from corepool.master.recovery import Recovery
from corepool.master.states import Event
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.dispatcher import WorkerView
from corepool.spec.types import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.ipc.messages import Message
    from corepool.master.ledger import Handoff

SLOTS = 3


class PlayedChannel:
    """A worker's end of its channel, in memory: full or gone as the test says."""

    def __init__(self) -> None:
        self.full = False
        self.gone = False

    def send(self, message: Message, fds: list[int]) -> None:
        if self.gone:
            raise PeerGoneError
        if self.full:
            raise ChannelFullError
        self.take_in(message, fds)

    @abstractmethod
    def take_in(self, message: Message, fds: list[int]) -> None:
        """Queue a message; the descriptors are the sender's."""


class DispatchMachine(RuleBasedStateMachine):
    """A master's dispatch with up to three workers, a clock that the test moves, and clients that never close."""

    channel: Callable[[], PlayedChannel]

    def __init__(self) -> None:
        super().__init__()
        self.sockets_before = open_sockets()
        self.now = 0.0
        self.loop = Loop(lambda: self.now)
        self.workers = Workers(SLOTS)
        self.board = Scoreboard(1)
        self.crash_slots = CrashSlots()
        self.recovery = Recovery(self.crash_slots, self.loop, self.board.count)
        self.peers: dict[int, socket.socket] = {}
        """The client's side of each connection, by the inode of the other side."""
        self.pid = 0

    def begin(self, strategy: object, max_connections: int, *, keep_on_crash: bool = False) -> None:
        """Make the dispatch of one listener."""
        listener = SimpleNamespace(
            name="l",
            dispatcher=strategy,
            dispatcher_name="played",
            settings=SimpleNamespace(keep_on_crash=keep_on_crash),
        )
        transport = SimpleNamespace(address=lambda _: Address("x"))
        self.bound = cast("Any", SimpleNamespace(index=0, listener=listener, transport=transport, slot=None))
        pool = SimpleNamespace(max_connections=max_connections)
        self.configuration = cast("Any", SimpleNamespace(worker_name=str, bound=[self.bound], pool=pool))
        self.dispatch = Dispatch(self.loop, self.workers, self.board, [self.bound], self.recovery, self.stray)

    def stray(self, handoff: Handoff) -> None:
        raise AssertionError(handoff)

    def played(self, entry: WorkerEntry) -> Any:
        """Return the channel of a worker, which the class attribute `channel` has made."""
        return entry.channel

    def pick_worker(self, data: st.DataObject) -> WorkerEntry:
        return data.draw(st.sampled_from(list(self.workers)))

    @rule()
    def a_worker_boots(self) -> None:
        if len(self.workers) >= SLOTS:
            return
        self.pid += 1
        slot = self.pid % SLOTS
        entry = WorkerEntry(
            slot=slot,
            pid=self.pid,
            generation=0,
            configuration=self.configuration,
            pidfd=-1,
            channel=cast("Any", type(self).channel()),
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
            if not self.dispatch.has_room(self.bound.index):
                break
            ours, theirs = socket.socketpair()
            fd = theirs.detach()
            self.peers[os.fstat(fd).st_ino] = ours
            self.dispatch.place(self.bound, fd, None)
        self.dispatch.flush()

    @precondition(lambda self: len(self.workers))
    @rule(data=st.data(), full=st.booleans())
    def a_channel_fills_or_empties(self, data: st.DataObject, full: bool) -> None:  # noqa: FBT001
        self.played(self.pick_worker(data)).full = full

    @rule(seconds=st.floats(0, 1))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.loop.turn(0)

    def close(self) -> None:
        """Close everything, and check that no socket is left open."""
        self.recovery.close()
        self.dispatch.close()
        self.loop.close()
        for peer in self.peers.values():
            peer.close()
        assert not open_sockets() - self.sockets_before


def open_sockets() -> set[str]:
    """Return them by name: other tests' descriptors come and go with the garbage collector."""
    links = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            links.add(str(path.readlink()))
    return {link for link in links if link.startswith("socket:")}
