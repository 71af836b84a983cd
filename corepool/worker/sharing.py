"""A worker's part in the counts that workers share."""

from __future__ import annotations

import math
import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from corepool.ipc.shared_map import SharedMap
from corepool.ipc.shared_tables import Shape, SharedBuckets, SharedSemaphores

if TYPE_CHECKING:
    from corepool.ipc.shared_area import Member, SharedArea


MOST = 65_536
"""Keys that a table has room for, if it is not said."""


class Counter:
    """Implements `corepool.SharedCounter`."""

    def __init__(self, area: SharedArea, name: str, place: int) -> None:
        """Find its cells; raises as `SharedArea.counter`."""
        self._area = area
        self._cells, self._own = area.counter(name, place)
        self._lock = threading.Lock()  # between the threads of this process

    def add(self, amount: int = 1) -> None:
        """See `corepool.SharedCounter`."""
        with self._lock:
            self._own[0] += amount

    def get(self) -> int:
        """See `corepool.SharedCounter`."""
        return self._area.sum(self._cells)


class Sharing:
    """Opens what plugins ask for. The first time, it makes the worker a member of the area."""

    def __init__(self, area: SharedArea, pool: str, master_pid: int) -> None:
        """Prepare.

        :param pool: to which the names belong.
        """
        self._area = area
        self._pool = pool
        self._master_pid = master_pid
        self._counters: dict[str, Counter] = {}

    @cached_property
    def _member(self) -> Member:
        return self._area.join(os.getpid(), self._master_pid)

    def counter(self, name: str) -> Counter:
        """See `corepool.Worker`."""
        if name not in self._counters:  # two would write the same cell
            self._counters[name] = Counter(self._area, self._named(name), self._member.place)
        return self._counters[name]

    def buckets(self, name: str, rate: float, burst: int | None = None, most: int = MOST) -> SharedBuckets:
        """See `corepool.Worker`."""
        shape = Shape.of_buckets(most)
        start = self._area.table(self._named(f"buckets {name}"), shape.size, self._member.place)
        return SharedBuckets(self._area, start, shape, rate, math.ceil(rate) if burst is None else burst)

    def semaphores(self, name: str, most: int = MOST) -> SharedSemaphores:
        """See `corepool.Worker`."""
        shape = Shape.of_semaphores(most)
        start = self._area.table(self._named(f"semaphores {name}"), shape.size, self._member.place)
        return SharedSemaphores(self._area, start, shape, self._member)

    def map(self, name: str, most: int = 1024, size: int = 256) -> SharedMap:
        """See `corepool.Worker`."""
        shape = SharedMap.shape_of(most, size)
        start = self._area.table(self._named(f"map of {size} {name}"), shape.size, self._member.place)
        return SharedMap(self._area, start, most, size, name)

    def _named(self, name: str) -> str:
        return f"{self._pool}/{name}"
