"""One pool of a master: its workers from fork to exit, and what follows when one boots, leaves or dies.

The master decides on everything that concerns all pools (signals, reload, upgrade, stop); it hears of this one as its
`Owner`.
"""

from __future__ import annotations

import json
import logging
import random
from signal import SIGTERM
from typing import TYPE_CHECKING

from corepool.errors import GarbageError
from corepool.files.descriptors import release
from corepool.ipc.messages import (
    AskStatus,
    Drained,
    Failed,
    FrozenConnections,
    JoinBus,
    Leaving,
    Message,
    Ready,
    Room,
    StateTaken,
)
from corepool.master import events
from corepool.master.acceptors import Acceptors
from corepool.master.catching_up import catch_up
from corepool.master.delivering import note_taken
from corepool.master.dispatch import Dispatch
from corepool.master.handing_over import give_to_others, rescue
from corepool.master.owner import Failure
from corepool.master.pool_plugins import PoolPlugins
from corepool.master.recycling import Limits
from corepool.master.roll import Roll
from corepool.master.rolling import Rolling
from corepool.master.staffing import Staffing
from corepool.master.states import Event, State
from corepool.master.supervisor import Supervisor
from corepool.master.upkeep import Upkeep
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.types import ExitCause, ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.master.owner import Surroundings
    from corepool.plugins.listener import Configuration

log = logging.getLogger(__name__)

MAX_WORKERS = 512

_EXPECTED = (ExitCause.STOPPED, ExitCause.SCALED_DOWN, ExitCause.REPLACED, ExitCause.RECYCLED, ExitCause.ASKED)
"""Causes of an exit after which nothing is wrong."""


