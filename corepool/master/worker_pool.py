"""One pool of a master: its workers from fork to exit, and what follows when one boots, leaves or dies.

The master decides what concerns all pools (signals, reload, upgrade, stop); `Owner` tells it what happens here.
"""

from __future__ import annotations

import json
import logging
import os
import random
from dataclasses import dataclass
from signal import SIGTERM
from typing import TYPE_CHECKING, Protocol

from corepool.errors import ControlError, GarbageError
from corepool.files.descriptors import release
from corepool.ipc.messages import (
    AskStatus,
    Drained,
    Failed,
    FrozenConnections,
    Leaving,
    LogLevel,
    Message,
    Move,
    Pause,
    Ready,
    Resume,
    Room,
    SocketIndex,
)
from corepool.ipc.scoreboard import Cell, held, listener_cell
from corepool.master.acceptors import Acceptors
from corepool.master.balance import Balance, excess
from corepool.master.dispatch import Dispatch
from corepool.master.ledger import Handoff
from corepool.master.plugins import Plugins, call_hooks
from corepool.master.recycling import Limits, Usage
from corepool.master.respawn import Respawns
from corepool.master.restart import Life
from corepool.master.scaling import Scaling
from corepool.master.states import Event, State
from corepool.master.status import resident_bytes
from corepool.master.succession import Succession
from corepool.master.supervisor import Supervisor
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.types import ExitCause, ExitStatus, PoolInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from collections.abc import Set as AbstractSet

    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.scoreboard import Scoreboard
    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.master.loop import Loop, Repetition
    from corepool.master.oom import OomCounter
    from corepool.master.recovery import Recovery
    from corepool.master.status import PoolStatus
    from corepool.plugins.listener import Configuration

log = logging.getLogger(__name__)

MAX_WORKERS = 512

_FORKS_AT_ONCE = 8
"""A fork takes a millisecond or two, in which the master accepts nothing."""

_RECYCLING_INTERVAL_S = 1.0
_SCALING_INTERVAL_S = 1.0
_BALANCE_INTERVAL_S = 1.0

_REST_S = 30.0
"""A connection that was moved stays this long, unless its worker leaves: nothing goes back and forth."""

_EXPECTED = (ExitCause.STOPPED, ExitCause.SCALED_DOWN, ExitCause.REPLACED, ExitCause.RECYCLED, ExitCause.ASKED)
"""Causes of an exit after which nothing is wrong."""


class Owner(Protocol):
    """The interface by which a pool reports events that concern the others."""

    def on_pool_ready(self, pool: WorkerPool) -> None:
        """Note that its first generation serves."""

    def on_pool_failed(self, pool: WorkerPool, worker: str, report: str) -> None:
        """Note that its first generation can't boot: it would fail for ever."""

    def on_rolled(self, pool: WorkerPool) -> None:
        """Note that every worker is of the coming generation."""

    def on_roll_failed(self, error: str) -> None:
        """Note that a worker of the coming generation can't start; the caller waits for `abandon_roll`."""

    def lasting_sockets(self) -> Collection[SocketIndex]:
        """List the sockets whose connections go on being served, whichever worker leaves."""

    def on_stray(self, handoff: Handoff) -> None:
        """Own a connection that was accepted for a socket which this pool serves no longer."""

    @property
    def is_holding(self) -> bool:
        """True while connections that were handed back wait for another master; `WorkerPool.listen` ends that."""

    def on_empty(self, pool: WorkerPool) -> None:
        """Note that a pool which was told to stop has no worker left."""

    def status(self) -> PoolStatus:
        """Describe every pool."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the pools of one master share."""

    loop: Loop
    scoreboard: Scoreboard
    crash_slots: CrashSlots
    recovery: Recovery
    oom: OomCounter
    paused: AbstractSet[str]
    """The listeners that are paused now, by name."""
    version: str
    run_worker: Callable[[WorkerSpawn, Configuration], int]
    """What a forked child does; gives its exit status."""
    owner: Owner


