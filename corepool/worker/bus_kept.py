"""Messages of the bus that can't be sent or delivered yet. Does no I/O."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from corepool.worker.bus_topics import Listener

MAX_BYTES = 32 * 2**20

_OVERHEAD = 64
"""Bytes that a message counts beside its topic and data."""


_MAX_LOST_TOPICS = 256


class Losses(dict[bytes, int]):
    """How many messages were dropped, by topic: those of further topics together, as b""."""

    def count(self, topic: bytes, number: int = 1) -> None:
        """Count some more."""
        if topic not in self and len(self) >= _MAX_LOST_TOPICS:
            topic = b""
        self[topic] = self.get(topic, 0) + number

    def take(self) -> list[tuple[bytes, int]]:
        """Return them all, and begin anew."""
        taken = list(self.items())
        self.clear()
        return taken


class Kept(NamedTuple):
    """One of them, and the listeners in this worker that it is for."""

    topic: bytes
    data: bytes
    route: tuple[Listener, ...]

    @property
    def size(self) -> int:
        """Bytes that it counts."""
        return _OVERHEAD + len(self.topic) + len(self.data)


class KeptMessages:
    """They wait in their order; the oldest are dropped when there are too many."""

    def __init__(self) -> None:
        """Begin without any."""
        self._messages: deque[Kept] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    def add(self, topic: bytes, data: bytes, route: tuple[Listener, ...] = ()) -> list[Kept]:
        """Add a message, and return those that were dropped for it."""
        message = Kept(topic, data, route)
        self._messages.append(message)
        self._bytes += message.size
        dropped = []
        while self._bytes > MAX_BYTES:
            dropped.append(self.take())
        return dropped

    def take(self) -> Kept:
        """Take the oldest.

        :raises IndexError: there is none.
        """
        message = self._messages.popleft()
        self._bytes -= message.size
        return message
