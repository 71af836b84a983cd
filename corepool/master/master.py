"""The master: wires the loop, the acceptors, the dispatch and the supervisor, and decides what follows on what.

It never reads a byte that a client sent, starts no thread, and imports no application code; so it can fork
at any moment.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import BootError, ConfigError, ControlError
from corepool.ipc.messages import Kind, Message
from corepool.ipc.scoreboard import Cell, Scoreboard
from corepool.log import reopen_logs
from corepool.master.acceptor import Acceptor
from corepool.master.dispatch import Dispatch
from corepool.master.loop import Loop
from corepool.master.recycling import Limits, Usage
from corepool.master.restart import Backoff
from corepool.master.signals import Signals
from corepool.master.states import Event, State
from corepool.master.status import (
    PoolStatus,
    ReloadStatus,
    UpgradeStatus,
    listeners_status,
    resident_bytes,
    totals,
    workers_status,
)
from corepool.master.succession import Succession
from corepool.master.supervisor import Supervisor
from corepool.master.upgrade import Successor
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.scaler import PoolLoad
from corepool.spec.types import ExitCause, ExitStatus, PoolInfo
from corepool.title import Title, count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool.ipc.seat import Seat
    from corepool.listener import BoundSocket, Configuration
    from corepool.master.control import ControlSocket
    from corepool.master.notify import ServiceManager

log = logging.getLogger(__name__)

MAX_WORKERS = 512

MAX_LISTENERS = 64
"""As many as a configuration may have; the scoreboard has a pair of counters for each."""

_RECYCLING_INTERVAL_S = 1.0
_SCALING_INTERVAL_S = 1.0

_LOG_LEVELS = ("debug", "info", "warning", "error")

_EXPECTED = (ExitCause.STOPPED, ExitCause.SCALED_DOWN, ExitCause.REPLACED, ExitCause.RECYCLED, ExitCause.ASKED)
"""Causes of an exit after which nothing is wrong."""


class Master:
    """One pool's master. `start`, then `turn` until `finished`; or `run`, which does both."""

    def __init__(
        self,
        configuration: Configuration,
        version: str,
        service_manager: ServiceManager,
        run_worker: Callable[[Seat, Configuration], int],
        read_again: Callable[[Sequence[BoundSocket]], Configuration],
        on_ready: Callable[[], None],
    ) -> None:
        """Take over the bound sockets; nothing is forked yet.

        :param run_worker: what a forked child does; gives its exit status.
        :param read_again: gives what to reload, taking over what is still wanted of the sockets that are open;
            raises ConfigError, and nothing has changed then.
        :param on_ready: called once, when the first generation is ready.
        """
        self._serving = configuration
        self._coming: Configuration | None = None
        """What the reload under way leads to."""
        self._read_again = read_again
        self._version = version
        self._service_manager = service_manager
        self._announce = on_ready
        self._loop = Loop()
        self._workers = Workers(configuration.workers)
        self._scoreboard = Scoreboard(MAX_LISTENERS)
        self._paused: set[str] = set()
        """Listeners that were paused, by name."""
        self._supervisor = Supervisor(
            self._loop, self._workers, self._scoreboard, run_worker, self._on_message, self._on_exit, self._paused
        )
        self._dispatch = Dispatch(self._loop, self._workers, configuration.bound, configuration.pool.max_connections)
        self._acceptors = self._make_acceptors(configuration)
        self._dispatch.on_full = self._pause
        self._dispatch.on_room = self._resume
        self._backoffs: dict[int, Backoff] = {}
        self._respawning: set[int] = set()
        self._signals: Signals | None = None
        self._control: ControlSocket | None = None
        self._started_at = self._loop.time()
        self._heartbeats_checked_at = self._started_at
        self._title = Title()
        self._load_seen_at = self._started_at
        self._busy_seen_ns = 0
        self._boot_failure: str | None = None
        self._was_ready = False
        self._stopping = False
        self._restarts = 0
        self._generation = 0
        self._succession = Succession(configuration.pool.surge)
        self._successor: Successor | None = None
        self._upgrade: UpgradeStatus = {"state": "none", "pid": 0, "error": ""}
        self._reload: ReloadStatus = {"state": "none", "generation": 0, "left": 0, "error": ""}

    @property
    def finished(self) -> bool:
        """True when the pool was told to stop and every worker is gone."""
        return self._stopping and not len(self._workers)

    def run(self, control: ControlSocket) -> None:
        """Run the pool until it has stopped.

        :raises BootError: the first generation could not start.
        """
        self._signals = Signals()
        try:
            self._signals.install()
            self._loop.watch(self._signals.fd, EPOLLIN, self._on_signals)
            self._control = control
            control.serve(self._loop)
            self.start()
            while not self.finished:
                self.turn()
        finally:
            self.close()
        if self._boot_failure is not None:
            raise BootError(self._boot_failure)

    def start(self) -> None:
        """Fork the first generation."""
        self._tell("on_start", self._info())
        # Once, before the first fork, and never thawed: a collection writes to every object's header, and each
        # write in the master takes a shared page away from the workers (12 MB a worker instead of 3). No
        # collection before it either: what it freed would be refilled by each worker, on pages of its own.
        gc.freeze()
        for slot in self._workers.vacant():
            self._spawn(slot)
        self._check_heartbeats()
        self._loop.call_later(_RECYCLING_INTERVAL_S, self._recycle)
        self._scale_by_load()
        if self._service_manager.watchdog_interval_s is not None:
            self._feed_watchdog()

    def turn(self, longest_s: float | None = None) -> None:
        """Serve what is due, waiting `longest_s` at most for it."""
        self._loop.turn(longest_s)

    def stop(self, *, fast: bool = False) -> None:
        """Stop the pool: drain the workers, or end them at once. A second fast stop kills them."""
        kill = fast and self._stopping
        if not self._stopping:
            self._stopping = True
            if self._successor is not None:
                self._successor.close()
                self._successor = None
            self._service_manager.stopping()
            log.info("pool stopping workers=%d fast=%s", len(self._workers), fast)
            for acceptor in self._acceptors:
                acceptor.stop()
            self._discard_coming()
            for bound in self._serving.bound:
                bound.close()
        for entry in self._workers:
            if kill:
                self._supervisor.kill(entry, ExitCause.STOPPED)
            elif fast:
                self._supervisor.stop(entry, ExitCause.STOPPED)
            else:
                self._supervisor.retire(entry, ExitCause.STOPPED, self._serving.pool.drain_timeout)

    def reload(self) -> None:
        """Read the configuration again, and replace every worker by one that imports the application anew.

        A worker serves until its successor is ready. The first successor that fails ends the reload, and those
        that were not replaced yet go on. A reload during a reload begins anew.

        :raises ControlError: the pool is starting or stopping, or the configuration has mistakes.
        """
        if self._stopping or not self._was_ready:
            raise ControlError(f"the pool is {'stopping' if self._stopping else 'starting'}")
        if self._successor is not None:
            raise ControlError(f"an upgrade is under way (pid {self._successor.pid})")
        overtaken = self._coming
        fresh = [] if overtaken is None else overtaken.not_in(self._serving)
        try:
            self._coming = self._read_again([*self._serving.bound, *fresh])
        except ConfigError as error:
            raise ControlError(f"nothing was changed: {error}") from None
        if overtaken is not None:
            for bound in overtaken.not_in(self._serving, self._coming):
                bound.close()
        self._generation += 1
        for pid in self._succession.abandon(frozenset(ExitCause)):
            self._retire(pid, ExitCause.REPLACED)
        for entry in self._workers:
            if entry.state is State.STARTING:
                self._supervisor.retire(entry, ExitCause.REPLACED, self._serving.pool.drain_timeout)
        self._dispatch.is_mixed = True
        self._succession.surge = self._coming.pool.surge
        for entry in self._workers.ready():
            self._succession.want(entry.slot, ExitCause.REPLACED)
        self._reload = {"state": "running", "generation": self._generation, "left": 0, "error": ""}
        log.info("reload begins generation=%d workers=%d", self._generation, len(self._workers.ready()))
        self._service_manager.reloading()
        self._start_heirs()

    def upgrade(self) -> None:
        """Execute a new master with the listening sockets; leave when it is ready, go on when it fails.

        :raises ControlError: it can't be done now, or not here.
        """
        if self._stopping or not self._was_ready or self._reload["state"] == "running":
            what = "stopping" if self._stopping else "reloading" if self._was_ready else "starting"
            raise ControlError(f"the pool is {what}")
        if self._successor is not None:
            raise ControlError(f"an upgrade is under way (pid {self._successor.pid})")
        if os.getpid() == 1:
            raise ControlError("process 1 can't leave: its container would end; replace the container instead")
        timeout_s = 2 * self._serving.pool.boot_timeout
        try:
            self._successor = Successor(
                self._loop, self._serving.bound, timeout_s, self._on_upgraded, self._on_upgrade_failed
            )
        except OSError as error:
            raise ControlError(f"the new master can't be executed: {error.strerror or error}") from None
        self._upgrade = {"state": "running", "pid": self._successor.pid, "error": ""}
        self._service_manager.reloading()
        log.info("upgrade begins pid=%d", self._successor.pid)

    def drain(self, slot: int) -> int:
        """Replace one worker, which finishes what it has begun.

        :returns: its pid.
        :raises ControlError: there is none in `slot`, or the pool is stopping.
        """
        if self._stopping:
            raise ControlError("the pool is stopping")
        entry = self._workers.in_slot(slot)
        if entry is None:
            slots = ", ".join(str(entry.slot) for entry in self._workers.ready())
            raise ControlError(f"no worker is ready in slot {slot}; those that are: {slots or 'none'}")
        self._succession.want(slot, ExitCause.ASKED)
        self._start_heirs()
        return entry.pid

    def pause_listener(self, name: str) -> None:
        """Leave new connections of a listener in the kernel's backlog; those that there are go on.

        :raises ControlError: there is none of that name.
        """
        self._tell_listener(name, Kind.PAUSE)
        self._paused.add(name)
        for acceptor in self._acceptors:
            if acceptor.listener == name:
                acceptor.pause()
        log.info("listener paused name=%s", name)

    def resume_listener(self, name: str) -> None:
        """Take connections of a listener again.

        :raises ControlError: there is none of that name.
        """
        self._tell_listener(name, Kind.RESUME)
        self._paused.discard(name)
        if not self._dispatch.paused:
            self._resume()
        log.info("listener resumed name=%s", name)

    def set_log_level(self, level: str) -> None:
        """Write what is as important as `level`, or more: here, in every worker, and in those to come.

        :raises ControlError: there is no such level.
        """
        if level not in _LOG_LEVELS:
            raise ControlError(f"no log level {level!r}; there are: {', '.join(_LOG_LEVELS)}")
        logging.getLogger().setLevel(level.upper())
        for entry in self._workers.ready():
            self._supervisor.tell(entry, Message(Kind.LOG_LEVEL, 0, level.upper().encode()))

    def scale(self, workers: int) -> int:
        """Have so many workers, within 1..MAX_WORKERS.

        :returns: how many there will be.
        """
        if self._stopping:
            return 0
        self._workers.target = min(max(1, workers), MAX_WORKERS)
        log.info("pool scaled workers=%d", self._workers.target)
        for entry in self._workers.surplus():
            self._supervisor.retire(entry, ExitCause.SCALED_DOWN, self._serving.pool.drain_timeout)
        for slot in self._workers.vacant():
            if slot not in self._respawning:
                self._spawn(slot)
        return self._workers.target

    def status(self) -> PoolStatus:
        """Describe the pool."""
        now = self._loop.time()
        return PoolStatus(
            pid=os.getpid(),
            version=self._version,
            uptime=round(now - self._started_at, 3),
            generation=self._generation,
            wanted=self._workers.target,
            state="stopping" if self._stopping else "ready" if self._was_ready else "starting",
            upgrade=self._upgrade,
            reload={**self._reload, "left": self._succession.pending(ExitCause.REPLACED)},
            listeners=listeners_status(self._serving.bound, self._scoreboard, self._paused),
            workers=workers_status(self._workers, now),
            totals=totals(self._scoreboard, restarts=self._restarts, redispatched=self._dispatch.redispatched),
        )

    def close(self) -> None:
        """Give everything back, ending what is left of the workers. Idempotent."""
        self._stopping = True
        for entry in self._workers:
            self._supervisor.kill(entry, ExitCause.STOPPED)
        while len(self._workers):
            self._loop.turn()
        self._dispatch.close()
        self._discard_coming()
        for bound in self._serving.bound:
            bound.close()
        if self._control is not None:
            self._control.close()
        self._service_manager.close()
        self._loop.close()
        self._tell("on_stop", self._info())
        if self._signals is not None:
            self._signals.restore()

    def _tell_listener(self, name: str, kind: Kind) -> None:
        """Tell the workers that accept from a listener's sockets."""
        indices = [bound.index for bound in self._serving.bound if bound.listener.name == name]
        if not indices:
            names = ", ".join(sorted({bound.listener.name for bound in self._serving.bound}))
            raise ControlError(f"no listener named {name!r}; there are: {names}")
        for entry in self._workers.ready():
            for index in indices:
                self._supervisor.tell(entry, Message(kind, index))

    # --- what happens

    def _on_message(self, entry: WorkerEntry, message: Message) -> None:
        if message.kind is Kind.READY:
            self._on_booted(entry)
        elif message.kind is Kind.ROOM:
            self._dispatch.retry()
        elif message.kind is Kind.LEAVING:
            self._supervisor.note_leaving(entry, self._serving.pool.drain_timeout)
            self._dispatch.take_back(entry)
            self._fill()
        elif message.kind is Kind.FAILED:
            # Only a first generation that can't boot ends the pool; later ones are in the log.
            entry.report = message.payload.decode(errors="replace").rstrip()
            if not self._was_ready and self._boot_failure is None:
                self._boot_failure = entry.report
        else:
            raise RuntimeError(f"worker {entry.slot} sent {message.kind!r}, which is not for the master")

    def _on_booted(self, entry: WorkerEntry) -> None:
        entry.happened(Event.BOOTED)
        if entry.state is not State.READY:
            return
        if entry.deadline is not None:
            entry.deadline.cancel()
        log.info("worker ready slot=%d pid=%d generation=%d", entry.slot, entry.pid, entry.generation)
        for bound in self._serving.bound:
            if bound.listener.name in self._paused:
                self._supervisor.tell(entry, Message(Kind.PAUSE, bound.index))
        entry.limits = Limits(self._serving.pool, random.random())  # noqa: S311  # jitter, not a secret
        self._dispatch.retry()
        if not self._was_ready and len(self._workers.ready()) >= self._workers.target:
            self._was_ready = True
            self._boot_failure = None
            self._service_manager.ready(f"{self._workers.target} workers")
            self._tell("on_ready", self._info())
            self._announce()
        cause = self._succession.ended(entry.slot, entry.pid)
        if cause is not None:
            for each in self._workers.predecessors(entry):
                self._supervisor.retire(each, cause, self._serving.pool.drain_timeout)
            self._start_heirs()

    def _on_exit(self, entry: WorkerEntry, exit_status: ExitStatus) -> None:
        uptime_s = self._loop.time() - entry.started_at
        expected = exit_status.cause in _EXPECTED
        heir_of = self._succession.ended(entry.slot, entry.pid)
        log.log(
            logging.INFO if expected and exit_status.code == 0 else logging.WARNING,
            "worker exited slot=%d pid=%d cause=%r status=%r uptime_s=%.1f",
            entry.slot,
            entry.pid,
            str(exit_status.cause),
            str(exit_status),
            uptime_s,
        )
        self._dispatch.take_back(entry)
        self._tell("on_child_exit", entry.info(self._loop.time()), exit_status)
        if self._stopping:
            return
        if not self._was_ready and not entry.was_ready:
            self._give_up(entry, exit_status)
        elif expected:
            self._fill()
            self._start_heirs()
        elif heir_of is not None:
            self._heir_failed(entry, heir_of, entry.report or _how_it_ended(exit_status))
        elif entry.slot < self._workers.target:
            self._restarts += 1
            self._respawn_later(entry.slot, uptime_s)

    def _give_up(self, entry: WorkerEntry, exit_status: ExitStatus) -> None:
        """End a pool whose first workers can't boot: they would fail for ever."""
        report = self._boot_failure or _how_it_ended(exit_status)
        self._boot_failure = f"worker {entry.slot} could not boot, so the pool does not start:\n{report.rstrip()}"
        self.stop(fast=True)

    # --- succession

    def _start_heirs(self) -> None:
        while (slot := self._succession.due()) is not None:
            if self._stopping or self._workers.in_slot(slot) is None:
                self._succession.drop(slot)  # it crashed or left meanwhile: what is forked for it is new anyway
                continue
            try:
                heir = self._supervisor.spawn(slot, self._generation, self._coming or self._serving)
            except (OSError, RuntimeError) as error:
                self._end_reload(f"worker {slot} can't be forked: {error}")
                self._succession.drop(slot)
                return
            cause = self._succession.started(slot, heir.pid)
            if self._workers.target - len(self._workers.ready()) < self._serving.pool.max_unavailable:
                for each in self._workers.predecessors(heir):
                    self._supervisor.retire(each, cause, self._serving.pool.drain_timeout)
        if self._reload["state"] == "running" and not self._succession.pending(ExitCause.REPLACED):
            self._end_reload("")

    def _heir_failed(self, heir: WorkerEntry, cause: ExitCause, report: str) -> None:
        """Keep the one that serves: the application, or what it needs, is broken now."""
        if heir.slot in self._workers.vacant():
            self._respawn_later(heir.slot, 0.0)  # it has left already (`max_unavailable`)
        if cause is ExitCause.REPLACED:
            self._end_reload(f"worker {heir.slot} could not boot: {report}")
        else:
            log.error("worker keeps its place slot=%d: its successor could not boot: %s", heir.slot, report)
            for entry in self._workers.predecessors(heir):
                entry.kept_until = self._loop.time() + self._serving.pool.respawn_delay_max
        self._start_heirs()

    def _end_reload(self, error: str) -> None:
        if self._reload["state"] != "running":
            return
        kept = self._succession.pending(ExitCause.REPLACED)
        for pid in self._succession.abandon({ExitCause.REPLACED}):
            self._retire(pid, ExitCause.REPLACED)
        self._reload["state"], self._reload["error"] = ("failed", error) if error else ("done", "")
        if error:
            self._discard_coming()
        else:
            self._commit()
        status = f"{self._workers.target} workers"
        if error:
            log.error("reload failed generation=%d kept=%d: %s", self._generation, kept + 1, error)
            self._service_manager.ready(f"{status}; the last reload has failed")
        else:
            log.info("reload done generation=%d", self._generation)
            self._service_manager.ready(status)
            self._tell("on_reload", self._info())

    def _commit(self) -> None:
        """Serve what the workers were reloaded with: from now on no worker knows anything else."""
        old, new = self._serving, self._coming
        assert new is not None
        self._serving, self._coming = new, None
        for acceptor in self._acceptors:
            acceptor.pause()
        for bound in old.not_in(new):
            bound.close()
        self._dispatch.use(new.bound, new.pool.max_connections)
        self._dispatch.is_mixed = False
        self._acceptors = self._make_acceptors(new)
        if not self._dispatch.paused:
            self._resume()
        self._dispatch.retry()
        if (new.least, new.most) != (old.least, old.most):  # else what `scale` or the scaler has chosen stays
            is_range = new.least < new.most
            self.scale(min(max(self._workers.target, new.least), new.most) if is_range else new.workers)

    def _discard_coming(self) -> None:
        """Forget what a reload has not come to."""
        coming, self._coming = self._coming, None
        if coming is None:
            return
        for bound in coming.not_in(self._serving):
            bound.close()
        self._dispatch.is_mixed = not coming.is_like(self._serving)
        if self._dispatch.is_mixed:
            # Those that have begun with what is not to be are replaced by those who know what is served.
            for entry in self._workers.ready():
                if entry.generation == self._generation:
                    self._succession.want(entry.slot, ExitCause.REPLACED)

    def _make_acceptors(self, configuration: Configuration) -> list[Acceptor]:
        return [
            Acceptor(each, self._loop, self._dispatch)
            for each in configuration.bound
            if not each.listener.dispatcher.worker_accepts
        ]

    def _retire(self, pid: int, cause: ExitCause) -> None:
        entry = self._workers.by_pid(pid)
        if entry is not None:
            self._supervisor.retire(entry, cause, self._serving.pool.drain_timeout)

    # --- upgrade

    def _on_upgraded(self, pid: int) -> None:
        log.info("upgrade done: another master serves now pid=%d", pid)
        self._successor = None
        self._upgrade["state"] = "done"
        self._service_manager.main_process(pid)
        for acceptor in self._acceptors:
            acceptor.pause()
        for bound in self._serving.bound:
            bound.socket.close()  # not its transport's close: what belongs to it, such as a file, is the other's now
        self.stop()

    def _on_upgrade_failed(self, reason: str) -> None:
        log.error("upgrade failed, this master goes on: the new one was not ready: %s", reason)
        self._successor = None
        self._upgrade["state"], self._upgrade["error"] = "failed", reason
        self._service_manager.ready(f"{self._workers.target} workers; the last upgrade has failed")

    # --- respawning

    def _respawn_later(self, slot: int, uptime_s: float) -> None:
        backoff = self._backoffs.setdefault(
            slot, Backoff(self._serving.pool.respawn_delay, self._serving.pool.respawn_delay_max)
        )
        delay_s = backoff.delay_s(uptime_s, random.random())  # noqa: S311  # jitter, not a secret
        log.info("worker respawns slot=%d delay_s=%.3f", slot, delay_s)
        self._respawning.add(slot)
        self._loop.call_later(delay_s, lambda: self._respawn(slot))

    def _respawn(self, slot: int) -> None:
        self._respawning.discard(slot)
        self._fill()

    def _fill(self) -> None:
        """Fork what is missing, except where a back-off is under way."""
        if self._stopping:
            return
        for slot in self._workers.vacant():
            if slot not in self._respawning:
                self._spawn(slot)

    def _spawn(self, slot: int) -> None:
        try:
            self._supervisor.spawn(slot, self._generation, self._coming or self._serving)
        except (OSError, RuntimeError) as error:
            log.error("worker can't be forked slot=%d reason=%s", slot, error)  # noqa: TRY400  # an operator's matter
            self._respawn_later(slot, 0.0)

    def _on_signals(self, mask: int) -> None:  # noqa: ARG002
        assert self._signals is not None
        for signum in self._signals.read():
            if signum == signal.SIGCHLD:
                # Workers have pidfds. As PID 1 we inherit every orphan of the container.
                if os.getpid() == 1:
                    self._supervisor.reap_strangers()
                continue
            log.info("signal received signal=%s", signal.Signals(signum).name)
            self._tell("on_signal", signum)
            self._obey(signum)

    def _obey(self, signum: int) -> None:
        if signum == signal.SIGTERM:
            self.stop()
        elif signum in (signal.SIGINT, signal.SIGQUIT):
            self.stop(fast=True)
        elif signum in (signal.SIGHUP, signal.SIGUSR2):
            what, begin = ("reload", self.reload) if signum == signal.SIGHUP else ("upgrade", self.upgrade)
            try:
                begin()
            except ControlError as error:
                log.error("%s refused: %s", what, error)  # noqa: TRY400  # the operator's matter
        elif signum == signal.SIGUSR1:
            reopen_logs()
            self._supervisor.forward(signal.SIGUSR1)
        elif signum == signal.SIGTTIN:
            self.scale(self._workers.target + 1)
        elif signum == signal.SIGTTOU:
            self.scale(self._workers.target - 1)

    # --- what recurs

    def _check_heartbeats(self) -> None:
        now, timeout_s = self._loop.time(), self._serving.pool.heartbeat_timeout
        interval_s = timeout_s / 4
        # If the whole pool was stopped or starved, the workers get a full interval to show that they live.
        if now - self._heartbeats_checked_at < 2 * interval_s:
            self._supervisor.check_heartbeats(timeout_s)
        self._heartbeats_checked_at = now
        self._title.show(f"master [{self._serving.name}] {count(len(self._workers), 'worker')}")
        self._loop.call_later(interval_s, self._check_heartbeats)

    def _recycle(self) -> None:
        """Have workers replaced that have served long enough."""
        now = self._loop.time()
        for entry in self._workers.ready():
            cells = entry.row.cells
            usage = Usage(
                requests=cells[Cell.REQUESTS],
                connections=cells[Cell.ACCEPTED],
                age_s=now - entry.started_at,
                memory=resident_bytes(entry.pid),
            )
            assert entry.limits is not None
            if entry.limits.is_beyond(usage):
                log.error("worker killed slot=%d pid=%d memory=%d", entry.slot, entry.pid, usage.memory)
                self._supervisor.kill(entry, ExitCause.MEMORY)
                continue
            reason = entry.limits.reason(usage)
            if reason and now >= entry.kept_until and self._succession.want(entry.slot, ExitCause.RECYCLED):
                log.info("worker recycled slot=%d pid=%d reason=%r", entry.slot, entry.pid, reason)
        self._start_heirs()
        self._loop.call_later(_RECYCLING_INTERVAL_S, self._recycle)

    def _scale_by_load(self) -> None:
        """Let the scaler choose how many workers there should be."""
        serving, now = self._serving, self._loop.time()
        busy_ns = self._scoreboard.total(Cell.BUSY_NS)
        ready = len(self._workers.ready())
        elapsed_s = now - self._load_seen_at
        busy_s = (busy_ns - self._busy_seen_ns) / 1e9
        self._load_seen_at, self._busy_seen_ns = now, busy_ns
        if serving.least < serving.most and ready and elapsed_s > 0 and not self._stopping:
            open_now = self._scoreboard.total(Cell.ACCEPTED) - self._scoreboard.total(Cell.CLOSED)
            busyness = min(1.0, max(0.0, busy_s / elapsed_s / ready))
            load = PoolLoad(self._workers.target, ready, busyness, open_now, serving.least, serving.most, elapsed_s)
            try:
                wanted = min(max(serving.scaler.decide(load), serving.least), serving.most)
            except Exception:
                log.exception("scaler %s failed", serving.pool.scaler)
                wanted = load.workers
            if wanted != load.workers:
                log.info("pool is scaled workers=%d was=%d busyness=%.2f", wanted, load.workers, busyness)
                self.scale(wanted)
        self._loop.call_later(_SCALING_INTERVAL_S, self._scale_by_load)

    def _feed_watchdog(self) -> None:
        self._service_manager.watchdog()
        interval_s = self._service_manager.watchdog_interval_s
        assert interval_s is not None
        self._loop.call_later(interval_s, self._feed_watchdog)

    def _pause(self) -> None:
        for acceptor in self._acceptors:
            acceptor.pause()

    def _resume(self) -> None:
        if not self._stopping:
            for acceptor in self._acceptors:
                if acceptor.listener not in self._paused:
                    acceptor.start()

    # --- hooks

    def _tell(self, name: str, *values: object) -> None:
        for chain in self._serving.chains:
            hook = getattr(chain, name)
            if hook is None:
                continue
            try:
                hook(*values)
            except Exception:
                log.exception("hook %s failed in the master", name)

    def _info(self) -> PoolInfo:
        return PoolInfo(
            pid=os.getpid(),
            version=self._version,
            workers=self._workers.target,
            bind=tuple(each.url for each in self._serving.bound),
            workers_uid=-1 if self._serving.identity.account is None else self._serving.identity.account.uid,
            workers_gid=-1 if self._serving.identity.account is None else self._serving.identity.account.gid,
        )


def _how_it_ended(exit_status: ExitStatus) -> str:
    return f"it ended with {exit_status} ({exit_status.cause}) before it was ready"
