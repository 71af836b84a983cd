"""Keyspace notifications: events of keys, published on channels as Redis names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.notifications import ON_EVENTS, ON_KEYS, parse_letters
from corepool_kv.redis.pubsub import MAX_MESSAGE_BYTES, MAX_NAME_BYTES

if TYPE_CHECKING:
    from corepool_kv.engine.notifications import Notifications
    from corepool_kv.redis.parameters import Parameters
    from corepool_kv.redis.pubsub import PubSub

_PARAMETER = "notify-keyspace-events"

_MAX_KEY_BYTES = MAX_NAME_BYTES - len(b"__keyspace@15__:")
"""The key of a longer name of a channel, to which a client can't subscribe."""


class KeyspaceChannels:
    """The channels of one listener. Implements `notifications.Listener`. Runs in: the loop's thread of a worker."""

    def __init__(self, parameters: Parameters, notifications: Notifications, pubsub: PubSub) -> None:
        """Publish what the setting names, as long as it does."""
        self._parameters = parameters
        self._notifications = notifications
        self._pubsub = pubsub
        parameters.on_change(self._choose)

    def close(self) -> None:
        """Publish nothing more."""
        self._notifications.choose(self, frozenset())

    def _choose(self) -> None:
        self._notifications.choose(self, parse_letters(self._parameters[_PARAMETER]) or frozenset())

    def tell(self, letters: frozenset[str], number: int, event: bytes, key: bytes) -> None:
        if ON_KEYS in letters and len(key) <= _MAX_KEY_BYTES:
            self._pubsub.publish(b"__keyspace@%d__:%b" % (number, key), event)
        if ON_EVENTS in letters and len(key) <= MAX_MESSAGE_BYTES:
            self._pubsub.publish(b"__keyevent@%d__:%b" % (number, event), key)
