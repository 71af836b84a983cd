"""Whether one worker holds many more connections than the others, and how many of them should go. Pure.

With hysteresis: nothing goes for an imbalance that is small or short, and once something goes, it goes until the
workers are even.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLOOR = 16
"""An excess over the mean, in connections, that is never worth the trouble."""

_SHARE = 0.25
"""Nor is an excess of this part of the mean: short connections come and go."""

_LOOKS = 3
"""The imbalance has to be seen this many times, a second apart."""

_MAX_PER_LOOK = 256
"""Connections that one worker hands back between two looks: few enough not to delay other clients."""


def excess(held: Mapping[int, int]) -> dict[int, int]:
    """Return the number of connections that workers have beyond their share, by pid; only of those that have any."""
    if len(held) < 2:
        return {}
    share = -(-sum(held.values()) // len(held))
    return {pid: count - share for pid, count in held.items() if count > share}


class Balance:
    """Asked once a second."""

    def __init__(self) -> None:
        self._seen = 0
        self._is_moving = False

    def look(self, held: Mapping[int, int]) -> dict[int, int]:
        """Return the number of connections that workers should hand back now, by pid.

        :param held: how many each of them has.
        """
        beyond = excess(held)
        mean = sum(held.values()) / max(1, len(held))
        most = max(beyond.values(), default=0)
        if most > max(_FLOOR, mean * _SHARE):
            self._seen += 1
        else:
            self._seen = 0
            self._is_moving = self._is_moving and most > 0
        self._is_moving = self._is_moving or self._seen >= _LOOKS
        return {pid: min(count, _MAX_PER_LOOK) for pid, count in beyond.items()} if self._is_moving else {}
