"""The reload of a master: the one under way, and how the last ones have ended. Pure.

The table is the source of truth: a pair that is not in it is a bug of ours. How far each pool is stands in its `Roll`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from corepool.master.status import ReloadFailureStatus
    from corepool.plugins.listener import Configuration


class ReloadState(StrEnum):
    """Where a master is between two configurations; the value is the one that `status` shows."""

    NONE = "none"  # there was no reload yet
    RUNNING = "running"  # pools roll to the coming configurations
    DONE = "done"  # the last one has taken effect
    FAILED = "failed"  # the last one has not


class ReloadEvent(StrEnum):
    """The events of a reload."""

    UNREADABLE = "unreadable"  # the configuration has mistakes: nothing begins
    BEGUN = "begun"  # it was read, perhaps during another reload
    DONE = "done"  # it has taken effect in every pool
    FAILED = "failed"  # a worker of it could not start, or the master stops


TRANSITIONS: dict[tuple[ReloadState, ReloadEvent], ReloadState] = {
    **{(state, ReloadEvent.BEGUN): ReloadState.RUNNING for state in ReloadState},
    **{(state, ReloadEvent.UNREADABLE): ReloadState.FAILED for state in ReloadState},
    (ReloadState.RUNNING, ReloadEvent.UNREADABLE): ReloadState.RUNNING,  # the one before it goes on
    (ReloadState.RUNNING, ReloadEvent.DONE): ReloadState.DONE,
    (ReloadState.RUNNING, ReloadEvent.FAILED): ReloadState.FAILED,
}


def step(state: ReloadState, event: ReloadEvent) -> ReloadState:
    """Return the next state.

    :raises RuntimeError: the pair is not in the table.
    """
    if (state, event) not in TRANSITIONS:
        raise RuntimeError(f"a reload that is {state} can't be {event}")
    return TRANSITIONS[state, event]


class ReloadFailure(NamedTuple):
    """Why a reload has failed."""

    at: float
    """When: seconds since the epoch."""
    reason: str
    """In one line."""
    file: str
    """The file of the mistake; "": it is not known."""
    line: int
    """The line in it; 0: it is not known."""
    kept: int
    """How many workers it has left as they were."""

    def tell(self) -> ReloadFailureStatus:
        """Return it in types that JSON can hold."""
        return {"at": self.at, "reason": self.reason, "file": self.file, "line": self.line, "kept": self.kept}


class Reload:
    """How far the reload under way is, and how the last ones have ended."""

    def __init__(self, now: float) -> None:
        """Begin with none. What a master before this one has failed to read is no matter: this one has read it.

        :param now: seconds since the epoch.
        """
        self.state = ReloadState.NONE
        self.generation = 0
        """How many reloads have begun."""
        self.coming: dict[str, Configuration] = {}
        """The configurations that the reload under way leads to, by the names of their pools."""
        self.done_at = now
        """When the last one took effect, or the first configuration was read: seconds since the epoch."""
        self.failure: ReloadFailure | None = None
        """The last one that has failed, if none has succeeded since then."""
        self.error = ""
        """Why the last one has failed, in full."""
        self._failure_before: ReloadFailure | None = None
        """The failure that the success of the reload under way makes good."""

    @property
    def is_running(self) -> bool:
        """True until it has taken effect or failed."""
        return self.state is ReloadState.RUNNING

    def unreadable(self, failure: ReloadFailure, error: str) -> None:
        """Note that the configuration has mistakes. A reload that is under way goes on, and does not make that good."""
        self._step(ReloadEvent.UNREADABLE)
        self._note(failure, error if self.state is ReloadState.FAILED else "")

    def begin(self, coming: dict[str, Configuration]) -> None:
        """Lead to these configurations; a reload during a reload begins anew."""
        self._step(ReloadEvent.BEGUN)
        self.generation += 1
        self.coming, self.error = coming, ""
        self._failure_before = self.failure

    def done(self, now: float) -> dict[str, Configuration]:
        """Take effect.

        :param now: seconds since the epoch.
        :returns: the configurations to serve.
        """
        self._step(ReloadEvent.DONE)
        self.done_at = now
        if self.failure is self._failure_before:
            self.failure = None
        return self._end()

    def fail(self, failure: ReloadFailure, error: str) -> dict[str, Configuration]:
        """End without effect.

        :param error: the reason in full.
        :returns: the configurations that will not be served.
        """
        self._step(ReloadEvent.FAILED)
        self._note(failure, error)
        return self._end()

    def _note(self, failure: ReloadFailure, error: str) -> None:
        self.error = error
        self.failure = failure

    def _end(self) -> dict[str, Configuration]:
        coming, self.coming = self.coming, {}
        return coming

    def _step(self, event: ReloadEvent) -> None:
        self.state = step(self.state, event)
