"""Workers that are to be replaced while they serve, and their replacements. Pure.

A worker serves until its replacement in the same slot is ready, so capacity never falls. Reloads and recycling differ
only in the cause, and in the consequences of a replacement that fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from corepool.spec.types import ExitCause


class Replacements:
    """Which slots wait for a replacement, and which replacements have begun."""

    def __init__(self, surge: int) -> None:
        """Begin with nothing to do.

        :param surge: replacements that may start at the same time.
        """
        self.surge = surge
        self._waiting: dict[int, ExitCause] = {}
        self._replacements: dict[int, tuple[int, ExitCause]] = {}

    def want(self, slot: int, cause: ExitCause) -> bool:
        """Have the worker of `slot` replaced; False when it is being replaced already."""
        if self.replaces(slot):
            return False
        self._waiting[slot] = cause
        return True

    def replaces(self, slot: int) -> bool:
        """Return whether the worker of `slot` is to be replaced."""
        return slot in self._replacements or slot in self._waiting

    def due(self) -> int | None:
        """Return a slot whose replacement may start now, if there is one; to be answered by `started` or `drop`."""
        return next(iter(self._waiting), None) if len(self._replacements) < self.surge else None

    def started(self, slot: int, pid: int) -> ExitCause:
        """Note that a replacement has been forked; gives the reason for it."""
        cause = self._waiting.pop(slot)
        self._replacements[slot] = (pid, cause)
        return cause

    def ended(self, slot: int, pid: int) -> ExitCause | None:
        """Forget the replacement `pid` of `slot`, ready or failed; return its cause, None if it is no replacement."""
        if self._replacements.get(slot, (0,))[0] != pid:
            return None
        return self._replacements.pop(slot)[1]

    def drop(self, slot: int) -> ExitCause | None:
        """Forget a waiting slot, which needs no replacement any more or can't have one; return the cause."""
        return self._waiting.pop(slot, None)

    def abandon(self, causes: Container[ExitCause]) -> list[int]:
        """Forget everything with one of these causes; gives the pids of the replacements that have begun."""
        self._waiting = {slot: each for slot, each in self._waiting.items() if each not in causes}
        begun = [pid for pid, each in self._replacements.values() if each in causes]
        self._replacements = {
            slot: (pid, each) for slot, (pid, each) in self._replacements.items() if each not in causes
        }
        return begun
