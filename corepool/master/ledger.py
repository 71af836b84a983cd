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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool.ipc.shapes import SocketIndex


class FaultyCountError(Exception):
    """A worker has acknowledged what it was not sent: its part of the scoreboard was written over."""


class Handoff:
    """An accepted connection on its way to a worker. Is not changed."""

    __slots__ = ("crash_slot", "fd", "frozen", "origin", "peer", "socket")

    def __init__(
        self,
        fd: int,
        socket: SocketIndex,
        peer: object,
        frozen: bytes | None = None,
        origin: int = 0,
        crash_slot: int = 0,
    ) -> None:
        self.fd = fd
        self.socket = socket
        """The bound socket that it came in by."""
        self.peer = peer
        """The peer's address as accept(2) gave it; None: not asked for yet."""
        self.frozen = frozen
        """Its state from the worker that had it before; None: it is new."""
        self.origin = origin
        """The pid of that worker."""
        self.crash_slot = crash_slot
        """Where it stands in shared memory, if it is to outlive a crash; 0: nowhere."""

    def at(self, crash_slot: int, frozen: bytes | None) -> Handoff:
        """Return the same connection with another crash slot and state."""
        return Handoff(self.fd, self.socket, self.peer, frozen, self.origin, crash_slot)


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
