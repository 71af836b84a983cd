"""Where each handed-over descriptor is: pure bookkeeping of one worker's channel.

A descriptor that was sent is the master's as well, until the worker acknowledges it: the scoreboard counts
the connections that the worker has taken, and the channel keeps order, so the oldest entries are the acknowledged
ones. Those left when the worker is gone were never taken, and are dispatched again.

Invariant: every handoff that goes in comes out exactly once, by `acknowledged` or by `unread`. Nothing here
closes a descriptor; the caller that takes a handoff out owns it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from corepool.ipc.shapes import SocketIndex


class FaultyCountError(Exception):
    """A worker has acknowledged what it was not sent: its part of the scoreboard was written over."""


class Handoff(NamedTuple):
    """An accepted connection on its way to a worker."""

    fd: int
    socket: SocketIndex
    """The bound socket that it came in by."""
    peer: object
    """The peer's address as accept(2) gave it; None: not asked for yet."""
    frozen: bytes | None = None
    """Its state from the worker that had it before; None: it is new."""
    origin: int = 0
    """The pid of that worker."""
    crash_slot: int = 0
    """Where it stands in shared memory, if it is to outlive a crash; 0: nowhere."""


class Ledger:
    """The connections in transit to one worker."""

    def __init__(self) -> None:
        self._in_flight: deque[Handoff] = deque()
        self.received = 0
        """How many the worker has acknowledged."""
        self.waiting_since = math.inf
        """Since when the worker has taken nothing although something waits; inf: nothing does."""

    def __len__(self) -> int:
        return len(self._in_flight)

    def sent(self, handoffs: list[Handoff], now: float) -> None:
        """Record a batch that is in the channel."""
        if not self._in_flight:
            self.waiting_since = now
        self._in_flight.extend(handoffs)

    def acknowledged(self, received: int, now: float) -> list[Handoff]:
        """Take out what the worker has taken.

        :param received: how many it has taken since it started, as the scoreboard says.
        :raises FaultyCountError: it claims more than it was sent, or less than before.
        """
        count = received - self.received
        if not count:
            return []
        if count > len(self._in_flight) or count < 0:
            raise FaultyCountError(
                f"acknowledged {received} handoffs after {self.received}, with {len(self._in_flight)} in flight"
            )
        self.received = received
        take = self._in_flight.popleft
        taken = [take() for _ in range(count)]
        self.waiting_since = now if self._in_flight else math.inf
        return taken

    def unread(self) -> list[Handoff]:
        """Take out everything else: the worker is gone, or will take nothing more."""
        unread = list(self._in_flight)
        self._in_flight.clear()
        self.waiting_since = math.inf
        return unread
