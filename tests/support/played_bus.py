"""Workers and masters on one bus in the test's process: real sockets and tables, and turns when the test says so."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError
from corepool.hot.reactor import Reactor
from corepool.ipc.channel import Channel
from corepool.ipc.messages import BusJoined, BusPeerGone, BusPeers, JoinBus
from corepool.ipc.scoreboard import Scoreboard
from corepool.master.bus import BusDirectory
from corepool.master.loop import Loop
from corepool.testing.loop import SteppedLoop
from corepool.worker.bus import WorkerBus

if TYPE_CHECKING:
    from collections.abc import Sequence


class PlayedMaster:
    """The directory, and the loop that it runs in."""

    def __init__(self, old_masters: Channel | None = None) -> None:
        self.loop = Loop()
        self.board = Scoreboard(1)
        self.directory = BusDirectory(self.loop, self.board, old_masters)

    def upgrade(self) -> PlayedMaster:
        """Begin to be replaced by another one, which serves beside this one."""
        ours, theirs = Channel.pair()
        self.directory.link(ours)
        return PlayedMaster(theirs)

    def turn(self) -> None:
        self.loop.turn(0)

    def close(self) -> None:
        self.directory.close()
        self.loop.close()


class PlayedWorker:
    """A worker with nothing but its bus. `kill` and `leave` are its ends."""

    def __init__(self, master: PlayedMaster, queue_bytes: int) -> None:
        self.master = master
        self.loop = SteppedLoop(Reactor())
        self._ours, self._theirs = Channel.pair()
        self.bus = WorkerBus(self.loop, self.loop.reactor, lambda: master.board.bus_joins, self._say, queue_bytes)
        self.is_alive = True
        master.loop.watch(self._ours.fd, EPOLLIN, lambda _: self._hear())
        self.loop.reactor.add(self._theirs.fd, self, EPOLLIN)

    def turn(self) -> None:
        self.loop.turn()

    def kill(self) -> None:
        """End as a killed process does: its descriptors are closed, and nothing that it keeps is sent."""
        self._forget()
        self.bus.drop()
        self.loop.close()

    def leave(self) -> None:
        """End in order."""
        self.bus.end()
        self.bus.close()
        self._forget()
        self.loop.close()

    def _forget(self) -> None:
        self.is_alive = False
        while self._hear():
            pass
        self.master.loop.unwatch(self._ours.fd)
        self.master.directory.leave(self)
        self.loop.reactor.remove(self._theirs.fd)
        self._ours.close()
        self._theirs.close()

    def _say(self, message: JoinBus, fds: Sequence[int]) -> bool:
        try:
            self._theirs.send(message, fds)
        except ChannelFullError:
            return False
        return True

    def _hear(self) -> bool:
        """Hear the worker, as the master does."""
        received = self._ours.receive_whole()
        if received is None:
            return False
        message, fds = received
        assert isinstance(message, JoinBus)
        self.master.directory.join(self, self._ours, message, fds)
        return True

    # --- a source of the reactor: the intake

    def on_event(self, mask: int) -> None:  # noqa: ARG002
        received = self._theirs.receive()
        if received is not None:
            message, fds = received
            assert isinstance(message, BusPeers | BusPeerGone | BusJoined)
            self.bus.heard(message, fds)

    def on_failure(self) -> None:
        raise AssertionError("on_event has failed") from sys.exception()

    def flush(self) -> None: ...


def open_descriptors() -> int:
    gc.collect()  # of other tests, whose descriptors would be missing later
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
