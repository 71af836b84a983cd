"""Successions: workers that are to be replaced while they serve, and the heirs that start for them. Pure.

A worker serves until its heir in the same slot is ready, so there is never less capacity than before. Reloads and
recycling only differ in the cause, and in what follows when an heir fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from corepool.spec.types import ExitCause


class Succession:
    """Which slots wait for an heir, and which heirs have begun."""

    def __init__(self, surge: int) -> None:
        """Begin with nothing to do.

        :param surge: heirs that may start at the same time.
        """
        self.surge = surge
        self._waiting: dict[int, ExitCause] = {}
        self._heirs: dict[int, tuple[int, ExitCause]] = {}

    def want(self, slot: int, cause: ExitCause) -> bool:
        """Have the worker of `slot` replaced; False when it is being replaced already."""
        if self.replaces(slot):
            return False
        self._waiting[slot] = cause
        return True

    def replaces(self, slot: int) -> bool:
        """Tell whether the worker of `slot` is to be replaced."""
        return slot in self._heirs or slot in self._waiting

    def due(self) -> int | None:
        """Give a slot whose heir may start now, if there is one; to be answered by `started` or `drop`."""
        return next(iter(self._waiting), None) if len(self._heirs) < self.surge else None

    def started(self, slot: int, pid: int) -> ExitCause:
        """Note that an heir has been forked; gives the reason for it."""
        cause = self._waiting.pop(slot)
        self._heirs[slot] = (pid, cause)
        return cause

    def ended(self, slot: int, pid: int) -> ExitCause | None:
        """Forget the heir `pid` of `slot`, ready or failed; gives the reason for it, None if it is not an heir."""
        if self._heirs.get(slot, (0,))[0] != pid:
            return None
        return self._heirs.pop(slot)[1]

    def drop(self, slot: int) -> ExitCause | None:
        """Forget a slot that waits, since it needs no heir any more, or can't have one; gives the reason it waited."""
        return self._waiting.pop(slot, None)

    def abandon(self, causes: Container[ExitCause]) -> list[int]:
        """Forget everything with one of these causes; gives the pids of the heirs that have begun."""
        self._waiting = {slot: each for slot, each in self._waiting.items() if each not in causes}
        begun = [pid for pid, each in self._heirs.values() if each in causes]
        self._heirs = {slot: (pid, each) for slot, (pid, each) in self._heirs.items() if each not in causes}
        return begun
