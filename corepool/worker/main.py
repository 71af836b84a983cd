"""The worker process: plugins, signals, orders, and the way out."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from corepool.hot.deadlines import Deadlines
from corepool.hot.reactor import Reactor
from corepool.ipc.messages import (
    BusJoined,
    BusPeerGone,
    BusPeers,
    Drained,
    LogLevel,
    Message,
    Move,
    NewState,
    Pause,
    Ready,
    Resume,
    Status,
    Stop,
)
from corepool.ipc.messages import Drain as DrainOrder
from corepool.ipc.shapes import SocketIndex
from corepool.logs.log import reopen_logs
from corepool.spec.bus import set_current_bus
from corepool.worker import events
from corepool.worker.backlog import BacklogReader
from corepool.worker.bus_use import use_of
from corepool.worker.counts import ConnectionCounts
from corepool.worker.drain import Drain
from corepool.worker.failing import report_failure
from corepool.worker.guarded import guarded
from corepool.worker.heartbeat import Heartbeat
from corepool.worker.intake import Intake
from corepool.worker.loop import WorkerLoop, cancel_tasks
from corepool.worker.mover import MAX_PER_MOVE, Mover
from corepool.worker.process import (
    EVENT_SIGNALS,
    ORPHAN_GRACE_S,
    TERMINAL_SIGNALS,
    die_if_orphaned,
    set_orphan_alarm,
    share_no_signals_with_forks,
)
from corepool.worker.question import StatusQuestion
from corepool.worker.renewing import Renewing
from corepool.worker.row import WorkerRow
from corepool.worker.service import Service
from corepool.worker.sharing import Sharing
from corepool.worker.shown import listener_with, listeners_of, served_by
from corepool.worker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from corepool.hot.connection import Connection
    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.plugins.listener import Configuration
    from corepool.spec.bus import Bus
    from corepool.spec.types import ListenerInfo, ThreadGauge, WorkerLoad

log = logging.getLogger(__name__)

EXIT_FAILED = os.EX_SOFTWARE
"""A plugin has said that the worker is of no use any more: 70, as for one that failed outside of every guard."""

_LAST_WORDS_S = 0.5
"""How long everything that plugins have started may take to clean up at the end: the master gives a worker a second."""

_FAST_STOP_S = 1.0
"""How long plugins may take for their stop when the worker has to stop at once: the master gives it two seconds."""

T = TypeVar("T")

_NEXT_MOVE_S = 0.001
"""Between two rounds of handing connections back: the others have their turn."""


class WorkerProcess:
    """A worker: wires the reactor, the intake and the drain to one event loop. Implements `corepool.Worker`."""

    def __init__(self, spawn: WorkerSpawn, configuration: Configuration) -> None:
        bound, pool = configuration.bound, configuration.pool
        self.requests = 0
        self.slot = spawn.slot
        self._name = configuration.worker_name(spawn.slot)
        self._pool_name = configuration.name
        self.generation = spawn.generation
        self.workers = spawn.workers
        self.pid = os.getpid()
        self._master_pid = spawn.master_pid
        self._scoreboard = spawn.scoreboard
        self._bound = bound
        self._pool = pool
        self._paused = {each.index for each in bound if each.listener.name in spawn.paused}
        self._channel = spawn.channel
        self._reactor = Reactor()
        self.loop = WorkerLoop(self._reactor)
        asyncio.set_event_loop(self.loop)
        deadlines = Deadlines(self.loop)
        counts = ConnectionCounts(spawn.row, pool.max_connections, self._reactor)
        self._services = [
            Service(each, self.loop, self._reactor, deadlines, counts, spawn.crash_slots) for each in bound
        ]
        by_index = self._by_index = {each.index: service for each, service in zip(bound, self._services, strict=True)}
        self.intake = Intake(
            spawn.channel, by_index, counts, self.loop, self._on_order, self._leave_unasked, self._on_orphaned
        )
        self._question = StatusQuestion(self.loop, self.intake.say)
        self._renewing = Renewing(self._name, bound, self.intake.say_surely)
        self._backlogs = {
            each.index: BacklogReader(each, service, counts, self._reactor, self.loop)
            for each, service in zip(bound, self._services, strict=True)
            if each.is_accepted_by(spawn.slot)
        }
        self._chains = configuration.chains
        self._mover = Mover(self.intake, by_index, spawn.row)
        self._drain = Drain(
            self._reactor, self._services, self._backlogs.values(), self._mover, self.loop, self.loop.end
        )
        self._row = WorkerRow(spawn.row, self._reactor, self._services, counts, lambda: self.requests)
        self._heartbeat = Heartbeat(self.loop, self._row, self._services, self._name, pool.heartbeat_timeout)
        self._area = spawn.shared
        sharing = Sharing(spawn.shared, configuration.name, spawn.master_pid)
        self.counter, self.buckets, self.semaphores = sharing.counter, sharing.buckets, sharing.semaphores
        self.map = sharing.map
        use = self._bus_use = use_of(self, self._reactor, spawn, self._row, self._chains)
        self.publish, self.subscribe, self.unsubscribe = use.publish, use.subscribe, use.unsubscribe
        self._shared: dict[Callable[[], object], object] = {}
        self._orphaned = self._is_ready = False
        self._failure: BaseException | None = None
        self._boots_by = self.loop.time() + pool.boot_timeout
        self._ends_at: float | None = None
        self._stop_s = pool.stop_timeout
        self._stops_by: float | None = None

    def start_plugins(self) -> None:
        """Run the plugins' start.

        :raises BaseException: whatever a plugin's `on_worker_start` raised, or has called `fail` with.
        """
        set_current_bus(lambda: self.bus)
        for chain in self._chains:
            if chain.on_worker_start is not None:
                chain.on_worker_start(self)
        if self._failure is not None:
            raise self._failure

    def take_up_signals(self) -> None:
        """Handle signals, here and in processes that the application forks: for the whole process, and for good."""
        for signum in EVENT_SIGNALS:
            self.loop.add_signal_handler(signum, self._on_signal, signum)
        for signum in TERMINAL_SIGNALS:
            self.loop.add_signal_handler(signum, lambda: None)
        die_if_orphaned(self._master_pid)
        share_no_signals_with_forks()
        os.register_at_fork(after_in_child=self._abandon)

    def join(self) -> None:
        """Take up orders, and tell the master that connections may come."""
        self.intake.watch(self._reactor)
        for index, backlog in self._backlogs.items():
            (backlog.pause if index in self._paused else backlog.resume)()
        self._row.join(self.slot, self.pid)
        self._heartbeat.start()
        self.intake.say_surely(Ready())
        self._is_ready = True

    def run(self) -> int:
        """Serve until drained or stopped, then run the plugins' stop.

        :returns: the exit status.
        """
        watchdog = Watchdog(self.loop, self._heartbeat.interval_s, self._pool.heartbeat_timeout)
        self.loop.run_until_end()
        watchdog.disarm()
        self._ends_at = self.loop.time() + _LAST_WORDS_S
        self._stops_by = self.loop.time() + self._stop_s
        self._reactor.flush_unsent()
        self._row.publish()
        self.intake.say(Drained())
        self._bus_use.end()
        for chain in self._chains:
            if chain.on_worker_stop is not None:
                guarded("on_worker_stop", chain.on_worker_stop, self)
        cancel_tasks(self.loop)
        self._bus_use.close()
        self._row.publish()
        self.loop.retire_signal_handlers()
        self.loop.close()
        return 0 if self._failure is None else EXIT_FAILED

    @property
    def listeners(self) -> list[ListenerInfo]:
        return listeners_of(self._bound)

    def listener_of(self, plugin: object) -> str:
        return listener_with(self._bound, plugin)

    def loads(self) -> list[WorkerLoad]:
        return self._row.loads(self._scoreboard)

    @property
    def pool(self) -> str:
        return self._pool_name

    @property
    def boot_timeout(self) -> float:
        return self._pool.boot_timeout

    def boot_s(self) -> float:
        return max(0.0, self._boots_by - self.loop.time())

    def gauge_threads(self, most: int) -> ThreadGauge:
        return self._row.gauge_threads(most)

    def metrics_of(self, protocol: object, refresh: Callable[[], None] | None = None) -> Mapping[str, memoryview[int]]:
        call = None if refresh is None else (lambda: guarded("metrics_of", refresh))
        return self._row.metrics_of(served_by(self._bound, protocol), call)

    def last_words_s(self) -> float:
        return _LAST_WORDS_S if self._ends_at is None else max(0.0, self._ends_at - self.loop.time())

    def stop_s(self) -> float:
        return self._stop_s if self._stops_by is None else max(0.0, self._stops_by - self.loop.time())

    def fail(self, error: BaseException) -> None:
        if self._failure is not None:
            return
        self._failure = error
        if self._is_ready:  # else it fails to boot
            events.worker_failed.report(log, report_failure(self._channel, error), worker=self._name)
            # Not from within a hook: its connection could move, or its backlog close, while it is being served.
            self.loop.call_soon(partial(self._leave, self._pool.drain_timeout, moves=True))

    @property
    def bus(self) -> Bus:
        return self._bus_use.bus

    async def status(self) -> Mapping[str, object]:
        return await self._question.ask()

    def shared(self, make: Callable[[], T]) -> T:
        if make not in self._shared:
            self._shared[make] = make()
        return cast("T", self._shared[make])

    def at_batch_end(self, call: Callable[[], None]) -> None:
        self._reactor.at_batch_end(lambda: guarded("at_batch_end", call))

    def on_long_turn(self, limit_s: float, call: Callable[[float, float], None]) -> None:
        self.loop.on_long_turn(limit_s, partial(guarded, "on_long_turn", call))

    def _on_signal(self, signum: int) -> None:
        for chain in self._chains if self._ends_at is None else ():  # else they have stopped, or are about to
            if chain.on_signal is not None:
                guarded("on_signal", chain.on_signal, signum)
        if signum == signal.SIGUSR1:
            reopen_logs()
        if signum == signal.SIGTERM:
            if os.getppid() == self._master_pid:
                self._leave_unasked()
            else:
                self._on_orphaned()

    def _on_order(self, order: Message, fds: list[int]) -> None:
        match order:
            case DrainOrder(lasting=lasting):
                for service in self._services:
                    service.sites.keep_unless(lasting)
                ending = {each.index for each in self._bound if not (each.index in lasting or each.transport.outlives)}
                self._leave(self._pool.drain_timeout, moves=len(lasting) > 0, ending=ending)
            case Stop():
                self._stop_s = min(self._stop_s, _FAST_STOP_S)
                self._leave(0)
            case Pause(socket=socket) | Resume(socket=socket):
                if (backlog := self._backlogs.get(socket)) is not None:
                    (backlog.pause if isinstance(order, Pause) else backlog.resume)()
            case Move(count=count, rest_s=rest_s):
                self._move(count, self.loop.time() - rest_s)
            case Status():
                self._question.answered(fds)
            case NewState():
                self._renewing.take(order, fds)
            case BusPeers() | BusPeerGone() | BusJoined():
                self._bus_use.heard(order, fds)
            case LogLevel(level=level):
                if level != logging.root.level:  # setting it writes to every logger: 140 KiB, shared with others so far
                    logging.root.setLevel(level)
            case _:
                raise RuntimeError(f"the master sent {order!r}, which is not for workers")

    def _move(self, count: int, not_since: float) -> None:
        """Hand back `count` idle connections that were not moved after `not_since`."""
        able = [
            conn
            for conn in self._drain.connections()
            if conn.moved_at <= not_since and self._rebalances(conn) and not self._drain.has_begun
        ]
        moved, there_are_more = self._mover.move(able, min(count, MAX_PER_MOVE))
        if there_are_more and count > moved:
            self.loop.call_later(_NEXT_MOVE_S, self._move, count - moved, not_since)

    def _rebalances(self, conn: Connection) -> bool:
        """Return whether another worker would do as well."""
        return self._by_index[SocketIndex(conn.site.index)].listener.dispatcher.rebalances

    def _on_orphaned(self) -> None:
        """Leave soon: the master is gone, and the next one wants the addresses."""
        if self._orphaned:
            return
        self._orphaned = True
        events.worker_orphaned(log, worker=self._name)
        set_orphan_alarm()
        self.intake.ignore()
        self._stop_s = min(self._stop_s, _LAST_WORDS_S)
        self._leave(ORPHAN_GRACE_S)

    def _abandon(self) -> None:
        """Separate a process that an application forks from what it shares with this worker."""
        self._reactor.abandon()
        self._scoreboard.abandon()
        self._area.abandon()
        self._bus_use.abandon()

    def _leave_unasked(self) -> None:
        # Which sockets will still be served is not known here; the master closes what it can't place.
        self._leave(self._pool.drain_timeout, moves=True)

    def _leave(self, timeout_s: float, *, moves: bool = False, ending: Container[SocketIndex] = ()) -> None:
        """Begin to end, or end sooner than was said before.

        :param ending: the sockets that no worker will serve any more, by index.
        """
        for index, backlog in self._backlogs.items():
            (backlog.finish if index in ending else backlog.stop)()
        self.intake.stop()
        self._drain.begin(timeout_s, moves=moves)
