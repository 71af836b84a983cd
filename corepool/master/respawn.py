"""Workers that died are forked again: which slots wait for that, and how long. Pure; clock and chance are passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.master.restart import Backoff

if TYPE_CHECKING:
    from corepool.config.settings import PoolSettings
    from corepool.master.restart import Life


class Respawns:
    """The slots of one pool that wait."""

    def __init__(self) -> None:
        self._backoffs: dict[int, Backoff] = {}
        self._due: dict[int, float] = {}

    def died(self, slot: int, pool: PoolSettings, life: Life | None, now: float, chance: float) -> float:
        """Have a slot wait.

        :param life: how its worker lived; None: it was never ready, or could not be forked.
        :param chance: a random number from 0 to 1.
        :returns: for how many seconds.
        """
        backoff = self._backoffs.setdefault(slot, Backoff(pool.respawn_delay, pool.respawn_delay_max))
        delay_s = backoff.delay_s(life, chance)
        self._due[slot] = now + delay_s
        return delay_s

    def waits(self, slot: int, now: float) -> bool:
        """Return whether it is too early to fork for a slot."""
        return self._due.get(slot, now) > now

    def forget(self) -> None:
        """Begin anew, since workers forked from now on have another configuration."""
        self._backoffs.clear()
        self._due.clear()
