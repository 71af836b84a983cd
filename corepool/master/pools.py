"""The pools of a master: those that serve, those that a reload brings, and those that leave."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from corepool.errors import ControlError
from corepool.master import events
from corepool.master.worker_pool import WorkerPool
from corepool.plugins.listener import sockets_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool.master.owner import Member, Surroundings
    from corepool.plugins.listener import BoundSocket, Configuration

log = logging.getLogger(__name__)


class Pools:
    """All of them, by name."""

    def __init__(self, shared: Surroundings) -> None:
        """Begin without any."""
        self._shared = shared
        self._numbers = itertools.count()
        self.serving: dict[str, WorkerPool] = {}
        """Those of the configuration in effect."""
        self.arriving: dict[str, WorkerPool] = {}
        """Those that the reload under way has brought; they serve when it is done."""
        self._departing: list[WorkerPool] = []
        """Those that are no longer ours, until their last worker has left."""

    def __iter__(self) -> Iterator[WorkerPool]:
        return iter([*self.serving.values(), *self.arriving.values(), *self._departing])

    def make(self, configurations: Iterable[Configuration], generation: int) -> dict[str, WorkerPool]:
        """Make a pool for each configuration; it has no workers yet."""
        return {each.name: WorkerPool(next(self._numbers), each, self._shared, generation) for each in configurations}

    def named(self, name: str | None) -> WorkerPool:
        """Find a pool that serves; None: the only one.

        :raises ControlError: there is none of that name, or several and none is named.
        """
        names = ", ".join(self.serving)
        if not self.serving:
            raise ControlError("the pool is stopping")
        if name is None:
            if len(self.serving) > 1:
                raise ControlError(f"there are several pools; say which: {names}")
            return next(iter(self.serving.values()))
        if name not in self.serving:
            raise ControlError(f"no pool named {name!r}; there are: {names}")
        return self.serving[name]

    @property
    def workers(self) -> int:
        """How many worker processes there are."""
        return sum(len(pool.workers) for pool in self)

    @property
    def wanted(self) -> int:
        """How many there should be."""
        return sum(pool.workers.target for pool in self.serving.values())

    def sockets(self) -> list[BoundSocket]:
        """List the sockets that are served."""
        return sockets_of(pool.serving for pool in self.serving.values())

    def dismiss(self, pools: Iterable[WorkerPool], *, fast: bool) -> None:
        """Stop pools that are no longer ours."""
        for pool in pools:
            self._departing.append(pool)
            pool.dismiss(fast=fast)

    def dismiss_serving(self) -> None:
        """Have every pool that serves leave."""
        pools, self.serving = self.serving, {}
        self.dismiss(pools.values(), fast=False)

    def dismiss_arriving(self) -> None:
        """End what a failed reload has brought."""
        pools, self.arriving = self.arriving, {}
        self.dismiss(pools.values(), fast=True)

    def forget(self, member: Member) -> None:
        """Forget a pool whose last worker has left, if it was dismissed."""
        pool = next((each for each in self._departing if each is member), None)
        if pool is None:
            return
        self._departing.remove(pool)
        pool.close()
        pool.plugins.stop()
        events.pool_removed(log, pool=pool.name)
