"""The pools of a master whose worker processes are played by the test, in memory: nothing is forked.

Every part of the master that decides is the real one, from `Reloading` to `Staffing`; only `Supervisor` makes entries
in the place of processes. So the test says which of them boots, fails or ends, and when.
"""

from __future__ import annotations

import errno
import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from corepool.config.settings import PoolSettings
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.messages import Failed, Leaving, Message, Ready
from corepool.ipc.scoreboard import Scoreboard
from corepool.ipc.shared_area import SharedArea
from corepool.master import worker_pool
from corepool.master.bus import BusDirectory
from corepool.master.loop import Loop
from corepool.master.owner import Failure, Surroundings
from corepool.master.pools import Pools
from corepool.master.recovery import Recovery
from corepool.master.reloading import Reloading
from corepool.master.states import Event, State
from corepool.master.supervisor import Supervisor
from corepool.master.workers import WorkerEntry
from corepool.plugins.listener import BoundSocket, Configuration
from corepool.spec.dispatcher import WorkerView
from corepool.spec.types import ExitStatus
from corepool.system.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from corepool.master.worker_pool import WorkerPool

_FIRST_PID = 10_000_000
"""Above /proc/sys/kernel/pid_max: no process has such a number."""


class PlayedWorkers(Supervisor):
    """The processes of one pool, which exist in the table only."""

    world: World

    def spawn(self, slot: int, generation: int, configuration: Configuration) -> WorkerEntry:
        if self.world.forks_to_refuse > 0:
            self.world.forks_to_refuse -= 1
            raise OSError(errno.EAGAIN, "no process to give")
        pid = next(self.world.pids)
        entry = WorkerEntry(
            slot=slot,
            pid=pid,
            generation=generation,
            configuration=configuration,
            pidfd=-1,
            channel=cast("Any", None),
            row=self._scoreboard.claim(self._pool),
            view=WorkerView(slot, pid),
            started_at=self._loop.time(),
        )
        self._workers.add(entry)
        return entry

    def say(self, entry: WorkerEntry, message: Message) -> None:
        """Have a worker send a message."""
        self.hearing._hear_message(entry, message, [])  # noqa: SLF001  # as if it had come by the channel

    def end(self, entry: WorkerEntry, code: int) -> None:
        """Have a worker end, and reap it."""
        if entry.deadline is not None:
            entry.deadline.cancel()
        self._workers.remove(entry)
        cause = entry.cause(code)
        entry.happened(Event.EXITED)
        self._on_exit(entry, ExitStatus(cause, code=code) if code >= 0 else ExitStatus(cause, signum=-code))
        self._scoreboard.retire(entry.row)

    def tell(self, entry: WorkerEntry, message: Message) -> None:
        pass

    def check_heartbeats(self, timeout_s: float) -> None:
        pass

    def _order(self, entry: WorkerEntry, message: Message) -> None:
        pass

    def _signal(self, entry: WorkerEntry, signum: int) -> None:
        pass

    def _set_deadline(self, entry: WorkerEntry, timeout_s: float, call: object) -> None:
        pass  # nothing is overdue here