class WorkerPool:
    """One pool. Owns its worker processes; the listening sockets are the master's."""

    def __init__(self, number: int, configuration: Configuration, shared: Surroundings, generation: int = 0) -> None:
        """Prepare; nothing is forked yet.

        :param number: by which its processes know each other on the scoreboard.
        """
        self._roll = Roll(configuration, generation)
        self._shared = shared
        self._loop = shared.loop
        self.workers = Workers(configuration.workers)
        self.supervisor = Supervisor(
            number,
            shared.loop,
            self.workers,
            shared.scoreboard,
            shared.crash_slots,
            shared.shared,
            shared.oom,
            shared.run_worker,
            self._on_message,
            self._on_exit,
            shared.paused,
        )
        self.dispatch = Dispatch(
            shared.loop, self.workers, shared.scoreboard, configuration.bound, shared.recovery, shared.elsewhere.take
        )
        self.acceptors = Acceptors(shared.loop, self.dispatch, shared.paused)
        self.dispatch.on_full = self.acceptors.pause
        self.dispatch.on_room = self._on_room
        self.dispatch.on_waiting = self.acceptors.resume
        self.dispatch.on_faulty = self.supervisor.kill_faulty
        # A worker that has served may have connections to hand back, and nothing else that can't wait for room.
        self.supervisor.hearing.may_speak = lambda entry: (
            not entry.was_ready or (self.dispatch.can_hold_more and not shared.elsewhere.is_holding)
        )
        self.staffing = Staffing(
            shared.loop, shared.scoreboard, self.workers, self.supervisor, self._roll, self._retire, self._fail_roll
        )
        self.plugins = PoolPlugins(self._roll, self.workers, shared.version)
        self.rolling = Rolling(self._roll, self.workers, self.dispatch, self.staffing, self.plugins, self._retire)
        self.upkeep = Upkeep(shared.loop, self.workers, self.supervisor, self._roll, self.staffing, self.scale)
        self._boot_report: str | None = None
        self.is_ready = False
        """Its first generation has been ready."""
        self.is_stopping = False

    @property
    def serving(self) -> Configuration:
        """The configuration in effect."""
        return self._roll.serving

    @property
    def name(self) -> str:
        """Its name."""
        return self.serving.name

    @property
    def state(self) -> str:
        """Its part of the status."""
        return "stopping" if self.is_stopping else "ready" if self.is_ready else "starting"

    def open(self) -> None:
        """Accept from its sockets, and from nothing else."""
        self.acceptors.use(self.serving.bound)
        self.dispatch.retry()

    def start(self) -> None:
        """Fork the first generation."""
        for slot in self.workers.vacant():
            self.staffing.spawn(slot)
        self.upkeep.start()

    def stop(self, cause: ExitCause = ExitCause.STOPPED, *, fast: bool = False) -> None:
        """Drain the workers, or end them at once."""
        if not self.is_stopping:
            self._end()
            self.acceptors.stop()
        for entry in self.workers:
            if fast:
                self.supervisor.stop(entry, cause)
            else:
                self._retire(entry, cause)
        if not len(self.workers):
            self._shared.owner.on_empty(self)

    def dismiss(self, *, fast: bool) -> None:
        """Stop, since the configuration has this pool no more; what waits for a worker may be another pool's now."""
        self.dispatch.use(())
        self.dispatch.retry()
        self.stop(ExitCause.REPLACED, fast=fast)

    def kill(self) -> None:
        """End every worker now."""
        self._end()
        for entry in self.workers:
            self.supervisor.kill(entry, ExitCause.STOPPED)

    def close(self) -> None:
        """Close the connections that no worker has taken, and look after workers no more. Idempotent."""
        self.upkeep.stop()
        self.dispatch.close()

    def scale(self, workers: int) -> int:
        """Set the number of workers, within 1..MAX_WORKERS.

        :returns: how many there will be.
        """
        if self.is_stopping:
            return 0
        self.workers.target = min(max(1, workers), MAX_WORKERS)
        events.pool_scaled(log, pool=self.name, workers=self.workers.target)
        for entry in self.workers.surplus():
            self._retire(entry, ExitCause.SCALED_DOWN)
        self.staffing.fill()
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

    def tell(self, message: Message) -> None:
        """Send a message to the workers that serve."""
        for entry in self.workers.ready():
            self.supervisor.tell(entry, message)

    def reap(self, pid: int) -> bool:
        """Reap a process that has ended, if it is a worker of this pool."""
        entry = self.workers.by_pid(pid)
        if entry is not None:
            self.supervisor.reap(entry)
        return entry is not None

    def commit(self, new: Configuration) -> None:
        """Serve the configuration that the workers were rolled to. The caller opens the acceptors."""
        if self.rolling.commit(new):  # else the number that an operator or the scaler has chosen stays
            self.scale(new.clamp(self.workers.target))

    def _on_message(self, entry: WorkerEntry, message: Message, fds: list[int]) -> None:
        if not isinstance(message, FrozenConnections | JoinBus):
            for fd in fds:
                release(fd)
        if isinstance(message, Ready):
            self._on_booted(entry)
        elif isinstance(message, Room):
            self.dispatch.retry()
        elif isinstance(message, Leaving):
            if entry.state is State.STARTING:
                raise GarbageError("it leaves before it was ready")
            self.supervisor.note_leaving(entry, self.serving.pool.drain_timeout)
            self.dispatch.take_back(entry)
            if entry.has_failed and entry.intended is None:
                self._failed(entry)
            else:
                self.staffing.fill()
        elif isinstance(message, Drained):
            self.supervisor.note_drained(entry)
        elif isinstance(message, FrozenConnections):
            give_to_others(self.dispatch, entry, message, fds)
        elif isinstance(message, AskStatus):
            self.supervisor.send_status(entry, json.dumps(self._shared.owner.status()).encode())
        elif isinstance(message, StateTaken):
            note_taken(entry, message)
        elif isinstance(message, JoinBus):
            self._shared.bus.join(entry, entry.channel, message, fds)
        elif isinstance(message, Failed):
            # Only a first generation that can't boot ends the pool.
            entry.report = message.report
            if not self.is_ready and self._boot_report is None:
                self._boot_report = entry.report
        else:
            raise GarbageError(f"{type(message).__name__} is not for the master")

    def _on_room(self) -> None:
        self.acceptors.resume()
        self.supervisor.hearing.listen()

    def _on_booted(self, entry: WorkerEntry) -> None:
        if entry.was_ready:
            raise GarbageError("it is ready once more")
        entry.happened(Event.BOOTED)
        if entry.state is not State.READY:
            return
        entry.ready_at = self._loop.time()
        if entry.deadline is not None:
            entry.deadline.cancel()
        events.worker_ready(log, slot=entry.name, pid=entry.pid, generation=entry.generation)
        catch_up(self.supervisor, entry, self._shared.paused)
        entry.limits = Limits(entry.configuration.pool, random.random())  # noqa: S311  # jitter, not a secret
        self.dispatch.retry()
        if self.is_ready:
            self._boot_report = None
        self._note_ready()
        cause = self._roll.replacements.ended(entry.slot, entry.pid)
        if cause is not None:
            for each in self.workers.predecessors(entry):
                self._retire(each, cause)
            self.staffing.start_replacements()
        self._roll.booted(entry.slot, entry.configuration)
        self._note_rolled()

    def _note_ready(self) -> None:
        """Find out whether the first generation serves."""
        if self.is_ready or self.is_stopping or len(self.workers.ready()) < self.workers.target:
            return
        self.is_ready = True
        self._boot_report = None
        self.plugins.call("on_ready", self.plugins.info())
        self._shared.owner.on_ready(self)

    def _note_rolled(self) -> None:
        """Find out whether every slot has come to the coming configuration."""
        if self._roll.complete(self.workers.target):
            self._shared.owner.on_ready(self)

    def _on_exit(self, entry: WorkerEntry, exit_status: ExitStatus) -> None:
        expected = exit_status.cause in _EXPECTED
        replaces = self._roll.replacements.ended(entry.slot, entry.pid)
        is_as_asked = expected and (exit_status.code == 0 or exit_status.signum == SIGTERM)
        (events.worker_exited if is_as_asked else events.worker_died)(
            log,
            slot=entry.name,
            pid=entry.pid,
            cause=str(exit_status.cause),
            status=str(exit_status),
            uptime_s=round(self._loop.time() - entry.started_at, 1),
        )
        self._shared.bus.leave(entry)
        self.dispatch.take_back(entry)
        rescue(self.dispatch, self._shared.recovery, entry, self.serving.bound, is_stopping=self.is_stopping)
        self.plugins.call("on_child_exit", entry.info(self._loop.time()), exit_status)
        self.rolling.clear()
        self.plugins.stop_unused()
        if self.is_stopping:
            if not len(self.workers):
                self._shared.owner.on_empty(self)
        elif not self.is_ready and not entry.was_ready and not expected:
            report = self._boot_report or _how_it_ended(exit_status)
            self._shared.owner.on_failed(self, Failure(entry.name, "could not boot", report.rstrip()))
        elif expected:
            self.staffing.fill()
            self.staffing.start_replacements()
        elif replaces is not None:
            self.staffing.replacement_failed(entry, replaces, entry.report or _how_it_ended(exit_status))
        elif not entry.has_failed:  # else that was done already
            is_of_roll = not entry.was_ready and entry.configuration is self._roll.coming
            if not is_of_roll and entry.report and entry.report != self._boot_report:
                # Else it was logged already: for another worker, or at the last try.
                self._boot_report = entry.report
                events.worker_boot_failed.report(log, entry.report, slot=entry.name)
            self.staffing.replace(entry)
            if is_of_roll:
                self._fail_roll(Failure(entry.name, "could not boot", entry.report or _how_it_ended(exit_status)))

    def _failed(self, entry: WorkerEntry) -> None:
        """Replace a worker that says that it is of no use any more, while it drains."""
        if entry.configuration is self._roll.coming:
            self._fail_roll(Failure(entry.name, "failed", entry.report))
        self.staffing.replace(entry)

    def _fail_roll(self, failure: Failure) -> None:
        if self._roll.is_under_way:
            self._shared.owner.on_failed(self, failure)

    def _end(self) -> None:
        self.is_stopping = self.staffing.is_over = True
        self._roll.stop()

    def _retire(self, entry: WorkerEntry, cause: ExitCause) -> None:
        lasting = () if cause is ExitCause.STOPPED else self._shared.elsewhere.lasting_sockets()
        self.supervisor.retire(entry, cause, self.serving.pool.drain_timeout, lasting)


def _how_it_ended(exit_status: ExitStatus) -> str:
    return f"it ended with {exit_status} ({exit_status.cause}) before it was ready"
