"""A roll is carried out: workers are replaced, and connections go to those that know their socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.master.states import State
from corepool.spec.types import ExitCause

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.master.dispatch import Dispatch
    from corepool.master.pool_plugins import PoolPlugins
    from corepool.master.roll import Roll, RollState
    from corepool.master.staffing import Staffing
    from corepool.master.workers import WorkerEntry, Workers
    from corepool.plugins.listener import Configuration


class Rolling:
    """Does as `Roll` decides: begin, then commit or abandon."""

    def __init__(
        self,
        roll: Roll,
        workers: Workers,
        dispatch: Dispatch,
        staffing: Staffing,
        plugins: PoolPlugins,
        retire: Callable[[WorkerEntry, ExitCause], None],
    ) -> None:
        """Begin with no roll.

        :param retire: has a worker leave.
        """
        self._roll = roll
        self._workers = workers
        self._dispatch = dispatch
        self._staffing = staffing
        self._plugins = plugins
        self._retire = retire

    @property
    def left(self) -> int:
        """How many slots have not had a ready worker of the coming configuration yet."""
        return self._roll.left(self._workers.target) if self._roll.is_under_way else 0

    @property
    def kept(self) -> int:
        """How many workers serve on as they are if the reload fails now."""
        serving, coming = self._roll.serving, self._roll.coming
        configurations = [entry.configuration for entry in self._workers.ready()]
        return sum(each is not coming and each.is_like(serving) for each in configurations)

    @property
    def state(self) -> RollState:
        """Where the pool is between two configurations."""
        return self._roll.state

    def begin(self, generation: int, coming: Configuration) -> None:
        """Replace every worker by one that serves `coming`. A roll during a roll begins anew."""
        self._plugins.start(coming)
        self._retire_begun(self._roll.begin(generation, coming, [entry.slot for entry in self._workers.ready()]))
        for entry in self._workers:
            if entry.state is State.STARTING:
                self._retire(entry, ExitCause.REPLACED)
        self._dispatch.mix(is_mixed=True)
        self._staffing.forget_deaths()
        self._staffing.start_replacements()
        self._staffing.fill()

    def commit(self, new: Configuration) -> bool:
        """Serve the configuration that all workers have by now. The caller has the acceptors use it.

        :returns: whether it allows other numbers of workers than the old one.
        """
        old = self._roll.commit(new)
        self._dispatch.use(new.bound)
        self._dispatch.mix(is_mixed=False)
        return new.worker_range != old.worker_range

    def abandon(self) -> None:
        """Keep the old workers; those that have begun with another configuration are replaced once more."""
        was_under_way = self._roll.is_under_way
        self._retire_begun(self._roll.abandon())
        if not was_under_way or self._staffing.is_over:
            return
        abandoned = [entry for entry in self._workers if self._roll.is_abandoned(entry.configuration)]
        for entry in abandoned:
            if entry.state is State.STARTING:  # also in the place of one that was recycled: its slot is free again
                self._roll.replacements.ended(entry.slot, entry.pid)
                self._retire(entry, ExitCause.REPLACED)
        for entry in abandoned:
            if entry.state is State.READY:
                self._roll.replacements.want(entry.slot, ExitCause.REPLACED)
        self.clear()
        self._plugins.stop_unused()
        self._staffing.start_replacements()

    def clear(self) -> None:
        """Find out whether the workers of an abandoned configuration have gone."""
        if self._roll.clear(entry.configuration for entry in self._workers):
            self._dispatch.mix(is_mixed=False)

    def _retire_begun(self, pids: list[int]) -> None:
        for pid in pids:
            entry = self._workers.by_pid(pid)
            if entry is not None:
                self._retire(entry, ExitCause.REPLACED)
