"""The queues of a channel layer in one worker. They are bounded, and messages expire."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class _Queue(asyncio.Queue[tuple[float, bytes]]):
    """Messages of a channel, and when they expire."""

    def drop_expired(self) -> bool:
        """Drop those whose time has come; they are the oldest. True: there were any."""
        now, dropped = time.monotonic(), False
        while not self.empty() and self._queue[0][0] <= now:
            self.get_nowait()
            dropped = True
        return dropped

    def _init(self, maxsize: int) -> None:  # noqa: ARG002  # documented for subclasses
        self._queue: deque[tuple[float, bytes]] = deque()


class ChannelQueues:
    """A queue for each channel with messages or consumers. In the loop's thread, but for `length`."""

    def __init__(self, expiry_s: float, capacity: Callable[[str], int], on_expired: Callable[[str], None]) -> None:
        """Begin with none.

        :param capacity: returns the number of messages that a channel may hold.
        :param on_expired: told of each channel of which a message has expired.
        """
        self._expiry_s = expiry_s
        self._capacity = capacity
        self._on_expired = on_expired
        self._queues: dict[str, _Queue] = {}
        self._waiting: Counter[str] = Counter()
        self._sweep: asyncio.TimerHandle | None = None

    def length(self, channel: str) -> int:
        """Return the number of messages of a channel."""
        queue = self._queues.get(channel)
        return 0 if queue is None else queue.qsize()

    def is_wanted(self, channel: str) -> bool:
        """Return whether a consumer waits that no message is there for."""
        return self._waiting[channel] > self.length(channel)

    def has_spare(self, channel: str) -> bool:
        """Return whether there is a message that no consumer waits for."""
        return self.length(channel) > self._waiting[channel]

    def put(self, channel: str, data: bytes) -> bool:
        """Add a message; False: the channel is full."""
        if self.length(channel) >= self._capacity(channel):
            self._expire(channel)
            if self.length(channel) >= self._capacity(channel):
                return False
        self._queues.setdefault(channel, _Queue()).put_nowait((time.monotonic() + self._expiry_s, data))
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._expiry_s, self._expire_all)
        return True

    def pop(self, channel: str) -> bytes:
        """Remove the oldest message of a channel that has one, and return it."""
        _, data = self._queues[channel].get_nowait()
        self._tidy(channel)
        return data

    async def get(self, channel: str) -> bytes:
        """Wait for a message of a channel, and remove it. A call that is cancelled removes none."""
        self._expire(channel)
        queue = self._queues.setdefault(channel, _Queue())
        self._waiting[channel] += 1
        try:
            _, data = await queue.get()
        finally:
            self._waiting[channel] -= 1
            self._tidy(channel)
        return data

    def clear(self) -> None:
        """Drop all messages."""
        for channel in list(self._queues):
            while self.length(channel):
                self.pop(channel)

    def close(self) -> None:
        """Drop all messages, and end."""
        self.clear()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _expire_all(self) -> None:
        for channel in list(self._queues):
            self._expire(channel)
        has_messages = any(not queue.empty() for queue in self._queues.values())
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(self._expiry_s, self._expire_all) if has_messages else None

    def _expire(self, channel: str) -> None:
        queue = self._queues.get(channel)
        if queue is not None and queue.drop_expired():
            self._tidy(channel)
            self._on_expired(channel)

    def _tidy(self, channel: str) -> None:
        if not self._waiting[channel]:
            del self._waiting[channel]
            if not self.length(channel):
                self._queues.pop(channel, None)
