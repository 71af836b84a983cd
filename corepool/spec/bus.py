"""The bus: messages between the workers of all pools of one master. docs/bus.md shows it.

A process is one worker, so code that runs in it finds its bus without being handed anything: `current_bus`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

MAX_TOPIC_BYTES = 4096
"""A longer topic is refused."""

MAX_MESSAGE_BYTES = 2**20
"""Of the data of one message; longer data is refused."""

MAX_QUEUED_MESSAGES = 100_000
"""Messages that a subscription keeps for its reader, unless it says otherwise; then the oldest is lost."""


class Message(NamedTuple):
    """One message, as a subscription gets it."""

    topic: bytes
    """Always bytes: a topic that was text is in UTF-8."""
    data: bytes
    lost: int = 0
    """How many messages of this subscription were lost just before this one."""


class Listening(Protocol):
    """A function that is called with messages, until `close`."""

    @property
    def is_active(self) -> bool:
        """True once every message that any worker publishes from now on comes here."""

    def when_active(self, call: Callable[[], None]) -> None:
        """Call `call` in the loop's thread as soon as `is_active`: at once, if it is already."""

    def add(self, topics: Iterable[bytes | str] = (), prefixes: Iterable[bytes | str] = ()) -> None:
        """Listen to more; arguments and errors as `Bus.listen`. Those that it listens to already change nothing."""

    def remove(self, topics: Iterable[bytes | str] = (), prefixes: Iterable[bytes | str] = ()) -> None:
        """Listen to less. Those that it does not listen to change nothing."""

    def close(self) -> None:
        """Call it no more. Idempotent."""


class Subscription(Protocol):
    """The messages of some topics, for `async for` in the worker's loop."""

    @property
    def lost(self) -> int:
        """How many it has lost since it was made: it had read too slowly, or its worker had."""

    async def ready(self) -> None:
        """Wait until every message that any worker publishes from now on comes here: a millisecond, and only once."""

    def close(self) -> None:
        """End it: `async for` ends when the messages that have come are read. Idempotent."""

    async def __aenter__(self) -> Self:
        """Wait until it is ready."""

    async def __aexit__(self, *error: object) -> None:
        """Close it."""

    def __aiter__(self) -> AsyncIterator[Message]:
        """Return itself."""

    async def __anext__(self) -> Message:
        """Wait for the next message."""


class ThreadSubscription(Protocol):
    """The messages of some topics, for a `for` in a thread."""

    @property
    def lost(self) -> int:
        """How many it has lost since it was made."""

    def get(self, timeout: float | None = None) -> Message | None:
        """Wait for the next message.

        :param timeout: seconds; None: as long as it takes.
        :returns: None: it is closed, or none has come in time.
        """

    def close(self) -> None:
        """End it, also for a thread that waits. Idempotent."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *error: object) -> None:
        """Close it."""

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages until it is closed."""


class Bus(Protocol):
    """The bus, as one worker sees it. Made at its first use; before that it costs nothing."""

    published: int
    """Messages that this worker has published."""
    delivered: int
    """Messages that were handed to subscriptions here: one that three subscriptions get counts three times."""
    lost: int
    """Messages for a subscriber that this worker has dropped: the subscriber has not kept up."""

    def publish(self, topic: bytes | str, data: bytes | bytearray | memoryview | str) -> int:
        """Send a message to every subscription of `topic`, in every worker. Never waits; from any thread.

        It leaves at the end of the batch of events, in one packet with others. Messages of one publisher on one topic
        arrive in their order, each once at most. A subscription that this worker makes later does not get it.

        :param data: 1 MiB at most; text is sent in UTF-8.
        :returns: how many messages, older ones first, had to be dropped since the queue of a subscriber that does not
            keep up was full. The subscriber is told. 0 from a thread other than the loop's; `lost` counts all.
        :raises ValueError: the topic is empty or longer than 4,096 bytes, or the data longer than 1 MiB.
        :raises RuntimeError: the worker has ended, or this is a process that was forked by code in it.
        """

    def subscribe(self, *topics: bytes | str, limit: int = MAX_QUEUED_MESSAGES) -> Subscription:
        """Receive the messages of some topics with `async for`. From the loop's thread.

        :param topics: those that end with `*` are prefixes: `news.*` is every topic that begins with `news.`.
        :param limit: how many messages wait for the reader; then the oldest is lost.
        :raises ValueError: there is no topic, or a topic that is empty or too long.
        :raises OSError: the system has no descriptor or memory to give.
        """

    def subscribe_in_thread(self, *topics: bytes | str, limit: int = MAX_QUEUED_MESSAGES) -> ThreadSubscription:
        """Receive the messages of some topics with `for`, in a thread other than the loop's. Returns once it is ready.

        Arguments and errors as `subscribe`.
        :raises RuntimeError: this is the loop's thread, which must not wait.
        """

    def listen(
        self,
        call: Callable[[bytes, bytes], object],
        topics: Iterable[bytes | str] = (),
        prefixes: Iterable[bytes | str] = (),
        on_lost: Callable[[int], object] | None = None,
    ) -> Listening:
        """Have `call` called with the topic and data of each message. From the loop's thread; without a queue.

        :param call: called in the loop's thread. An exception is logged, and costs that call.
        :param topics: as they are: `*` means itself.
        :param prefixes: of topics; an empty one is every topic.
        :param on_lost: called with a number when messages were lost on the way here.
        :raises ValueError: as `subscribe`.
        :raises OSError: as `subscribe`.
        """

    def lose(self, count: int, topics: Iterable[bytes | str] = (), prefixes: Iterable[bytes | str] = ()) -> None:
        """Have subscriptions, in all workers, told of messages that were lost on their way to this bus from another.

        Those that get any of the topics, or some that begin as a prefix does, are told of all. From the loop's thread.

        :raises ValueError: as `subscribe`.
        """

    def subscribers(self, topic: bytes | str) -> int:
        """Count the subscriptions, in all workers, that a message on `topic` would reach now; seldom one too many.
        From any thread.

        While this worker does not know all others yet, which is so for a millisecond after its first use of the bus, it
        counts those that it knows.
        """


class _Process:
    """The worker that this process is. The one state that is kept by a module: threads of hosted code have no other."""

    def __init__(self) -> None:
        self.pid = 0
        self.bus: Callable[[], Bus] | None = None


_PROCESS = _Process()


def set_current_bus(bus: Callable[[], Bus] | None) -> None:
    """Have `current_bus` return what `bus` returns, in this process and in no fork of it."""
    _PROCESS.pid, _PROCESS.bus = os.getpid(), bus


def current_bus() -> Bus:
    """Return the bus of the worker that this code runs in: for applications and servers that corepool serves.

    Runs in: the worker, in any thread, from the import of the application on.

    :raises RuntimeError: this is no worker.
    """
    if _PROCESS.bus is None or _PROCESS.pid != os.getpid():
        raise RuntimeError(
            "there is no bus here: this process is no worker of a pool. Call current_bus() in a worker, not in the "
            "master, in a program of its own, or in a process that code in a worker has forked"
        )
    return _PROCESS.bus()
