"""The channels and patterns of one client, and its messages."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.output_bound import OutputBound
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, SHARD, literal_beginning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool_kv.redis.output_bound import Output
    from corepool_kv.redis.pubsub import PubSub

_NAME_BYTES = 200
_CLASS_BYTES = 300


def memory_of_name(name: bytes) -> int:
    """Return about how many bytes a subscription takes.

    :param name: with its letter.
    """
    return _NAME_BYTES + len(name) + (_CLASS_BYTES * name.count(b"[") if name[:1] == PATTERN else 0)


class Subscriber(Protocol):
    """A session, as its subscriptions use it."""

    @property
    def conn(self) -> Output: ...

    @property
    def resp3(self) -> bool: ...


class Subscriptions:
    """Made at the first subscription of a client; closed with the last one, or with the client."""

    def __init__(self, pubsub: PubSub, session: Subscriber) -> None:
        """Subscribe to nothing yet."""
        self._pubsub = pubsub
        self._session = session
        self.channels: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}
        self.patterns: dict[bytes, Glob] = {}
        self._beginnings: Counter[bytes] = Counter()
        """The literal ones of the patterns."""
        self.bytes = 0
        """Memory that the names take."""
        self._bound = OutputBound(pubsub.log_slow)
        self._listening = pubsub.listen(self._on_message, self._on_lost)

    def counts(self) -> dict[bytes, int]:
        """Return the numbers of channels, patterns and shard channels."""
        return {CHANNEL: len(self.channels), PATTERN: len(self.patterns), SHARD: len(self.shards)}

    @property
    def is_empty(self) -> bool:
        """True if there is none."""
        return not (self.channels or self.patterns or self.shards)

    def names(self, kind: bytes) -> list[bytes]:
        """List the channels, patterns or shard channels."""
        return list(self._of_kind(kind))

    def has(self, name: bytes) -> bool:
        """Report whether the client has subscribed.

        :param name: with its letter.
        """
        return name[1:] in self._of_kind(name[:1])

    def close(self) -> None:
        """Unsubscribe from everything."""
        self._listening.close()
        for kind in (CHANNEL, PATTERN, SHARD):
            for name in self._of_kind(kind):
                self._pubsub.forget(kind + name)
            self._of_kind(kind).clear()

    def apply(self, changes: Mapping[bytes, bool]) -> None:
        """Have the client get other messages from now on. Runs in: the loop's thread.

        :param changes: whether it has subscribed to each name, with its letter.
        """
        for name, wanted in changes.items():
            if wanted != self.has(name):
                if wanted:
                    self._gain(name)
                else:
                    self._lose(name)

    def _of_kind(self, kind: bytes) -> dict[bytes, None] | dict[bytes, Glob]:
        if kind == PATTERN:
            return self.patterns
        return self.channels if kind == CHANNEL else self.shards

    def _gain(self, name: bytes) -> None:
        self._pubsub.gain(self._listening, name)  # first: the bus may refuse
        self.bytes += memory_of_name(name)
        if name[:1] == PATTERN:
            self.patterns[name[1:]] = Glob(name[1:])
            self._beginnings[literal_beginning(name[1:])] += 1
        elif name[:1] == CHANNEL:
            self.channels[name[1:]] = None
        else:
            self.shards[name[1:]] = None

    def _lose(self, name: bytes) -> None:
        self.bytes -= memory_of_name(name)
        del self._of_kind(name[:1])[name[1:]]
        beginning = None
        if name[:1] == PATTERN:
            beginning = literal_beginning(name[1:])
            self._beginnings[beginning] -= 1
            if self._beginnings[beginning]:
                beginning = None
            else:
                del self._beginnings[beginning]
        self._pubsub.lose(self._listening, name, beginning)

    def _on_message(self, kind: bytes, channel: bytes, message: bytes) -> None:
        encode = self._pubsub.encode
        conn, resp3 = self._session.conn, self._session.resp3
        if kind in (CHANNEL, SHARD):
            word = b"message" if kind == CHANNEL else b"smessage"
            conn.send(encode((word, channel), message, resp3=resp3))
        else:
            for pattern, glob in self.patterns.items():
                if glob.matches(channel):
                    conn.send(encode((b"pmessage", pattern, channel), message, resp3=resp3))
        self._bound.check(conn)

    def _on_lost(self, count: int) -> None:  # noqa: ARG002
        # This worker has not kept up. As one that Redis cuts, the client learns that it has missed something.
        self._bound.cut(self._session.conn)
