"""The rows of the table of commands for publish and subscribe."""

from __future__ import annotations

from corepool_kv.redis.commands import pubsub
from corepool_kv.redis.entry import Command
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, SHARD

_SUBSCRIBES = "pubsub noscript loading stale"
_PUBLISHES = "pubsub loading stale fast"


def _row(name: str, arity: int, summary: str, kind: bytes, *, ends: bool = False) -> Command:
    command = pubsub.Subscribing(kind, ends=ends)
    return Command(
        name.encode(),
        arity,
        frozenset(_SUBSCRIBES.split()),
        (1, -1, 1) if kind == SHARD else (0, 0, 0),
        "pubsub",
        "7.0.0" if kind == SHARD else "2.0.0",
        summary,
        on_session=command.at_once,
        on_both=command.at_end,
    )


ON_CHANNELS = (
    _row("psubscribe", -2, "Get the messages of all channels that match patterns.", PATTERN),
    Command(
        b"publish",
        3,
        frozenset(_PUBLISHES.split()),
        (0, 0, 0),
        "pubsub",
        "2.0.0",
        "Send a message to the subscribers of a channel.",
        on_session=pubsub.publish,
        on_both=pubsub.publish_behind,
    ),
    _row("punsubscribe", -1, "End subscriptions to patterns, or to all.", PATTERN, ends=True),
    Command(
        b"spublish",
        3,
        frozenset(_PUBLISHES.split()),
        (1, 1, 1),
        "pubsub",
        "7.0.0",
        "Send a message to the subscribers of a shard channel.",
        on_session=pubsub.spublish,
        on_both=pubsub.spublish_behind,
    ),
    _row("ssubscribe", -2, "Get the messages of shard channels.", SHARD),
    _row("subscribe", -2, "Get the messages of channels.", CHANNEL),
    _row("sunsubscribe", -1, "End subscriptions to shard channels, or to all.", SHARD, ends=True),
    _row("unsubscribe", -1, "End subscriptions to channels, or to all.", CHANNEL, ends=True),
)
