"""Whole streams, for DUMP and RESTORE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import ENTRY_ID_BYTES, MAX_ID
from corepool_kv.redis.stream_dumps import ConsumerValue, GroupValue, StreamValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from corepool_kv.engine.streams import Entry, Stream

    Bounded = Callable[[Iterable[bytes]], Iterable[bytes]]
    """Yields parts until they are too many."""


def value_of(found: Stream, bounded: Bounded) -> StreamValue:
    """Return the content of a stream."""
    entries: list[Entry] = []
    for _ in bounded(_noted(found.entries(0, MAX_ID), entries)):
        pass
    groups = [_group_value(each, bounded) for each in Group.all(found)]
    return StreamValue(entries, found.last_id, found.max_deleted_id, found.added, groups)


def store_stream(found: Stream, value: StreamValue, expires_ms: int) -> None:
    """Fill a new stream."""
    for entry_id, fields in value.entries:
        found.add(entry_id, fields)
    found.last_id = value.last_id
    found.max_deleted_id = value.max_deleted_id
    found.added = len(value.entries) if value.added is None else value.added
    found.expires_ms = expires_ms
    found.save()
    for each in value.groups:
        read = found.distance(each.last_id) if value.added is None else each.read
        group = Group.create(found, each.name, each.last_id, read)
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


def _noted(found: Iterable[Entry], entries: list[Entry]) -> Iterator[bytes]:
    for entry in found:
        entries.append(entry)
        yield from entry[1]


def _group_value(group: Group, bounded: Bounded) -> GroupValue:
    deliveries: dict[int, tuple[int, int]] = {}
    owned: dict[bytes, list[int]] = {}

    def parts() -> Iterator[bytes]:
        for each in group.deliveries(0, MAX_ID):
            deliveries[each.id] = each.at_ms, each.times
            owned.setdefault(each.consumer.name, []).append(each.id)
            yield bytes(2 * ENTRY_ID_BYTES)

    for _ in bounded(parts()):
        pass
    consumers = [ConsumerValue(each.name, each.seen_ms, owned.get(each.name, [])) for each in group.all_consumers()]
    return GroupValue(group.name, group.last_id, group.read, deliveries, consumers)
