"""When a dead worker is replaced: exponential back-off with jitter. Pure; the clock and chance are passed in."""

from __future__ import annotations

from typing import NamedTuple

STEADY_S = 1.0
"""A worker that has served this long had started well (supervisord's `startsecs`, which is 1 as well)."""


class Life(NamedTuple):
    """The history of a worker that has ended; None: it was never ready."""

    boot_s: float
    """From its fork until it was ready."""
    served_s: float
    was_last: bool
    """No other worker of its pool serves or starts: every client waits for its replacement."""

    def is_steady(self, longest_s: float) -> bool:
        """Return whether its replacement may start at once.

        A pool that can only serve, or start a worker, may spend half of its time with the one to do the other.
        """
        return self.served_s >= min(longest_s, STEADY_S) or (self.was_last and self.served_s >= self.boot_s)


class Backoff:
    """The record of one slot.

    A worker that has served for a while is replaced at once and its past forgotten. One that died sooner is replaced
    after `first_s`, then twice as long each time, up to `longest_s`; each wait is varied by a quarter either way, so
    that workers that fell together don't come back together. The last one of a pool is never waited for longer than
    the first time, if it could serve at all.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = max(first_s, longest_s)
        self._deaths = 0

    def delay_s(self, life: Life | None, chance: float) -> float:
        """Record a death and return how long to wait.

        :param life: how the worker lived; None: it was never ready.
        :param chance: a random number from 0 to 1.
        """
        if life is not None and life.is_steady(self._longest_s):
            self._deaths = 0
            return 0.0
        # Beyond 2**30 the cap has long been reached, and floats would overflow at 2**1024.
        longest_s = self._first_s if life is not None and life.was_last else self._longest_s
        wait_s = min(longest_s, self._first_s * 2.0 ** min(self._deaths, 30))
        self._deaths += 1
        return wait_s * (0.75 + chance / 2)
