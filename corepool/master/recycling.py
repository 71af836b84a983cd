"""Recycling: when a worker has served long enough to be replaced by a fresh one. Pure.

Against what grows slowly: leaks, fragmented memory, caches without a bound. Each worker gets limits of its own,
somewhat above those of the configuration, so that workers that began together don't go together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from corepool.config.settings import PoolSettings

SAMPLES = 3
"""This many samples of its memory in a row have to be too high: a single large request is not a leak."""


class Usage(NamedTuple):
    """The counts of a worker, and its memory in bytes."""

    requests: int
    connections: int
    age_s: float
    memory: int


class Limits:
    """How long one worker may serve. 0 is no limit."""

    __slots__ = ("_age_s", "_connections", "_high_samples", "_memory", "_memory_hard", "_requests")

    def __init__(self, pool: PoolSettings, chance: float) -> None:
        """Choose the limits of one worker.

        :param chance: from 0 to 1: where between the configuration's and the most that its jitter allows.
        """
        factor = 1 + pool.recycle_jitter * chance
        self._requests = int(pool.recycle_requests * factor)
        self._connections = int(pool.recycle_connections * factor)
        self._age_s = pool.recycle_age * factor
        # Memory needs no jitter: workers don't grow at the same rate.
        self._memory = pool.recycle_memory
        self._memory_hard = pool.recycle_memory_hard
        self._high_samples = 0

    def reason(self, usage: Usage) -> str:
        """Return why the worker should be replaced now; "" when it should not. To be called once per sample."""
        self._high_samples = self._high_samples + 1 if 0 < self._memory < usage.memory else 0
        if 0 < self._requests <= usage.requests:
            return f"{usage.requests} requests"
        if 0 < self._connections <= usage.connections:
            return f"{usage.connections} connections"
        if 0 < self._age_s <= usage.age_s:
            return f"{usage.age_s:.0f} s old"
        if self._high_samples >= SAMPLES:
            return f"{usage.memory / 2**20:.0f} MiB of memory"
        return ""

    def is_beyond(self, usage: Usage) -> bool:
        """Return whether the worker takes so much memory that it must not go on even for a moment."""
        return 0 < self._memory_hard < usage.memory
