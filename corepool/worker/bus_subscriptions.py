"""Subscriptions of the bus with a queue: for `async for` in the loop, and for `for` in a thread."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from corepool.spec.bus import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from corepool.spec.bus import Listening

_LOOK_S = 0.5
"""A thread that waits looks so often whether the worker has ended."""

MAX_QUEUE_BYTES = 32 * 2**20
"""Of the data that waits for one reader; beside the number of messages."""


class _Queue:
    """The messages that wait for a reader: when there are too many, the oldest are lost, and the next one says so.

    One thread puts, one takes: the deque needs no lock, and each number has one writer.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit: {limit!r} messages; a subscription keeps one at least")
        self._limit = limit
        self._messages: deque[Message] = deque()
        self._bytes_in = self._bytes_out = self._bytes_lost = 0
        self._unreported = 0
        """Messages lost on their way here, since the one that was put last."""
        self._skipped = self._skipped_reported = 0
        """Messages lost here, in all, and those of them that the reader was told of."""
        self.lost = 0

    def put(self, topic: bytes, data: bytes) -> None:
        self._messages.append(Message(topic, data, self._unreported))
        self._unreported = 0
        self._bytes_in += len(data)
        while len(self._messages) > self._limit or (
            self._bytes_in - self._bytes_out - self._bytes_lost > MAX_QUEUE_BYTES and len(self._messages) > 1
        ):
            try:
                oldest = self._messages.popleft()
            except IndexError:  # the reader was faster
                return
            self._bytes_lost += len(oldest.data)
            self._skipped += 1 + oldest.lost
            self.lost += 1

    def put_lost(self, count: int) -> None:
        self._unreported += count
        self.lost += count

    def take(self) -> Message:
        """Take the oldest message.

        :raises IndexError: there is none.
        """
        message = self._messages.popleft()
        self._bytes_out += len(message.data)
        skipped = self._skipped
        if skipped != self._skipped_reported:
            message = message._replace(lost=message.lost + skipped - self._skipped_reported)
            self._skipped_reported = skipped
        return message


class _Queued:
    """A subscription with a queue."""

    def __init__(self, limit: int) -> None:
        """Wait for `start`.

        :raises ValueError: `limit` is less than 1.
        """
        self._queue = _Queue(limit)
        self._listening: Listening | None = None
        self._is_over = False

    def start(self, listening: Listening) -> Self:
        """Take part from now on."""
        self._listening = listening
        return self

    @property
    def lost(self) -> int:
        return self._queue.lost

    def put_lost(self, count: int) -> None:
        """Have the reader told of messages that were lost on their way."""
        self._queue.put_lost(count)


class AsyncSubscription(_Queued):
    """Implements `corepool.Subscription`."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._waiters: deque[asyncio.Future[None]] = deque()

    def put(self, topic: bytes, data: bytes) -> None:
        """Have a message read."""
        self._queue.put(topic, data)
        if self._waiters:
            self._wake()

    async def ready(self) -> None:
        assert self._listening is not None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_active() -> None:
            if not future.done():
                future.set_result(None)

        self._listening.when_active(on_active)
        await future

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self.end()

    def end(self) -> None:
        """Let `async for` end once the messages that have come are read."""
        self._is_over = True
        self._wake()

    async def __aenter__(self) -> Self:
        await self.ready()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        while True:
            try:
                return self._queue.take()
            except IndexError:
                if self._is_over:
                    raise StopAsyncIteration from None
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)


class BlockingSubscription(_Queued):
    """Implements `corepool.ThreadSubscription`: the loop puts, a thread takes."""

    def __init__(self, limit: int, call_in_loop: Callable[[Callable[[], None]], None]) -> None:
        """Wait for `start`.

        :param call_in_loop: from any thread.
        :raises ValueError: `limit` is less than 1.
        """
        super().__init__(limit)
        self._call_in_loop = call_in_loop
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_waiting = False

    def put(self, topic: bytes, data: bytes) -> None:
        """Have a message read."""
        self._queue.put(topic, data)
        if self._is_waiting:
            self._wakeups.put(None)

    def get(self, timeout: float | None = None) -> Message | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # The reader says that it waits before it looks: the loop puts before it looks whether the reader waits.
            self._is_waiting = True
            try:
                message = self._queue.take()
            except IndexError:
                pass
            else:
                self._is_waiting = False
                return message
            if self._is_over:
                return None
            try:
                self._wakeups.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self._is_waiting = False
                return None

    def close(self) -> None:
        listening = self._listening
        if listening is not None:
            self._call_in_loop(listening.close)
        self.end()

    def end(self) -> None:
        """Let the reader end once the messages that have come are read."""
        self._is_over = True
        self._wakeups.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        while (message := self.get()) is not None:
            yield message


def start_from_thread(
    subscription: BlockingSubscription,
    listen: Callable[[], Listening],
    call_in_loop: Callable[[Callable[[], None]], None],
    has_ended: Callable[[], bool],
) -> BlockingSubscription:
    """Make a subscription listen, in the loop, and wait in this thread until it is active.

    Raises as `listen`.
    :raises RuntimeError: the worker has ended meanwhile, and with it the loop.
    """
    done = threading.Event()
    failed: list[Exception] = []

    def start() -> None:
        try:
            listening = listen()
        except Exception as error:  # noqa: BLE001  # raised in the thread that has asked
            failed.append(error)
            done.set()
        else:
            subscription.start(listening)
            listening.when_active(done.set)

    call_in_loop(start)
    while not done.wait(_LOOK_S):
        if has_ended():
            raise RuntimeError("this worker has ended, and so has its bus")
    if failed:
        raise failed[0]
    return subscription
