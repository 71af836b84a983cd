"""Orders that change how pools serve, whatever their configuration says: workers, paused listeners, log level."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.errors import ControlError
from corepool.ipc.messages import LogLevel, Pause, Resume
from corepool.master import events
from corepool.master.worker_pool import MAX_WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.master.pools import Pools
    from corepool.master.upgrading import Upgrading
    from corepool.master.worker_pool import WorkerPool

log = logging.getLogger(__name__)

_LOG_LEVELS = ("debug", "info", "warning", "error")


class LiveOrders:
    """The orders of operators that need no other process."""

    def __init__(self, pools: Pools, upgrading: Upgrading, paused: set[str]) -> None:
        """Begin with the paused listeners.

        :param paused: their names, which others look at.
        """
        self._pools = pools
        self._upgrading = upgrading
        self._paused = paused

    def drain(self, slot: int, pool: str | None = None) -> int:
        """Replace one worker, which finishes what it has begun.

        :returns: its pid.
        :raises ControlError: there is none in `slot`, or the pool is stopping.
        """
        return self._pools.named(pool).staffing.drain(slot)

    def scale(self, workers: int, pool: str | None = None) -> int:
        """Set the number of workers of a pool, within 1..MAX_WORKERS.

        :returns: how many there will be.
        :raises ControlError: there is no such pool, or several and none is named; the number is out of range; or an
            upgrade is under way; or the pool has an address for each worker.
        """
        self._upgrading.refuse_orders()
        if not 1 <= workers <= MAX_WORKERS:
            raise ControlError(f"workers: expected 1 to {MAX_WORKERS}, not {workers}")
        named = self._pools.named(pool)
        _refuse_if_fixed(named)
        return named.scale(workers)

    def scale_by(self, workers: int) -> None:
        """Change the number of workers of every pool by `workers`, which may be negative.

        :raises ControlError: an upgrade is under way, or a pool has an address for each worker: then nothing changes.
        """
        self._upgrading.refuse_orders()
        for pool in self._pools.serving.values():
            _refuse_if_fixed(pool)
        for pool in self._pools.serving.values():
            pool.scale(pool.workers.target + workers)

    def rebalance(self) -> int:
        """Have idle connections go from workers that hold more than their share to the others, in every pool.

        :returns: how many connections are asked for.
        """
        return sum(pool.upkeep.rebalance() for pool in self._pools.serving.values())

    def pause_listener(self, name: str) -> None:
        """Leave new connections of a listener in the kernel's backlog; open ones go on.

        :raises ControlError: there is none of that name, or an upgrade is under way.
        """
        self._upgrading.refuse_orders()
        self._tell_listener(name, Pause)
        self._paused.add(name)
        self._resume_acceptors()
        events.listener_paused(log, name=name)

    def resume_listener(self, name: str) -> None:
        """Take connections of a listener again.

        :raises ControlError: there is none of that name, or an upgrade is under way.
        """
        self._upgrading.refuse_orders()
        self.resume_listeners([name])
        events.listener_resumed(log, name=name)

    def resume_listeners(self, names: Iterable[str]) -> None:
        """Take connections of some listeners again, unlogged.

        :raises ControlError: there is none of such a name.
        """
        for name in names:
            self._tell_listener(name, Resume)
            self._paused.discard(name)
        self._resume_acceptors()

    def set_log_level(self, level: str) -> None:
        """Log records of `level` and above: here, in every worker, and in those to come.

        :raises ControlError: there is no such level, or an upgrade is under way.
        """
        self._upgrading.refuse_orders()
        if level not in _LOG_LEVELS:
            raise ControlError(f"no log level {level!r}; there are: {', '.join(_LOG_LEVELS)}")
        logging.getLogger().setLevel(level.upper())
        for pool in self._pools:
            pool.tell(LogLevel(logging.getLogger().level))

    def _tell_listener(self, name: str, order: type[Pause | Resume]) -> None:
        """Send an order to the workers that accept from a listener's sockets."""
        known: set[str] = set()
        for pool in self._pools.serving.values():
            for bound in pool.serving.bound:
                known.add(bound.listener.name)
                if bound.listener.name == name:
                    pool.tell(order(bound.index))
        if name not in known:
            raise ControlError(f"no listener named {name!r}; there are: {', '.join(sorted(known))}")

    def _resume_acceptors(self) -> None:
        for pool in self._pools.serving.values():
            pool.acceptors.resume()


def _refuse_if_fixed(pool: WorkerPool) -> None:
    """Refuse to scale a pool whose workers have an address each: clients of a missing one would wait for ever."""
    listener = pool.serving.has_address_per_worker
    if listener is not None:
        raise ControlError(
            f"listener {listener!r} has an address for each worker (bind_per_worker): change `workers` and reload"
        )
