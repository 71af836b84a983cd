"""Forking the workers of one pool: for vacant slots, at once or later, and as replacements of workers that serve."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from corepool.errors import ControlError
from corepool.master import events
from corepool.master.owner import Failure
from corepool.master.respawn import Respawns
from corepool.master.restart import Life
from corepool.spec.types import ExitCause

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.ipc.scoreboard import Scoreboard
    from corepool.master.loop import Loop
    from corepool.master.roll import Roll
    from corepool.master.supervisor import Supervisor
    from corepool.master.workers import WorkerEntry, Workers

log = logging.getLogger(__name__)

_FORKS_AT_ONCE = 8
"""A fork takes a millisecond or two, in which the master accepts nothing."""


class Staffing:
    """Decides when a slot gets a process."""

    def __init__(
        self,
        loop: Loop,
        scoreboard: Scoreboard,
        workers: Workers,
        supervisor: Supervisor,
        roll: Roll,
        retire: Callable[[WorkerEntry, ExitCause], None],
        fail: Callable[[Failure], None],
    ) -> None:
        """Begin with nothing to do.

        :param scoreboard: counts the workers that had to be replaced because they died.
        :param retire: has a worker leave.
        :param fail: ends the roll that is under way, if one is.
        """
        self._loop = loop
        self._scoreboard = scoreboard
        self._workers = workers
        self._supervisor = supervisor
        self._roll = roll
        self._retire = retire
        self._fail = fail
        self._respawns = Respawns()
        self.is_over = False
        """The pool ends: nothing more is forked."""

    def forget_deaths(self) -> None:
        """Begin anew, since workers forked from now on have another configuration."""
        self._respawns.forget()

    def drain(self, slot: int) -> int:
        """Replace one worker, which finishes what it has begun.

        :returns: its pid.
        :raises ControlError: there is none in `slot`, its replacement can't be forked, or the pool is stopping.
        """
        if self.is_over:
            raise ControlError("the pool is stopping")
        entry = self._workers.in_slot(slot)
        if entry is None:
            there = ", ".join(entry.name for entry in self._workers.ready())
            name = self._roll.serving.worker_name(slot)
            raise ControlError(f"no worker is ready in slot {name}; those that are: {there or 'none'}")
        self._roll.replacements.want(slot, ExitCause.ASKED)
        self.start_replacements()
        if not self._roll.replacements.replaces(slot):
            raise ControlError(f"worker {entry.name} stays: its replacement can't be forked; the log says why")
        return entry.pid

    def start_replacements(self) -> None:
        """Fork the replacements that are due."""
        while (slot := self._roll.replacements.due()) is not None:
            if self.is_over or self._workers.in_slot(slot) is None:
                self._roll.replacements.drop(slot)  # it crashed or left meanwhile: its slot gets a new one anyway
                continue
            try:
                replacement = self._supervisor.spawn(slot, self._roll.generation, self._roll.newest)
            except (OSError, RuntimeError) as error:
                name = self._roll.serving.worker_name(slot)
                if self._roll.replacements.drop(slot) is ExitCause.REPLACED and self._roll.is_under_way:
                    self._fail(Failure(name, "can't be forked", str(error)))
                    return
                events.replacement_not_forked(log, slot=name, reason=error)
                if (stays := self._workers.in_slot(slot)) is not None:
                    self._keep(stays)
                continue
            cause = self._roll.replacements.started(slot, replacement.pid)
            if self._workers.target - len(self._workers.ready()) < self._roll.serving.pool.max_unavailable:
                for each in self._workers.predecessors(replacement):
                    self._retire(each, cause)

    def replacement_failed(self, replacement: WorkerEntry, cause: ExitCause, report: str) -> None:
        """Keep the one that serves: the application, or what it needs, is broken now."""
        if replacement.slot in self._workers.vacant():
            self._respawn_later(replacement.slot, None)  # it has left already (`max_unavailable`)
        if cause is ExitCause.REPLACED and self._roll.is_under_way:
            self._fail(Failure(replacement.name, "could not boot", report))
        else:
            events.replacement_boot_failed.report(log, report, slot=replacement.name)
            for entry in self._workers.predecessors(replacement):
                self._keep(entry)
        self.start_replacements()

    def _keep(self, entry: WorkerEntry) -> None:
        """Have a worker serve for a while before another replacement is tried; `Upkeep` does."""
        entry.kept_until = self._loop.time() + self._roll.serving.pool.respawn_delay_max

    def _life_of(self, entry: WorkerEntry) -> Life | None:
        """Describe the life of a worker that has ended; None: it was never ready."""
        if not entry.was_ready:
            return None
        return Life(
            boot_s=entry.ready_at - entry.started_at,
            served_s=self._loop.time() - entry.ready_at,
            was_last=len(self._workers.vacant()) == self._workers.target,
        )

    def _respawn_later(self, slot: int, life: Life | None) -> None:
        chance = random.random()  # noqa: S311  # jitter, not a secret
        delay_s = self._respawns.died(slot, self._roll.serving.pool, life, self._loop.time(), chance)
        events.worker_respawns(log, slot=self._roll.serving.worker_name(slot), delay_s=round(delay_s, 3))
        self._loop.call_later(delay_s, self.fill)

    def fill(self) -> None:
        """Fork missing workers, except where a back-off is under way; a few at a time, since clients wait meanwhile."""
        if self.is_over:
            return
        now = self._loop.time()
        missing = [slot for slot in self._workers.vacant() if not self._respawns.waits(slot, now)]
        for slot in missing[:_FORKS_AT_ONCE]:
            self.spawn(slot)
        if len(missing) > _FORKS_AT_ONCE:
            self._loop.call_later(0.0, self.fill)

    def spawn(self, slot: int) -> None:
        """Fork a worker of the newest configuration."""
        try:
            self._supervisor.spawn(slot, self._roll.generation, self._roll.newest)
        except (OSError, RuntimeError) as error:
            name = self._roll.serving.worker_name(slot)
            events.worker_not_forked(log, slot=name, reason=error)
            self._respawn_later(slot, None)

    def replace(self, entry: WorkerEntry) -> None:
        """Have a worker that has died, or failed, replaced, if its slot is still wanted."""
        if entry.slot < self._workers.target:
            self._scoreboard.count("restarts")
            if entry.slot in self._workers.vacant():
                self._respawn_later(entry.slot, self._life_of(entry))
