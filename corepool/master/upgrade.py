"""The upgrade of a master: the one under way, or how the last one has ended. Pure.

The table is the source of truth: a pair that is not in it is a bug of ours.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool.master.status import UpgradeStatus


class UpgradeState(StrEnum):
    """Where a master is between itself and a new one; the value is the one that `status` shows."""

    NONE = "none"  # there was no upgrade yet
    RUNNING = "running"  # a new master boots
    DONE = "done"  # it serves, and this one leaves
    FAILED = "failed"  # it did not get ready, and this one goes on


class UpgradeEvent(StrEnum):
    """The events of an upgrade."""

    BEGUN = "begun"  # a new master was executed
    DONE = "done"  # it is ready
    FAILED = "failed"  # it has ended, or was ended, before it was ready


TRANSITIONS: dict[tuple[UpgradeState, UpgradeEvent], UpgradeState] = {
    (UpgradeState.NONE, UpgradeEvent.BEGUN): UpgradeState.RUNNING,
    (UpgradeState.FAILED, UpgradeEvent.BEGUN): UpgradeState.RUNNING,
    (UpgradeState.RUNNING, UpgradeEvent.DONE): UpgradeState.DONE,
    (UpgradeState.RUNNING, UpgradeEvent.FAILED): UpgradeState.FAILED,
}


def step(state: UpgradeState, event: UpgradeEvent) -> UpgradeState:
    """Return the next state.

    :raises RuntimeError: the pair is not in the table.
    """
    if (state, event) not in TRANSITIONS:
        raise RuntimeError(f"an upgrade that is {state} can't be {event}")
    return TRANSITIONS[state, event]


class Upgrade:
    """How far the upgrade under way is, or how the last one has ended."""

    def __init__(self) -> None:
        """Begin with none."""
        self.state = UpgradeState.NONE
        self.pid = 0
        """The new master's; 0: none was executed."""
        self.error = ""
        """Why it has failed."""

    @property
    def is_running(self) -> bool:
        """True while a new master boots."""
        return self.state is UpgradeState.RUNNING

    def begin(self, pid: int) -> None:
        """Note that a new master was executed."""
        self.state = step(self.state, UpgradeEvent.BEGUN)
        self.pid, self.error = pid, ""

    def done(self) -> None:
        """Note that it is ready."""
        self.state = step(self.state, UpgradeEvent.DONE)

    def fail(self, reason: str) -> None:
        """Note that it does not get ready."""
        self.state = step(self.state, UpgradeEvent.FAILED)
        self.error = reason

    def status(self) -> UpgradeStatus:
        """Describe it."""
        return {"state": self.state.value, "pid": self.pid, "error": self.error}
