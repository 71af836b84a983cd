"""The load of a pool since its scaler was last asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.ipc.scoreboard import Cell, held
from corepool.master import events
from corepool.spec.scaler import PoolLoad

if TYPE_CHECKING:
    from corepool.master.workers import Workers
    from corepool.plugins.listener import Configuration

log = logging.getLogger(__name__)


class Scaling:
    """Asks the scaler of a pool how many workers there should be."""

    def __init__(self, now: float) -> None:
        self._asked_at = now
        self._busy_ns: dict[int, int] = {}
        """How long each worker had been busy when the scaler was last asked, by pid."""

    def decide(self, serving: Configuration, workers: Workers, now: float) -> int:
        """Return the wanted number of workers; for a pool without a choice, the present one.

        :param now: the moment in seconds.
        """
        busy_ns = {entry.pid: entry.row.cells[Cell.BUSY_NS] for entry in workers}
        busy_s = sum(busy - self._busy_ns.get(pid, 0) for pid, busy in busy_ns.items()) / 1e9
        elapsed_s = now - self._asked_at
        self._asked_at, self._busy_ns = now, busy_ns
        ready = len(workers.ready())
        if serving.min_workers == serving.max_workers or not ready or elapsed_s <= 0:
            return workers.target
        connections = sum(held(entry.row.cells) for entry in workers)
        busyness = min(1.0, max(0.0, busy_s / elapsed_s / ready))
        load = PoolLoad(workers.target, ready, busyness, connections, *serving.worker_range, elapsed_s)
        try:
            wanted = serving.scaler.decide(load)
            if not isinstance(wanted, int):
                raise TypeError(f"decide() gave {wanted!r}: expected a whole number of workers")
            wanted = serving.clamp(wanted)
        except HOOK_ERRORS as error:
            events.scaler_failed.exception(log, error, pool=serving.name, scaler=serving.pool.scaler)
            return workers.target
        if wanted != workers.target:
            events.scaler_decided(
                log, pool=serving.name, workers=wanted, was=workers.target, busyness=round(busyness, 2)
            )
        return wanted