class World:
    """The pools of one master, a clock that the test moves, and a configuration that it writes. Close it."""

    def __init__(self, written: Iterable[Configuration]) -> None:
        """Begin with pools that are ready."""
        self.now = 1000.0
        self.loop = Loop(lambda: self.now)
        self.pids = itertools.count(_FIRST_PID)
        self.forks_to_refuse = 0
        """How many of the next forks fail."""
        self.written = list(written)
        """The content of the configuration file."""
        self.scoreboard = Scoreboard(1)
        self.crash_slots = CrashSlots()
        self.recovery = Recovery(self.crash_slots, self.loop, self.scoreboard.count)
        self.told: list[str] = []
        """The service manager was told of these."""
        self._played_workers = type("WorkersOfOneWorld", (PlayedWorkers,), {"world": self})
        elsewhere = SimpleNamespace(lasting_sockets=list, take=self._stray, is_holding=False)
        self.pools = Pools(
            Surroundings(
                self.loop,
                self.scoreboard,
                self.crash_slots,
                SharedArea(),
                self.recovery,
                cast("Any", None),
                BusDirectory(self.loop, self.scoreboard),
                set(),
                "played",
                cast("Any", None),
                owner=cast("Any", self),
                elsewhere=cast("Any", elsewhere),
            )
        )
        service_manager = SimpleNamespace(
            ready=lambda status: self.told.append(f"ready: {status}"), reloading=lambda: self.told.append("reloading")
        )
        self.reload = Reloading(self.pools, self._read_again, cast("Any", service_manager), lambda: self.now)
        with self.playing():
            self.pools.serving = self.pools.make(self.written, 0)
        for pool in self.pools.serving.values():
            pool.start()
        self.boot_all()

    def playing(self) -> Any:
        """Return a context in which pools get played workers."""
        return mock.patch.object(worker_pool, "Supervisor", self._played_workers)

    # --- what an operator does

    def begin_reload(self, written: Iterable[Configuration]) -> None:
        """Reload another configuration."""
        self.written = list(written)
        with self.playing():
            self.reload.begin()

    # --- what workers do

    def in_state(self, *states: State) -> list[tuple[WorkerPool, WorkerEntry]]:
        """List the workers in one of `states`."""
        return [(pool, entry) for pool in self.pools for entry in pool.workers if entry.state in states]

    def boot(self, pool: WorkerPool, entry: WorkerEntry) -> None:
        """Have a worker become ready."""
        self._played(pool).say(entry, Ready())

    def fail_to_boot(self, pool: WorkerPool, entry: WorkerEntry, report: str = "no module") -> None:
        """Have a worker fail while it boots."""
        self._played(pool).say(entry, Failed(report))
        self._played(pool).end(entry, 3)

    def fail(self, pool: WorkerPool, entry: WorkerEntry, report: str = "no memory") -> None:
        """Have a worker that serves say that it is of no use, and leave."""
        self._played(pool).say(entry, Failed(report))
        self._played(pool).say(entry, Leaving())

    def end(self, pool: WorkerPool, entry: WorkerEntry, code: int = 0) -> None:
        """Have a worker end."""
        self._played(pool).end(entry, code)

    def boot_all(self) -> None:
        """Have workers boot and leave as they are told, until each of them serves."""
        while moving := self.in_state(State.STARTING, State.DRAINING, State.STOPPING):
            pool, entry = moving[0]
            if entry.state is State.STARTING:
                self.boot(pool, entry)
            else:
                self.end(pool, entry)

    def settle(self) -> None:
        """Let everything that is under way come to its end: workers boot and leave, and every delay is over."""
        for _ in range(4):
            self.boot_all()
            self.pass_time(60.0)
        self.boot_all()

    def pass_time(self, seconds: float) -> None:
        """Move the clock in some steps, and serve the timers that are due."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + max(1.0, seconds / 4))
            self.loop.turn(0)

    def close(self) -> None:
        """End everything."""
        for pool in self.pools:
            pool.close()
        self.recovery.close()
        self.loop.close()

    # --- owner.Owner, as the master is it

    def on_ready(self, pool: WorkerPool) -> None:  # noqa: ARG002
        self.reload.commit_if_ready()

    def on_failed(self, pool: WorkerPool, failure: Failure) -> None:  # noqa: ARG002
        self.reload.fail(failure)

    def on_empty(self, pool: WorkerPool) -> None:
        self.pools.forget(pool)

    def status(self) -> Any:
        return {}

    def _read_again(self, open_already: Sequence[BoundSocket]) -> list[Configuration]:  # noqa: ARG002
        return self.written

    def _stray(self, handoff: object) -> None:
        raise AssertionError(handoff)

    @staticmethod
    def _played(pool: WorkerPool) -> PlayedWorkers:
        return cast("PlayedWorkers", pool.supervisor)


def configuration(name: str, *, workers: int = 2, version: int = 0, **settings: object) -> Configuration:
    """Make the configuration of one pool.

    :param version: those of two versions are not alike; of one, they differ in the application alone.
    """
    pool = PoolSettings.model_validate({"name": name, "max_connections": 100 + version, **settings})
    return Configuration(pool, Identity(), cast("Any", None), workers, workers, ())


def versions(pool: WorkerPool) -> list[int]:
    """Return which version each ready worker of a pool serves, by slot."""
    return [entry.configuration.pool.max_connections - 100 for entry in pool.workers.ready()]
