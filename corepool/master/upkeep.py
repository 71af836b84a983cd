"""Looks after the workers of one pool, again and again: heartbeats, memory and age, load, balance."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.ipc.messages import Move
from corepool.ipc.scoreboard import Cell, held
from corepool.master import events
from corepool.master.balance import Balance, excess
from corepool.master.recycling import Usage
from corepool.master.scaling import Scaling
from corepool.master.status import resident_bytes
from corepool.spec.types import ExitCause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool.master.loop import Loop, Repetition
    from corepool.master.roll import Roll
    from corepool.master.staffing import Staffing
    from corepool.master.supervisor import Supervisor
    from corepool.master.workers import Workers

log = logging.getLogger(__name__)

_RECYCLING_INTERVAL_S = 1.0
_SCALING_INTERVAL_S = 1.0
_BALANCE_INTERVAL_S = 1.0

_REST_S = 30.0
"""A connection that was moved stays this long, unless its worker leaves: nothing goes back and forth."""


class Upkeep:
    """The looks that recur as long as there are workers."""

    def __init__(
        self,
        loop: Loop,
        workers: Workers,
        supervisor: Supervisor,
        roll: Roll,
        staffing: Staffing,
        scale: Callable[[int], object],
    ) -> None:
        """Prepare; nothing is looked at before `start`.

        :param scale: sets the number of workers.
        """
        self._loop = loop
        self._workers = workers
        self._supervisor = supervisor
        self._roll = roll
        self._staffing = staffing
        self._scale = scale
        self._balance = Balance()
        self._scaling = Scaling(loop.time())
        self._heartbeats_checked_at = loop.time()
        self._looks: list[Repetition] = []

    def start(self) -> None:
        """Look from now on."""
        self._looks = [
            self._loop.repeat(lambda: self._roll.serving.pool.heartbeat_timeout / 4, self._check_heartbeats),
            self._loop.repeat(lambda: _RECYCLING_INTERVAL_S, self._recycle),
            self._loop.repeat(lambda: _SCALING_INTERVAL_S, self._scale_by_load),
            self._loop.repeat(lambda: _BALANCE_INTERVAL_S, self._even_out),
        ]

    def stop(self) -> None:
        """Look no more. Idempotent."""
        for look in self._looks:
            look.cancel()

    def rebalance(self) -> int:
        """Have workers that hold more than their share hand back the idle part of it, at once.

        :returns: how many connections are asked for.
        """
        return self._ask_to_move(excess(self._held()), 0.0)

    def _check_heartbeats(self) -> None:
        now, timeout_s = self._loop.time(), self._roll.serving.pool.heartbeat_timeout
        interval_s = timeout_s / 4
        # If the whole pool was stopped or starved, the workers get a full interval to show that they live.
        if now - self._heartbeats_checked_at < 2 * interval_s:
            self._supervisor.check_heartbeats(timeout_s)
        self._heartbeats_checked_at = now

    def _recycle(self) -> None:
        """Have workers replaced that have served long enough, or serve what a failed reload has left."""
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
                events.worker_killed(log, slot=entry.name, pid=entry.pid, reason=f"{usage.memory} bytes of memory")
                self._supervisor.kill(entry, ExitCause.MEMORY)
                continue
            if now < entry.kept_until:
                continue
            if self._roll.is_abandoned(entry.configuration):  # its replacement could not start before
                self._roll.replacements.want(entry.slot, ExitCause.REPLACED)
            reason = entry.limits.reason(usage)
            if reason and self._roll.replacements.want(entry.slot, ExitCause.RECYCLED):
                events.worker_recycled(log, slot=entry.name, pid=entry.pid, reason=reason)
        self._staffing.start_replacements()

    def _even_out(self) -> None:
        """Have idle connections go from workers that hold many to those that hold few."""
        if not self._staffing.is_over and not self._roll.is_rolling:
            self._ask_to_move(self._balance.look(self._held()), _REST_S)

    def _scale_by_load(self) -> None:
        """Let the scaler choose how many workers there should be."""
        if self._staffing.is_over:
            return
        wanted = self._scaling.decide(self._roll.serving, self._workers, self._loop.time())
        if wanted != self._workers.target:
            self._scale(wanted)

    def _held(self) -> dict[int, int]:
        return {entry.pid: held(entry.row.cells) for entry in self._workers.ready()}

    def _ask_to_move(self, counts: Mapping[int, int], rest_s: float) -> int:
        for pid, count in counts.items():
            entry = self._workers.by_pid(pid)
            if entry is not None:
                self._supervisor.tell(entry, Move(count, rest_s))
        return sum(counts.values())
