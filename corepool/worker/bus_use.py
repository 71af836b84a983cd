"""The bus of a worker, made when it is first used; and the topics whose messages go to the hook `on_message`."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.scoreboard import Cell
from corepool.worker.guarded import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.hot.reactor import Reactor
    from corepool.ipc.messages import BusJoined, BusPeerGone, BusPeers, JoinBus
    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.plugins.chain import Chain
    from corepool.spec.bus import Listening
    from corepool.spec.worker import Worker
    from corepool.worker.bus import WorkerBus
    from corepool.worker.row import WorkerRow


class BusUse:
    """A worker's use of the bus: none, at first."""

    def __init__(self, make: Callable[[], WorkerBus], on_message: Callable[[bytes, bytes], None]) -> None:
        """Open nothing yet.

        :param make: makes the bus; called once, at its first use.
        :param on_message: calls the hook.
        """
        self._make = make
        self._on_message = on_message
        self._bus: WorkerBus | None = None
        self._lock = threading.Lock()
        """Threads may use the bus first, and at the same time."""
        self._topics: Counter[bytes] = Counter()
        """Of the hook: how often each was subscribed to."""
        self._listening: Listening | None = None

    @property
    def bus(self) -> WorkerBus:
        """The bus."""
        if self._bus is None:
            with self._lock:
                if self._bus is None:
                    self._bus = self._make()
        return self._bus

    def publish(self, topic: bytes | str, data: bytes | bytearray | memoryview | str) -> int:
        """Send a message, as `Bus.publish`."""
        return self.bus.publish(topic, data)

    def subscribe(self, topic: bytes | str) -> None:
        """Have the hook called with the messages of a topic, or of those that begin as a pattern does."""
        key, topics, prefixes = _pattern(topic)
        if self._listening is None:
            self._listening = self.bus.listen(self._on_message, topics, prefixes)
        else:
            self._listening.add(topics, prefixes)
        self._topics[key] += 1

    def unsubscribe(self, topic: bytes | str) -> None:
        """Undo one `subscribe`.

        :raises ValueError: there is none of that topic.
        """
        key, topics, prefixes = _pattern(topic)
        if not self._topics[key] or self._listening is None:
            raise ValueError(f"this worker is not subscribed to {topic!r}")
        self._topics[key] -= 1
        if not self._topics[key]:
            del self._topics[key]
            self._listening.remove(topics, prefixes)

    def heard(self, message: BusPeers | BusPeerGone | BusJoined, fds: Sequence[int]) -> None:
        """Take what the master says of others; owns the descriptors that came with it."""
        if self._bus is not None:
            self._bus.heard(message, fds)
        else:
            for fd in fds:
                release(fd)

    def end(self) -> None:
        """Have every subscription end."""
        if self._bus is not None:
            self._bus.end()

    def close(self) -> None:
        """Send the last messages, and end."""
        if self._bus is not None:
            self._bus.close()

    def abandon(self) -> None:
        """Refuse every use: this process was forked by code in the worker."""
        if self._bus is not None:
            self._bus.abandon()


def use_of(worker: Worker, reactor: Reactor, spawn: WorkerSpawn, row: WorkerRow, chains: Iterable[Chain]) -> BusUse:
    """Return the use of a worker process.

    :param row: shows its counts.
    :param chains: of the hooks.
    """
    hooks = [chain.on_message for chain in chains if chain.on_message is not None]

    def on_message(topic: bytes, data: bytes) -> None:
        for hook in hooks:
            guarded("on_message", hook, worker, topic, data)

    def say(message: JoinBus, fds: Sequence[int]) -> bool:
        try:
            spawn.channel.send(message, fds)
        except ChannelFullError:
            return False
        except PeerGoneError:
            pass  # the intake meets it, too
        return True

    def make() -> WorkerBus:
        from corepool.worker.bus import WorkerBus  # noqa: PLC0415  # most pools never need it

        bus = WorkerBus(worker.loop, reactor, lambda: spawn.scoreboard.bus_joins, say)
        row.count_by(
            lambda: {Cell.PUBLISHED: bus.published, Cell.DELIVERED: bus.delivered, Cell.LOST: bus.lost},
        )
        return bus

    return BusUse(make, on_message)


def _pattern(topic: bytes | str) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """Return a topic as bytes; and it, or the prefix that it is, as arguments of `Bus.listen`."""
    key = topic.encode() if isinstance(topic, str) else bytes(topic)
    return (key, (), (key[:-1],)) if key.endswith(b"*") else (key, (key,), ())
