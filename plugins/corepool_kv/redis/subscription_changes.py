"""Changes of a client's subscriptions, and the replies to them, before anything happens.

The commands of a transaction may run in the thread of commits, which must not touch the bus, and may run more than
once. So they note what they change, and the loop's thread does it when the transaction is committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.pubsub import CHANNEL, PATTERN, SHARD, check_name
from corepool_kv.redis.replies import Error, Push
from corepool_kv.redis.subscriptions import memory_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from corepool_kv.redis.pubsub import PubSub
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.subscriptions import Subscriptions

MAX_SUBSCRIPTIONS = 10_000
"""Channels and patterns of one client."""

MAX_BYTES = 4 << 20
"""Memory of one client's names, patterns and their classes."""

_WORDS = {CHANNEL: b"subscribe", PATTERN: b"psubscribe", SHARD: b"ssubscribe"}
_ENDING_WORDS = {CHANNEL: b"unsubscribe", PATTERN: b"punsubscribe", SHARD: b"sunsubscribe"}


class SubscriptionChanges:
    """The channels and patterns that a client will have. Runs in: any thread."""

    def __init__(self, pubsub: PubSub, current: Subscriptions | None) -> None:
        """Begin with those that it has."""
        self._pubsub = pubsub
        self._current = current
        self._wanted: dict[bytes, bool] = {}
        self._count = dict.fromkeys(_WORDS, 0) if current is None else current.counts()
        self._bytes = 0 if current is None else current.bytes

    @property
    def wanted(self) -> Mapping[bytes, bool]:
        """Whether it will have each of the names, with their letters, that have changed."""
        return self._wanted

    def subscribe(self, kind: bytes, names: Sequence[bytes]) -> list[Reply]:
        """Subscribe to channels or patterns; return the confirmations, up to the first name that is refused."""
        return self._each(self._subscribe, kind, names)

    def unsubscribe(self, kind: bytes, names: Sequence[bytes]) -> list[Reply]:
        """Unsubscribe from channels or patterns, from all without names; return the confirmations."""
        if not names:
            names = self._names(kind)
        if not names:
            return [Push([_ENDING_WORDS[kind], None, self._told(kind)])]
        return self._each(self._unsubscribe, kind, names)

    def _each(self, call: Callable[[bytes, bytes], Reply], kind: bytes, names: Sequence[bytes]) -> list[Reply]:
        replies: list[Reply] = []
        try:
            replies.extend(call(kind, name) for name in names)  # keeps those before an exception
        except Error as error:
            replies.append(error)
        return replies

    def _subscribe(self, kind: bytes, name: bytes) -> Reply:
        key = kind + name
        if not self._has(key):
            check_name(name)
            size = self._bytes + memory_of_name(key)
            if sum(self._count.values()) >= MAX_SUBSCRIPTIONS:
                raise Error(f"ERR more than {MAX_SUBSCRIPTIONS} subscriptions")
            if size > MAX_BYTES:
                raise Error(f"ERR more than {MAX_BYTES} bytes of subscriptions")
            self._pubsub.check_room()
            self._bytes = size
            self._wanted[key] = True
            self._count[kind] += 1
        return Push([_WORDS[kind], name, self._told(kind)])

    def _unsubscribe(self, kind: bytes, name: bytes) -> Reply:
        key = kind + name
        if self._has(key):
            self._bytes -= memory_of_name(key)
            self._wanted[key] = False
            self._count[kind] -= 1
        return Push([_ENDING_WORDS[kind], name, self._told(kind)])

    def _has(self, key: bytes) -> bool:
        wanted = self._wanted.get(key)
        return self._current is not None and self._current.has(key) if wanted is None else wanted

    def _names(self, kind: bytes) -> list[bytes]:
        """List the channels, or the patterns."""
        before = [] if self._current is None else self._current.names(kind)
        kept = [name for name in before if self._wanted.get(kind + name, True)]
        known = set(kept)
        gained = [key[1:] for key, wanted in self._wanted.items() if wanted and key[:1] == kind]
        return kept + [name for name in gained if name not in known]

    def _told(self, kind: bytes) -> int:
        """Count as Redis does: channels and patterns together, shard channels by themselves."""
        return self._count[SHARD] if kind == SHARD else self._count[CHANNEL] + self._count[PATTERN]
