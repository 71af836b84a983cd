"""The roll of one pool from one configuration to the next, and every replacement of a worker that serves. Pure.

A reload, a recycling and an operator's `drain` replace workers in the same way; a reload also changes the
configuration, all of it or nothing. The table is the source of truth: a pair that is not in it is a bug of ours.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from corepool.master.replacements import Replacements
from corepool.spec.types import ExitCause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.plugins.listener import Configuration


class RollState(StrEnum):
    """Where a pool is between two configurations."""

    IDLE = "idle"  # one configuration
    ROLLING = "rolling"  # each worker is replaced by one of the coming configuration
    COMMITTING = "committing"  # every slot has had one, and other pools have not
    ABANDONING = "abandoning"  # the old configuration holds, and workers of the other one are still replaced


class RollEvent(StrEnum):
    """The events of a roll."""

    BEGUN = "begun"  # a reload has begun, perhaps during another one
    ROLLED = "rolled"  # every slot has had a ready worker of the coming configuration
    COMMITTED = "committed"  # the reload takes effect in all pools
    ABANDONED = "abandoned"  # the reload has failed
    CLEARED = "cleared"  # no worker of the abandoned configuration is left
    STOPPED = "stopped"  # the pool ends


_ROLLS = (RollState.ROLLING, RollState.COMMITTING)

TRANSITIONS: dict[tuple[RollState, RollEvent], RollState] = {
    **dict.fromkeys([(state, RollEvent.BEGUN) for state in RollState], RollState.ROLLING),
    **dict.fromkeys([(state, RollEvent.STOPPED) for state in RollState], RollState.IDLE),
    (RollState.ROLLING, RollEvent.ROLLED): RollState.COMMITTING,
    (RollState.COMMITTING, RollEvent.COMMITTED): RollState.IDLE,
    **dict.fromkeys([(state, RollEvent.ABANDONED) for state in _ROLLS], RollState.ABANDONING),
    (RollState.ABANDONING, RollEvent.CLEARED): RollState.IDLE,
    # A pool that has come with the reload, or that it takes away.
    (RollState.IDLE, RollEvent.COMMITTED): RollState.IDLE,
    (RollState.IDLE, RollEvent.ABANDONED): RollState.IDLE,
    (RollState.ABANDONING, RollEvent.ABANDONED): RollState.ABANDONING,
}


def step(state: RollState, event: RollEvent) -> RollState:
    """Return the next state.

    :raises RuntimeError: the pair is not in the table.
    """
    if (state, event) not in TRANSITIONS:
        raise RuntimeError(f"a roll that is {state} can't be {event}")
    return TRANSITIONS[state, event]


class Roll:
    """The configurations of one pool, and the replacements that are under way."""

    def __init__(self, serving: Configuration, generation: int) -> None:
        """Begin with one configuration."""
        self.state = RollState.IDLE
        self.serving = serving
        """The configuration in effect."""
        self.coming: Configuration | None = None
        """The one that the reload under way leads to."""
        self.generation = generation
        self.replacements = Replacements(serving.pool.surge)
        self._rolled: set[int] = set()
        """The slots that have had a ready worker of the coming configuration."""

    @property
    def newest(self) -> Configuration:
        """The configuration that a worker is forked with now."""
        return self.coming or self.serving

    @property
    def is_under_way(self) -> bool:
        """True until the reload that leads to the coming configuration takes effect or fails."""
        return self.coming is not None

    @property
    def is_rolling(self) -> bool:
        """True while workers of the coming configuration are still to become ready."""
        return self.state is RollState.ROLLING

    def begin(self, generation: int, coming: Configuration, slots: Iterable[int]) -> list[int]:
        """Have the workers of `slots` replaced by those of `coming`; a roll during a roll begins anew.

        :returns: the pids of replacements that have begun already, and are not wanted any more.
        """
        self._step(RollEvent.BEGUN)
        self.generation, self.coming = generation, coming
        self._rolled = set()
        begun = self.replacements.abandon(frozenset(ExitCause))
        self.replacements.surge = coming.pool.surge
        for slot in slots:
            self.replacements.want(slot, ExitCause.REPLACED)
        return begun

    def booted(self, slot: int, configuration: Configuration) -> None:
        """Note a worker that is ready."""
        if configuration is self.coming:
            self._rolled.add(slot)

    def left(self, workers: int) -> int:
        """Return how many of `workers` slots have not had a ready worker of the coming configuration yet."""
        return len({*range(workers)} - self._rolled)

    def complete(self, workers: int) -> bool:
        """Find out whether every slot has come to the coming configuration; True once."""
        if not self.is_rolling or self.left(workers):
            return False
        self._step(RollEvent.ROLLED)
        return True

    def commit(self, new: Configuration) -> Configuration:
        """Serve the coming configuration, and return the old one."""
        self._step(RollEvent.COMMITTED)
        old, self.serving, self.coming = self.serving, new, None
        return old

    def abandon(self) -> list[int]:
        """Keep the old configuration.

        :returns: the pids of the replacements that have begun.
        """
        self._step(RollEvent.ABANDONED)
        self.coming = None
        self.replacements.surge = self.serving.pool.surge
        return self.replacements.abandon({ExitCause.REPLACED})

    def is_abandoned(self, configuration: Configuration) -> bool:
        """Return whether workers of a configuration are to be replaced, since it is that of a reload that has failed.

        Any such reload: one that fails may have overtaken another, or have begun while workers of another were left.
        """
        return self.state is RollState.ABANDONING and not configuration.is_like(self.serving)

    def clear(self, configurations: Iterable[Configuration]) -> bool:
        """Find out whether every worker serves like the configuration in effect, after a roll was abandoned; True once.

        :param configurations: those of the workers.
        """
        if self.state is not RollState.ABANDONING or any(map(self.is_abandoned, configurations)):
            return False
        self._step(RollEvent.CLEARED)
        return True

    def stop(self) -> None:
        """Roll no more."""
        self._step(RollEvent.STOPPED)

    def _step(self, event: RollEvent) -> None:
        self.state = step(self.state, event)