class WorkerPool:
    """One pool. Owns its worker processes; the listening sockets are the master's."""

    def __init__(self, number: int, configuration: Configuration, shared: Surroundings, generation: int = 0) -> None:
        """Prepare; nothing is forked yet.

        :param number: by which its processes know each other on the scoreboard.
        """
        self.serving = configuration
        self._coming: Configuration | None = None
        """What the reload under way leads to."""
        self._shared = shared
        self._loop = shared.loop
        self.workers = Workers(configuration.workers)
        self._supervisor = Supervisor(
            number,
            shared.loop,
            self.workers,
            shared.scoreboard,
            shared.crash_slots,
            shared.oom,
            shared.run_worker,
            self._on_message,
            self._on_exit,
            shared.paused,
        )
        self.dispatch = Dispatch(
            shared.loop,
            self.workers,
            shared.scoreboard,
            configuration.bound,
            shared.recovery,
            shared.owner.on_stray,
        )
        self.acceptors = Acceptors(shared.loop, self.dispatch, shared.paused)
        self.dispatch.on_full = self.acceptors.pause
        self.dispatch.on_room = self._on_room
        self.dispatch.on_faulty = self._on_faulty
        # A worker that has served may have connections to hand back, and nothing else that can't wait for room.
        self._supervisor.may_speak = lambda entry: (
            not entry.was_ready or (self.dispatch.can_hold_more and not shared.owner.is_holding)
        )
        self._succession = Succession(configuration.pool.surge)
        self._balance = Balance()
        self._scaling = Scaling(shared.loop.time())
        self._respawns = Respawns()
        self._heartbeats_checked_at = shared.loop.time()
        self._generation = generation
        self._is_rolling = False
        self._rolled: set[int] = set()
        """The slots that have had a ready worker of the coming configuration."""
        self._plugins = Plugins()
        self._boot_report: str | None = None
        self._looks: list[Repetition] = []
        """Calls that recur as long as there are workers."""
        self.restarts = 0
        self.is_ready = False
        """Its first generation has been ready."""
        self.is_stopping = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.serving.name

    @property
    def state(self) -> str:
        """What status says of it."""
        return "stopping" if self.is_stopping else "ready" if self.is_ready else "starting"

    def open(self) -> None:
        """Accept from its sockets, and from nothing else."""
        self.acceptors.use(self.serving.bound)
        self.dispatch.retry()

    def start(self) -> None:
        """Fork the first generation."""
        for slot in self.workers.vacant():
            self._spawn(slot)
        self._looks = [
            self._loop.repeat(lambda: self.serving.pool.heartbeat_timeout / 4, self._check_heartbeats),
            self._loop.repeat(lambda: _RECYCLING_INTERVAL_S, self._recycle),
            self._loop.repeat(lambda: _SCALING_INTERVAL_S, self._scale_by_load),
            self._loop.repeat(lambda: _BALANCE_INTERVAL_S, self._even_out),
        ]

    def stop(self, cause: ExitCause = ExitCause.STOPPED, *, fast: bool = False) -> None:
        """Drain the workers, or end them at once."""
        if not self.is_stopping:
            self.is_stopping = True
            self._is_rolling = False
            self.acceptors.stop()
        for entry in self.workers:
            if fast:
                self._supervisor.stop(entry, cause)
            else:
                self._retire(entry, cause)
        if not len(self.workers):
            self._shared.owner.on_empty(self)

    def leave(self, *, fast: bool) -> None:
        """Stop, since the configuration has this pool no more; what waits for a worker may be another pool's now."""
        self.dispatch.use(())
        self.dispatch.retry()
        self.stop(ExitCause.REPLACED, fast=fast)

    def kill(self) -> None:
        """End every worker now."""
        self.is_stopping = True
        for entry in self.workers:
            self._supervisor.kill(entry, ExitCause.STOPPED)

    def close(self) -> None:
        """Close the connections that no worker has taken, and look after workers no more. Idempotent."""
        for look in self._looks:
            look.cancel()
        self.dispatch.close()

    def scale(self, workers: int) -> int:
        """Set the number of workers, within 1..MAX_WORKERS.

        :returns: how many there will be.
        """
        if self.is_stopping:
            return 0
        self.workers.target = min(max(1, workers), MAX_WORKERS)
        log.info("pool scaled pool=%s workers=%d", self.name, self.workers.target)
        for entry in self.workers.surplus():
            self._retire(entry, ExitCause.SCALED_DOWN)
        self._fill()
        # Fewer may be enough to be ready.
        self._note_ready()
        self._note_rolled()
        return self.workers.target

    @property
    def scaled(self) -> tuple[int, int, int]:
        """The fewest workers and the most that its configuration allows, and how many it is to have."""
        return *self.serving.worker_range, self.workers.target

    def scale_as_before(self, scaled: Mapping[str, tuple[int, int, int]]) -> None:
        """Have as many workers as another master's pool of this name, unless the configuration now says otherwise.

        To be called before `start`.
        """
        fewest, most, workers = scaled.get(self.name, (0, 0, 0))
        if (fewest, most) == self.serving.worker_range:
            self.workers.target = workers

    def drain(self, slot: int) -> int:
        """Replace one worker, which finishes what it has begun.

        :returns: its pid.
        :raises ControlError: there is none in `slot`, its successor can't be forked, or the pool is stopping.
        """
        if self.is_stopping:
            raise ControlError("the pool is stopping")
        entry = self.workers.in_slot(slot)
        if entry is None:
            there = ", ".join(entry.name for entry in self.workers.ready())
            name = self.serving.worker_name(slot)
            raise ControlError(f"no worker is ready in slot {name}; those that are: {there or 'none'}")
        self._succession.want(slot, ExitCause.ASKED)
        self._start_heirs()
        if not self._succession.replaces(slot):
            raise ControlError(f"worker {entry.name} stays: its successor can't be forked; the log says why")
        return entry.pid

    def rebalance(self) -> int:
        """Have workers that hold more than their share hand back idle connections of it, at once.

        :returns: how many connections are asked for.
        """
        return self._ask_to_move(excess(self._held()), 0.0)

    def _held(self) -> dict[int, int]:
        return {entry.pid: held(entry.row.cells) for entry in self.workers.ready()}

    def _ask_to_move(self, counts: Mapping[int, int], rest_s: float) -> int:
        for pid, count in counts.items():
            entry = self.workers.by_pid(pid)
            if entry is not None:
                self._supervisor.tell(entry, Move(count, rest_s))
        return sum(counts.values())

    def tell(self, message: Message) -> None:
        """Send a message to the workers that serve."""
        for entry in self.workers.ready():
            self._supervisor.tell(entry, message)

    def forward(self, signum: int) -> None:
        """Send a signal to the workers."""
        self._supervisor.forward(signum)

    def listen(self) -> None:
        """Hear again the workers that had to wait with what they hand back."""
        self._supervisor.listen()

    def reap(self, pid: int) -> bool:
        """Reap a process that has ended, if it is a worker of this pool."""
        entry = self.workers.by_pid(pid)
        if entry is not None:
            self._supervisor.reap(entry)
        return entry is not None

    def call_hooks(self, name: str, *values: object) -> None:
        """Call a hook of the plugins that serve, in this process."""
        call_hooks(self.serving.chains, name, *values)

    def start_plugins(self) -> None:
        """Let them begin, before the first fork."""
        self._plugins.start(self.serving.chains, self.info())

    def stop_plugins(self) -> None:
        """Let all of them end, after the last worker."""
        self._plugins.stop_others((), self.info())

    def info(self) -> PoolInfo:
        """Return the facts for hooks."""
        account = self.serving.identity.account
        return PoolInfo(
            pid=os.getpid(),
            version=self._shared.version,
            workers=self.workers.target,
            bind=tuple(each.url for each in self.serving.bound),
            workers_uid=-1 if account is None else account.uid,
            workers_gid=-1 if account is None else account.gid,
            name=self.name,
        )

    # --- reload: roll, then commit or abandon

    def roll(self, generation: int, coming: Configuration) -> None:
        """Replace every worker by one that serves `coming`. A roll during a roll begins anew."""
        self._generation, self._coming = generation, coming
        self._plugins.start(coming.chains, self.info())
        for pid in self._succession.abandon(frozenset(ExitCause)):
            self._retire_pid(pid)
        for entry in self.workers:
            if entry.state is State.STARTING:
                self._retire(entry, ExitCause.REPLACED)
        self.dispatch.mix(is_mixed=True)
        self._succession.surge = coming.pool.surge
        for entry in self.workers.ready():
            self._succession.want(entry.slot, ExitCause.REPLACED)
        self._is_rolling, self._rolled = True, set()
        self._respawns.forget()
        self._start_heirs()
        self._fill()

    @property
    def left_to_roll(self) -> int:
        """How many slots have not had a ready worker of the coming configuration yet."""
        return len({*range(self.workers.target)} - self._rolled)

    def commit(self, new: Configuration) -> None:
        """Serve what the workers were rolled to: none of them knows anything else. The caller opens the front."""
        old, self.serving, self._coming = self.serving, new, None
        self.dispatch.use(new.bound)
        self.dispatch.mix(is_mixed=False)
        if new.worker_range != old.worker_range:  # else what `scale` or the scaler has chosen stays
            self.scale(new.clamp(self.workers.target))

    def abandon_roll(self) -> None:
        """Keep the workers there are; those that have begun with the abandoned configuration are replaced once more."""
        self._is_rolling = False
        self._succession.surge = self.serving.pool.surge
        for pid in self._succession.abandon({ExitCause.REPLACED}):
            self._retire_pid(pid)
        coming, self._coming = self._coming, None
        if coming is None or self.is_stopping:
            return
        is_mixed = not coming.is_like(self.serving)
        self.dispatch.mix(is_mixed=is_mixed)
        if is_mixed:
            for entry in self.workers:
                if entry.configuration is not coming:
                    continue
                if entry.state is State.READY:
                    self._succession.want(entry.slot, ExitCause.REPLACED)
                elif entry.state is State.STARTING:
                    self._retire(entry, ExitCause.REPLACED)
        self._stop_unused_plugins()
        self._start_heirs()

    # --- what happens

    def _on_message(self, entry: WorkerEntry, message: Message, fds: list[int]) -> None:
        if not isinstance(message, FrozenConnections):
            for fd in fds:
                release(fd)
        if isinstance(message, Ready):
            self._on_booted(entry)
        elif isinstance(message, Room):
            self.dispatch.retry()
        elif isinstance(message, Leaving):
            if entry.state is State.STARTING:
                raise GarbageError("it leaves before it was ready")
            self._supervisor.note_leaving(entry, self.serving.pool.drain_timeout)
            self.dispatch.take_back(entry)
            if entry.has_failed and entry.intended is None:
                self._failed(entry)
            else:
                self._fill()
        elif isinstance(message, Drained):
            self._supervisor.note_drained(entry)
        elif isinstance(message, FrozenConnections):
            self._on_frozen(entry, message, fds)
        elif isinstance(message, AskStatus):
            self._supervisor.send_status(entry, json.dumps(self._shared.owner.status()).encode())
        elif isinstance(message, Failed):
            # Only a first generation that can't boot ends the pool.
            entry.report = message.report
            if not self.is_ready and self._boot_report is None:
                self._boot_report = entry.report
        else:
            raise GarbageError(f"{type(message).__name__} is not for the master")

    def _on_frozen(self, entry: WorkerEntry, message: FrozenConnections, fds: list[int]) -> None:
        """Send connections of one worker to others."""
        records = message.records
        for fd in fds[len(records) :]:
            release(fd)
        entry.row.cells[Cell.TAKEN_BACK] += len(records)
        if len(fds) < len(records):
            log.error("out of descriptors: %d connections lost while being moved", len(records) - len(fds))
        handoffs = [
            Handoff(fd, message.socket, None, record, entry.pid, slot)
            for fd, record, slot in zip(fds, records, message.crash_slots, strict=False)
        ]
        self.dispatch.take_over(entry, handoffs)

    def _on_room(self) -> None:
        self.acceptors.resume()
        self.listen()

    def _on_faulty(self, entry: WorkerEntry, what: str) -> None:
        """End one worker, so that the others serve on."""
        if entry.state is not State.GONE:
            log.error("worker killed slot=%s pid=%d reason='its counters are wrong: %s'", entry.name, entry.pid, what)
            self._supervisor.kill(entry, ExitCause.CRASH)

    def _on_booted(self, entry: WorkerEntry) -> None:
        if entry.was_ready:
            raise GarbageError("it is ready once more")
        entry.happened(Event.BOOTED)
        if entry.state is not State.READY:
            return
        entry.ready_at = self._loop.time()
        if entry.deadline is not None:
            entry.deadline.cancel()
        log.info("worker ready slot=%s pid=%d generation=%d", entry.name, entry.pid, entry.generation)
        # Orders that came while it booted.
        for bound in entry.configuration.bound:
            order = Pause if bound.listener.name in self._shared.paused else Resume
            self._supervisor.tell(entry, order(bound.index))
        self._supervisor.tell(entry, LogLevel(logging.root.level))
        entry.limits = Limits(entry.configuration.pool, random.random())  # noqa: S311  # jitter, not a secret
        self.dispatch.retry()
        if self.is_ready:
            self._boot_report = None
        self._note_ready()
        cause = self._succession.ended(entry.slot, entry.pid)
        if cause is not None:
            for each in self.workers.predecessors(entry):
                self._retire(each, cause)
            self._start_heirs()
        if entry.configuration is self._coming:
            self._rolled.add(entry.slot)
            self._note_rolled()

    def _note_ready(self) -> None:
        """Find out whether the first generation serves."""
        if self.is_ready or self.is_stopping or len(self.workers.ready()) < self.workers.target:
            return
        self.is_ready = True
        self._boot_report = None
        self.call_hooks("on_ready", self.info())
        self._shared.owner.on_pool_ready(self)

    def _note_rolled(self) -> None:
        """Find out whether every slot has come to the coming configuration."""
        if self._is_rolling and not self.left_to_roll:
            self._is_rolling = False
            self._shared.owner.on_rolled(self)

    def _on_exit(self, entry: WorkerEntry, exit_status: ExitStatus) -> None:
        uptime_s = self._loop.time() - entry.started_at
        expected = exit_status.cause in _EXPECTED
        heir_of = self._succession.ended(entry.slot, entry.pid)
        log.log(
            logging.INFO if expected and (exit_status.code == 0 or exit_status.signum == SIGTERM) else logging.WARNING,
            "worker exited slot=%s pid=%d cause=%r status=%r uptime_s=%.1f",
            entry.name,
            entry.pid,
            str(exit_status.cause),
            str(exit_status),
            uptime_s,
        )
        self.dispatch.take_back(entry)
        self._rescue(entry)
        self.call_hooks("on_child_exit", entry.info(self._loop.time()), exit_status)
        self._stop_unused_plugins()
        if self.is_stopping:
            if not len(self.workers):
                self._shared.owner.on_empty(self)
        elif not self.is_ready and not entry.was_ready and not expected:
            report = self._boot_report or _how_it_ended(exit_status)
            self._shared.owner.on_pool_failed(self, entry.name, report.rstrip())
        elif expected:
            self._fill()
            self._start_heirs()
        elif heir_of is not None:
            self._replacement_failed(entry, heir_of, entry.report or _how_it_ended(exit_status))
        elif not entry.has_failed:  # else that was done already
            is_of_roll = not entry.was_ready and entry.configuration is self._coming
            if not is_of_roll and entry.report and entry.report != self._boot_report:
                # Else it was logged already: for another worker, or at the last try.
                self._boot_report = entry.report
                log.error("worker %s could not boot: %s", entry.name, entry.report)
            self._replace(entry)
            if is_of_roll:
                self._fail_roll(f"worker {entry.name} could not boot: {entry.report or _how_it_ended(exit_status)}")

    def _failed(self, entry: WorkerEntry) -> None:
        """Replace a worker that says that it is of no use any more, while it drains."""
        if entry.configuration is self._coming:
            self._fail_roll(f"worker {entry.name} failed: {entry.report}")
        self._replace(entry)

    def _replace(self, entry: WorkerEntry) -> None:
        if entry.slot < self.workers.target:
            self.restarts += 1
            if entry.slot in self.workers.vacant():  # its place is still free
                self._respawn_later(entry.slot, self._life_of(entry))

    def _rescue(self, entry: WorkerEntry) -> None:
        """Go on with the connections that a worker has left, where that is wanted."""
        left = self._shared.recovery.recover(entry.pid)
        if not left:
            return
        # They are not closed: they have moved.
        entry.row.cells[Cell.MOVED_OUT] += len(left)
        for handoff in left:
            bound = next((each for each in self.serving.bound if each.index == handoff.socket), None)
            if bound is not None:
                entry.row.cells[listener_cell(bound.listener.place, "moved_out")] += 1
        if not self.is_stopping:
            log.warning("connections rescued worker=%s pid=%d count=%d", entry.name, entry.pid, len(left))
        self.dispatch.adopt(left)

    # --- succession

    def _stop_unused_plugins(self) -> None:
        """Call `on_stop` of plugins that a reload has removed, once no worker has them any more."""
        configurations = [self.serving, self._coming or self.serving, *(entry.configuration for entry in self.workers)]
        self._plugins.stop_others([chain for each in configurations for chain in each.chains], self.info())

    def _start_heirs(self) -> None:
        while (slot := self._succession.due()) is not None:
            if self.is_stopping or self.workers.in_slot(slot) is None:
                self._succession.drop(slot)  # it crashed or left meanwhile: the next one in its slot is new anyway
                continue
            try:
                replacement = self._supervisor.spawn(slot, self._generation, self._coming or self.serving)
            except (OSError, RuntimeError) as error:
                name = self.serving.worker_name(slot)
                if self._succession.drop(slot) is ExitCause.REPLACED:
                    self._fail_roll(f"worker {name} can't be forked: {error}")
                    return
                log.error("worker stays slot=%s: its successor can't be forked: %s", name, error)  # noqa: TRY400
                if (stays := self.workers.in_slot(slot)) is not None:
                    stays.kept_until = self._loop.time() + self.serving.pool.respawn_delay_max
                continue
            cause = self._succession.started(slot, replacement.pid)
            if self.workers.target - len(self.workers.ready()) < self.serving.pool.max_unavailable:
                for each in self.workers.predecessors(replacement):
                    self._retire(each, cause)

    def _replacement_failed(self, replacement: WorkerEntry, cause: ExitCause, report: str) -> None:
        """Keep the one that serves: the application, or what it needs, is broken now."""
        if replacement.slot in self.workers.vacant():
            self._respawn_later(replacement.slot, None)  # it has left already (`max_unavailable`)
        if cause is ExitCause.REPLACED:
            self._fail_roll(f"worker {replacement.name} could not boot: {report}")
        else:
            log.error("worker stays slot=%s: its successor could not boot: %s", replacement.name, report)
            for entry in self.workers.predecessors(replacement):
                entry.kept_until = self._loop.time() + self.serving.pool.respawn_delay_max
        self._start_heirs()

    def _fail_roll(self, error: str) -> None:
        if self._is_rolling:
            self._shared.owner.on_roll_failed(error)

    def _retire(self, entry: WorkerEntry, cause: ExitCause) -> None:
        lasting = () if cause is ExitCause.STOPPED else self._shared.owner.lasting_sockets()
        self._supervisor.retire(entry, cause, self.serving.pool.drain_timeout, lasting)

    def _retire_pid(self, pid: int) -> None:
        entry = self.workers.by_pid(pid)
        if entry is not None:
            self._retire(entry, ExitCause.REPLACED)

    # --- respawning

    def _life_of(self, entry: WorkerEntry) -> Life | None:
        """Describe the life of a worker that has ended; None: it was never ready."""
        if not entry.was_ready:
            return None
        return Life(
            boot_s=entry.ready_at - entry.started_at,
            served_s=self._loop.time() - entry.ready_at,
            was_last=len(self.workers.vacant()) == self.workers.target,
        )

    def _respawn_later(self, slot: int, life: Life | None) -> None:
        chance = random.random()  # noqa: S311  # jitter, not a secret
        delay_s = self._respawns.died(slot, self.serving.pool, life, self._loop.time(), chance)
        log.info("worker respawns slot=%s delay_s=%.3f", self.serving.worker_name(slot), delay_s)
        self._loop.call_later(delay_s, self._fill)

    def _fill(self) -> None:
        """Fork missing workers, except during a back-off; a few at a time, since clients wait meanwhile."""
        if self.is_stopping:
            return
        now = self._loop.time()
        missing = [slot for slot in self.workers.vacant() if not self._respawns.waits(slot, now)]
        for slot in missing[:_FORKS_AT_ONCE]:
            self._spawn(slot)
        if len(missing) > _FORKS_AT_ONCE:
            self._loop.call_later(0.0, self._fill)

    def _spawn(self, slot: int) -> None:
        try:
            self._supervisor.spawn(slot, self._generation, self._coming or self.serving)
        except (OSError, RuntimeError) as error:
            name = self.serving.worker_name(slot)
            log.error("worker can't be forked slot=%s reason=%s", name, error)  # noqa: TRY400  # an operator's matter
            self._respawn_later(slot, None)

    # --- what recurs

    def _check_heartbeats(self) -> None:
        now, timeout_s = self._loop.time(), self.serving.pool.heartbeat_timeout
        interval_s = timeout_s / 4
        # If the whole pool was stopped or starved, the workers get a full interval to show that they live.
        if now - self._heartbeats_checked_at < 2 * interval_s:
            self._supervisor.check_heartbeats(timeout_s)
        self._heartbeats_checked_at = now

    def _recycle(self) -> None:
        """Have workers that have served long enough replaced."""
        now = self._loop.time()
        for entry in self.workers.ready():
            cells = entry.row.cells
            usage = Usage(
                requests=cells[Cell.REQUESTS],
                connections=cells[Cell.ACCEPTED],
                age_s=now - entry.started_at,
                memory=resident_bytes(entry.pid),
            )
            assert entry.limits is not None
            if entry.limits.is_beyond(usage):
                log.error("worker killed slot=%s pid=%d memory=%d", entry.name, entry.pid, usage.memory)
                self._supervisor.kill(entry, ExitCause.MEMORY)
                continue
            reason = entry.limits.reason(usage)
            if reason and now >= entry.kept_until and self._succession.want(entry.slot, ExitCause.RECYCLED):
                log.info("worker recycled slot=%s pid=%d reason=%r", entry.name, entry.pid, reason)
        self._start_heirs()

    def _even_out(self) -> None:
        """Have idle connections go from workers that hold many to those that hold few."""
        if not self.is_stopping and not self._is_rolling:
            self._ask_to_move(self._balance.look(self._held()), _REST_S)

    def _scale_by_load(self) -> None:
        """Let the scaler choose how many workers there should be."""
        wanted = self._scaling.decide(self.serving, self.workers, self._loop.time())
        if wanted != self.workers.target:
            self.scale(wanted)


def _how_it_ended(exit_status: ExitStatus) -> str:
    return f"it ended with {exit_status} ({exit_status.cause}) before it was ready"
