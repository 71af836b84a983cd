"""When a dead worker is replaced: exponential back-off with jitter. Pure; the clock and chance are passed in."""

from __future__ import annotations


class Backoff:
    """The record of one slot.

    A worker that lived longer than `longest_s` is replaced at once and its past forgotten. One that died
    sooner is replaced after `first_s`, then twice as long each time, up to `longest_s`; each wait is varied
    by a quarter either way, so that workers that fell together don't come back together.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = max(first_s, longest_s)
        self._deaths = 0

    def delay_s(self, uptime_s: float, chance: float) -> float:
        """Record a death and say how long to wait.

        :param uptime_s: how long the worker lived.
        :param chance: a random number from 0 to 1.
        """
        if uptime_s >= self._longest_s:
            self._deaths = 0
            return 0.0
        # Beyond 2**30 the cap has long been reached, and floats would overflow at 2**1024.
        wait_s = min(self._longest_s, self._first_s * 2.0 ** min(self._deaths, 30))
        self._deaths += 1
        return wait_s * (0.75 + chance / 2)
