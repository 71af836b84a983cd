"""Whole streams, for DUMP and RESTORE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import ENTRY_ID_BYTES, MAX_ID
from corepool_kv.redis.stream_dumps import ConsumerValue, GroupValue, StreamValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from corepool_kv.engine.streams import Stream

    Bounded = Callable[[Iterable[bytes]], Iterable[bytes]]
    """Yields parts until they are too many."""


def value_of(found: Stream, bounded: Bounded) -> StreamValue:
    """Return the content of a stream."""
    value = StreamValue([], found.last_id, found.max_deleted_id, found.added, [])
    for _ in bounded(_noted(found, value)):
        pass
    return value


def store_stream(found: Stream, value: StreamValue, expires_ms: int) -> None:
    """Fill a new stream."""
    for entry_id, fields in value.entries:
        found.add(entry_id, fields)
    found.last_id = value.last_id
    found.max_deleted_id = value.max_deleted_id
    found.added = len(value.entries) if value.added is None else value.added
    found.expires_ms = expires_ms
    found.save()
    numbers: set[bytes] = set()
    for each in value.groups:
        read = found.distance(each.last_id) if value.added is None else each.read
        group = Group.create(found, each.name, each.last_id, read, numbers)
        for consumer_value in each.consumers:
            consumer = group.add_consumer(consumer_value.name)
            consumer.seen_ms = consumer_value.seen_ms
            for entry_id in consumer_value.ids:
                group.assign(entry_id, consumer, *each.deliveries[entry_id], None)
        group.save()


def parts_of(value: StreamValue) -> Iterator[bytes]:
    """Yield the strings of a stream."""
    for _, fields in value.entries:
        yield from fields
    for group in value.groups:
        yield group.name
        yield from (consumer.name for consumer in group.consumers)


def _noted(found: Stream, value: StreamValue) -> Iterator[bytes]:
    """Add the entries and groups of a stream to a value, and yield bytes of as many as each part of them takes."""
    for entry in found.entries(0, MAX_ID):
        value.entries.append(entry)
        yield from entry[1]
    for group in Group.all(found):
        deliveries: dict[int, tuple[int, int]] = {}
        consumers: list[ConsumerValue] = []
        value.groups.append(GroupValue(group.name, group.last_id, group.read, deliveries, consumers))
        yield group.name
        owned: dict[bytes, list[int]] = {}
        for each in group.deliveries(0, MAX_ID):
            deliveries[each.id] = each.at_ms, each.times
            owned.setdefault(each.consumer.name, []).append(each.id)
            yield bytes(2 * ENTRY_ID_BYTES)
        for consumer in group.all_consumers():
            consumers.append(ConsumerValue(consumer.name, consumer.seen_ms, owned.get(consumer.name, [])))
            yield consumer.name
