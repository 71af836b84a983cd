"""The subscriptions of one worker: which listener gets a message. Does no I/O."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Self

from corepool.spec.bus import MAX_TOPIC_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_SUBSCRIPTIONS = 2**20
"""Topics and prefixes of all listeners of a worker. Far above the need of any service: it bounds a leak."""

_MAX_ROUTES = 4096
"""Topics whose listeners are remembered."""


class Patterns(NamedTuple):
    """Topics, and prefixes of topics."""

    topics: frozenset[bytes]
    prefixes: frozenset[bytes]

    @classmethod
    def checked(cls, topics: Iterable[bytes | str], prefixes: Iterable[bytes | str]) -> Self:
        """Check both.

        :raises ValueError: a topic is empty, or one is too long.
        """
        return cls(frozenset(map(as_topic, topics)), frozenset(map(as_prefix, prefixes)))

    @classmethod
    def told(cls, topics: Iterable[bytes | str]) -> Self:
        """Sort topics from prefixes, which end with `*`.

        :raises ValueError: there is none, or one is empty or too long.
        """
        checked = frozenset(map(as_topic, topics))
        if not checked:
            raise ValueError("subscribe to a topic at least")
        stars = frozenset(each for each in checked if each.endswith(b"*"))
        return cls(checked - stars, frozenset(each[:-1] for each in stars))

    def beyond(self, listener: Listener) -> Self:
        """Return those that a listener does not have."""
        return type(self)(self.topics - listener.topics, self.prefixes - listener.prefixes)

    def within(self, listener: Listener) -> Self:
        """Return those that a listener has."""
        return type(self)(self.topics & listener.topics, self.prefixes & listener.prefixes)


class Listener:
    """A function, and the topics whose messages it gets: each once, also if several of its patterns match."""

    __slots__ = ("call", "is_open", "on_end", "on_lost", "prefixes", "topics")

    def __init__(
        self,
        call: Callable[[bytes, bytes], object],
        on_lost: Callable[[int], object] | None = None,
        on_end: Callable[[], object] | None = None,
    ) -> None:
        """Listen to nothing yet.

        :param on_lost: called with the number of messages that were lost on their way to it.
        :param on_end: called when the worker ends.
        """
        self.call = call
        self.on_lost = on_lost
        self.on_end = on_end
        self.topics: set[bytes] = set()
        self.prefixes: set[bytes] = set()
        self.is_open = True
        """False: it gets no more messages, also none of those that are on their way."""


class Topics:
    """The listeners, by their topics and prefixes."""

    def __init__(self) -> None:
        """Begin without any."""
        self._exact: dict[bytes, dict[Listener, None]] = {}
        self._prefixes: dict[bytes, dict[Listener, None]] = {}
        self._of_length: Counter[int] = Counter()
        """Prefixes by their length: all of them are never looked at, of which there may be very many."""
        self._lengths: list[int] = []
        """Those of the prefixes, the smallest first."""
        self._routes: dict[bytes, tuple[Listener, ...]] = {}
        self._count = 0

    def add(self, listener: Listener, patterns: Patterns) -> None:
        """Have a listener get the messages of some topics that it does not get yet.

        :raises RuntimeError: there are too many subscriptions.
        """
        count = len(patterns.topics) + len(patterns.prefixes)
        if self._count + count > MAX_SUBSCRIPTIONS:
            raise RuntimeError(f"this worker has {self._count} subscriptions; {MAX_SUBSCRIPTIONS} are allowed")
        self._count += count
        listener.topics |= patterns.topics
        listener.prefixes |= patterns.prefixes
        for topic in patterns.topics:
            self._exact.setdefault(topic, {})[listener] = None
        for prefix in patterns.prefixes:
            if prefix not in self._prefixes:
                self._count_length(len(prefix), 1)
            self._prefixes.setdefault(prefix, {})[listener] = None
        self._routes.clear()

    def remove(self, listener: Listener, patterns: Patterns) -> None:
        """Have a listener get the messages of some of its topics no more."""
        self._count -= len(patterns.topics) + len(patterns.prefixes)
        listener.topics -= patterns.topics
        listener.prefixes -= patterns.prefixes
        for some, table in ((patterns.topics, self._exact), (patterns.prefixes, self._prefixes)):
            for pattern in some:
                del table[pattern][listener]
                if not table[pattern]:
                    del table[pattern]
                    if table is self._prefixes:
                        self._count_length(len(pattern), -1)
        self._routes.clear()

    def listeners(self) -> list[Listener]:
        """List all."""
        tables = (*self._exact.values(), *self._prefixes.values())
        return list(dict.fromkeys(listener for listeners in tables for listener in listeners))

    def route(self, topic: bytes) -> tuple[Listener, ...]:
        """List the listeners that get a message on `topic`."""
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            route = self._routes[topic] = self.find(topic)
        return route

    def find(self, topic: bytes) -> tuple[Listener, ...]:
        """List them without the memory of former routes: in any thread, since it copies what others change."""
        found = dict(self._exact.get(topic, {}))
        for length in self._lengths:
            if length <= len(topic):
                found.update(self._prefixes.get(topic[:length], {}))
        return tuple(found)

    def overlapping(self, patterns: Patterns) -> list[Listener]:
        """List the listeners that get messages of some of these topics."""
        found: dict[Listener, None] = {}
        for topic in patterns.topics:
            found.update(dict.fromkeys(self.find(topic)))
        begins = tuple(patterns.prefixes)
        if begins:
            for topic, listeners in self._exact.items():
                if topic.startswith(begins):
                    found.update(listeners)
            for prefix, listeners in self._prefixes.items():
                if prefix.startswith(begins) or any(begin.startswith(prefix) for begin in begins):
                    found.update(listeners)
        return list(found)

    def _count_length(self, length: int, by: int) -> None:
        self._of_length[length] += by
        if self._of_length[length] == max(by, 0):  # the first prefix of it, or none is left
            self._of_length = +self._of_length
            self._lengths = sorted(self._of_length)


def as_topic(topic: bytes | str) -> bytes:
    """Check a topic.

    :raises ValueError: it is empty or too long.
    """
    checked = as_prefix(topic)
    if not checked:
        raise ValueError("a topic of the bus can't be empty")
    return checked


def as_prefix(prefix: bytes | str) -> bytes:
    """Check a prefix of topics, which may be empty.

    :raises ValueError: it is too long.
    """
    checked = prefix.encode() if isinstance(prefix, str) else bytes(prefix)
    if len(checked) > MAX_TOPIC_BYTES:
        raise ValueError(f"a topic of the bus has {MAX_TOPIC_BYTES} bytes at most, and not {len(checked)}")
    return checked
