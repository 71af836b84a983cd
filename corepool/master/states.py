"""The states of a worker process, and every legal step between them. Pure.

The table is the source of truth: a pair that is not in it is a bug of ours.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a worker process is in its life; the value is what `status` shows."""

    STARTING = "starting"  # forked, not ready yet
    READY = "ready"  # takes connections
    DRAINING = "draining"  # takes none, finishes those it has
    STOPPING = "stopping"  # told or forced to end at once
    GONE = "gone"  # reaped


class Event(StrEnum):
    """The events in the life of a worker process."""

    BOOTED = "booted"  # it said READY
    RETIRED = "retired"  # the master told it to drain
    LEFT = "left"  # it drains (told, or by itself)
    KILLED = "killed"  # the master told it to stop at once, or sent it a signal that ends it
    EXITED = "exited"  # it was reaped


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.BOOTED): State.READY,
    (State.STARTING, Event.RETIRED): State.DRAINING,
    (State.STARTING, Event.KILLED): State.STOPPING,
    (State.STARTING, Event.EXITED): State.GONE,
    (State.READY, Event.RETIRED): State.DRAINING,
    (State.READY, Event.LEFT): State.DRAINING,
    (State.READY, Event.KILLED): State.STOPPING,
    (State.READY, Event.EXITED): State.GONE,
    # It may have become ready, or begun to leave, just before it was told to go.
    (State.DRAINING, Event.BOOTED): State.DRAINING,
    (State.DRAINING, Event.RETIRED): State.DRAINING,
    (State.DRAINING, Event.LEFT): State.DRAINING,
    (State.DRAINING, Event.KILLED): State.STOPPING,
    (State.DRAINING, Event.EXITED): State.GONE,
    (State.STOPPING, Event.BOOTED): State.STOPPING,
    (State.STOPPING, Event.RETIRED): State.STOPPING,
    (State.STOPPING, Event.LEFT): State.STOPPING,
    (State.STOPPING, Event.KILLED): State.STOPPING,
    (State.STOPPING, Event.EXITED): State.GONE,
}


def step(state: State, event: Event) -> State:
    """Return the state after `event`.

    :raises RuntimeError: the table has no such step.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RuntimeError(f"a worker that is {state} can't have {event}") from None
