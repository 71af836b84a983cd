"""The rows of the table of commands for publish and subscribe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import pubsub
from corepool_kv.redis.entry import Command

if TYPE_CHECKING:
    from corepool_kv.redis.entry import OnBoth, OnSession


def _row(name: str, handler: OnSession, arity: int, flags: str, summary: str, on_both: OnBoth | None = None) -> Command:
    return Command(
        name.encode(),
        arity,
        frozenset(flags.split()),
        (0, 0, 0),
        "pubsub",
        "2.0.0",
        summary,
        on_session=handler,
        on_both=on_both,
    )


_SUBSCRIBES = "pubsub noscript loading stale"

ON_CHANNELS = (
    _row("psubscribe", pubsub.psubscribe, -2, _SUBSCRIBES, "Get the messages of all channels that match patterns."),
    _row(
        "publish",
        pubsub.publish,
        3,
        "pubsub loading stale fast",
        "Send a message to the subscribers of a channel.",
        pubsub.publish_behind,
    ),
    _row("punsubscribe", pubsub.punsubscribe, -1, _SUBSCRIBES, "End subscriptions to patterns, or to all."),
    _row("subscribe", pubsub.subscribe, -2, _SUBSCRIBES, "Get the messages of channels."),
    _row("unsubscribe", pubsub.unsubscribe, -1, _SUBSCRIBES, "End subscriptions to channels, or to all."),
)
