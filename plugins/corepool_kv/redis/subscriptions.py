"""The channels and patterns of one client, and its messages."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, check_name, literal_beginning
from corepool_kv.redis.replies import Error, Push

if TYPE_CHECKING:
    from corepool_kv.redis.pubsub import PubSub
    from corepool_kv.redis.replies import Reply

MAX_SUBSCRIPTIONS = 10_000
"""Channels and patterns of one client."""

_MAX_BYTES = 1 << 24
_NAME_BYTES = 200
_CLASS_BYTES = 300
"""Memory of one client's names, patterns and their classes."""

HARD_LIMIT_BYTES = 32 << 20
SOFT_LIMIT_BYTES = 8 << 20
SOFT_LIMIT_S = 60.0
"""Messages that wait for a client that does not read: more than the first, or more than the second for so long, end it.

The defaults of Redis (client-output-buffer-limit pubsub 32mb 8mb 60).
"""


class Output(Protocol):
    """A connection, as subscriptions use it."""

    @property
    def peer(self) -> object: ...

    @property
    def buffered(self) -> int: ...

    def send(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


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
        self.patterns: dict[bytes, Glob] = {}
        self._beginnings: Counter[bytes] = Counter()
        """The literal ones of the patterns."""
        self._bytes = 0
        self._over_since_s: float | None = None
        """When the output was found to be above the soft limit."""
        self._listening = pubsub.listen(self._on_message, self._on_lost)

    @property
    def count(self) -> int:
        """Channels and patterns."""
        return len(self.channels) + len(self.patterns)

    def close(self) -> None:
        """Unsubscribe from everything."""
        self._listening.close()
        for channel in self.channels:
            self._pubsub.forget(CHANNEL + channel)
        for pattern in self.patterns:
            self._pubsub.forget(PATTERN + pattern)
        self.channels.clear()
        self.patterns.clear()

    def subscribe(self, channel: bytes) -> Reply:
        """Subscribe to a channel; return the confirmation.

        :raises Error: there are too many of them.
        """
        if channel not in self.channels:
            self._grow(channel, 0)
            self.channels[channel] = None
            self._pubsub.gain(self._listening, CHANNEL + channel)
        return Push([b"subscribe", channel, self.count])

    def subscribe_to_pattern(self, pattern: bytes) -> Reply:
        """Subscribe to the channels that match a pattern; return the confirmation.

        :raises Error: there are too many of them.
        """
        if pattern not in self.patterns:
            self._grow(pattern, pattern.count(b"["))
            self.patterns[pattern] = Glob(pattern)
            self._beginnings[literal_beginning(pattern)] += 1
            self._pubsub.gain(self._listening, PATTERN + pattern)
        return Push([b"psubscribe", pattern, self.count])

    def unsubscribe(self, channel: bytes | None) -> Reply:
        """Get the messages of a channel no more; return the confirmation.

        :param channel: None: there is none.
        """
        if channel is not None and channel in self.channels:
            del self.channels[channel]
            self._bytes -= _NAME_BYTES + len(channel)
            self._pubsub.lose(self._listening, CHANNEL + channel)
        return Push([b"unsubscribe", channel, self.count])

    def unsubscribe_from_pattern(self, pattern: bytes | None) -> Reply:
        """Get the messages of a pattern no more; return the confirmation.

        :param pattern: None: there is none.
        """
        if pattern is not None and pattern in self.patterns:
            del self.patterns[pattern]
            self._bytes -= _NAME_BYTES + len(pattern) + _CLASS_BYTES * pattern.count(b"[")
            beginning = literal_beginning(pattern)
            self._beginnings[beginning] -= 1
            is_last = not self._beginnings[beginning]
            if is_last:
                del self._beginnings[beginning]
            self._pubsub.lose(self._listening, PATTERN + pattern, beginning if is_last else None)
        return Push([b"punsubscribe", pattern, self.count])

    def _grow(self, name: bytes, classes: int) -> None:
        check_name(name)
        size = self._bytes + _NAME_BYTES + len(name) + _CLASS_BYTES * classes
        if self.count >= MAX_SUBSCRIPTIONS:
            raise Error(f"ERR more than {MAX_SUBSCRIPTIONS} subscriptions")
        if size > _MAX_BYTES:
            raise Error(f"ERR more than {_MAX_BYTES} bytes of subscriptions")
        self._bytes = size

    def _on_message(self, kind: bytes, channel: bytes, message: bytes) -> None:
        encode = self._pubsub.encode
        conn, resp3 = self._session.conn, self._session.resp3
        if kind == CHANNEL:
            conn.send(encode((b"message", channel), message, resp3=resp3))
        else:
            for pattern, glob in self.patterns.items():
                if glob.matches(channel):
                    conn.send(encode((b"pmessage", pattern, channel), message, resp3=resp3))
        if conn.buffered > SOFT_LIMIT_BYTES:
            self._end_if_slow(conn.buffered)
        else:
            self._over_since_s = None

    def _end_if_slow(self, buffered: int) -> None:
        now = time.monotonic()
        if self._over_since_s is None:
            self._over_since_s = now
        if buffered > HARD_LIMIT_BYTES or now - self._over_since_s > SOFT_LIMIT_S:
            self._pubsub.log_slow(self._session.conn.peer, buffered)
            self._session.conn.abort()

    def _on_lost(self, count: int) -> None:  # noqa: ARG002
        # This worker has not kept up. As one that Redis cuts, the client learns that it has missed something.
        self._pubsub.log_slow(self._session.conn.peer, self._session.conn.buffered)
        self._session.conn.abort()
