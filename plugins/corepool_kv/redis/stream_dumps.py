"""Streams in Redis's RDB format: listpacks of up to 100 entries, then the state, the groups, and their consumers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.streams import ENTRY_ID_BYTES, MAX_SEQUENCE, SEQUENCE_BITS
from corepool_kv.redis.dump_reader import DumpError, length_of
from corepool_kv.redis.listpacks import make_listpack, read_listpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.streams import Entry
    from corepool_kv.redis.dump_reader import Reader

LISTPACKS, LISTPACKS_WITH_COUNTERS = 15, 19
"""Types: that of Redis 5 and 6, and that of 7.0."""

_NODE_ENTRIES = 100
_DELETED, _SAME_FIELDS = 1, 2
_LARGEST, _UNKNOWN = (1 << 63) - 1, (1 << 64) - 1
_TIME_BYTES = 8


class ConsumerValue(NamedTuple):
    """A consumer, with the IDs of the entries that it has not acknowledged."""

    name: bytes
    seen_ms: int
    ids: list[int]


class GroupValue(NamedTuple):
    """A group."""

    name: bytes
    last_id: int
    read: int | None
    """Entries up to that one; None: that is unknown."""
    deliveries: dict[int, tuple[int, int]]
    """For each ID the time of the last delivery, and the number of deliveries."""
    consumers: list[ConsumerValue]


class StreamValue(NamedTuple):
    """A stream."""

    entries: list[Entry]
    last_id: int
    max_deleted_id: int
    added: int | None
    """Entries that were ever added; None: that is unknown, as are those that groups have read."""
    groups: list[GroupValue]


def dump_stream(value: StreamValue) -> bytes:
    """Serialize a stream."""
    nodes = [value.entries[at : at + _NODE_ENTRIES] for at in range(0, len(value.entries), _NODE_ENTRIES)]
    out = [length_of(len(nodes))]
    for node in nodes:
        packed = make_listpack(_items(node))
        out += [length_of(ENTRY_ID_BYTES), _raw(node[0][0]), length_of(len(packed)), packed]
    first_id = value.entries[0][0] if value.entries else 0
    out += [length_of(len(value.entries)), _id(value.last_id), _id(first_id), _id(value.max_deleted_id)]
    out += [length_of(value.added or 0), length_of(len(value.groups))]
    for group in value.groups:
        read = _UNKNOWN if group.read is None else group.read
        out += [_string(group.name), _id(group.last_id), length_of(read), length_of(len(group.deliveries))]
        for entry_id, (at_ms, times) in group.deliveries.items():
            out += [_raw(entry_id), _time(at_ms), length_of(times)]
        out.append(length_of(len(group.consumers)))
        for consumer in group.consumers:
            out += [_string(consumer.name), _time(consumer.seen_ms), length_of(len(consumer.ids))]
            out += map(_raw, consumer.ids)
    return b"".join(out)


def load_stream(reader: Reader, *, has_counters: bool) -> StreamValue:
    """Read a stream.

    :param has_counters: it is of LISTPACKS_WITH_COUNTERS.
    :raises DumpError: it is none.
    """
    entries: list[Entry] = []
    for _ in range(reader.length()):
        master = reader.string()
        if len(master) != ENTRY_ID_BYTES:
            raise DumpError
        entries += _entries(int.from_bytes(master), reader.bounded(read_listpack(reader.string())))
    ids = [entry_id for entry_id, _ in entries]
    if len(entries) != reader.length() or ids != sorted(set(ids)):
        raise DumpError
    last_id = _load_id(reader)
    max_deleted_id, added = 0, None
    if has_counters:
        _load_id(reader)  # the first one, which is known
        max_deleted_id, added = _load_id(reader), _load_count(reader)
    if ids and not 0 <= ids[0] <= ids[-1] <= last_id:
        raise DumpError
    groups = [_load_group(reader, has_counters=has_counters) for _ in range(reader.length())]
    if len({group.name for group in groups}) != len(groups):
        raise DumpError
    return StreamValue(entries, last_id, max_deleted_id, added, groups)


def _load_group(reader: Reader, *, has_counters: bool) -> GroupValue:
    name, last_id = reader.string(), _load_id(reader)
    read = _load_count(reader) if has_counters else None
    deliveries: dict[int, tuple[int, int]] = {}
    for _ in range(reader.length()):
        entry_id = int.from_bytes(reader.take(ENTRY_ID_BYTES))
        deliveries[entry_id] = _load_time(reader), _checked(reader.length())
    consumers = []
    for _ in range(reader.length()):
        consumer, seen_ms = reader.string(), _load_time(reader)
        ids = [int.from_bytes(reader.take(ENTRY_ID_BYTES)) for _ in range(reader.length())]
        consumers.append(ConsumerValue(consumer, seen_ms, ids))
    owned = [entry_id for consumer in consumers for entry_id in consumer.ids]
    if sorted(owned) != sorted(deliveries) or len({each.name for each in consumers}) != len(consumers):
        raise DumpError
    return GroupValue(name, last_id, read, deliveries, consumers)


def _items(node: list[Entry]) -> Iterator[bytes | int]:
    """Yield the elements of a listpack: the fields of the first entry, and then each entry beside that."""
    first_id, first = node[0]
    master = first[::2]
    head: list[bytes | int] = [len(node), 0, len(master), *master, 0]
    yield from head
    for entry_id, fields in node:
        is_same = fields[::2] == master
        yield _SAME_FIELDS if is_same else 0
        yield _signed((entry_id >> SEQUENCE_BITS) - (first_id >> SEQUENCE_BITS))
        yield _signed((entry_id & MAX_SEQUENCE) - (first_id & MAX_SEQUENCE))
        if is_same:
            yield from fields[1::2]
            yield 3 + len(master)
        else:
            yield len(fields) // 2
            yield from fields
            yield 4 + len(fields)


def _entries(first_id: int, items: list[bytes]) -> Iterator[Entry]:
    """Yield the entries of a listpack that are not marked as removed."""
    rest = iter(items)

    def number() -> int:
        return int(next(rest, b""))

    def words(count: int) -> list[bytes]:
        if count < 0:
            raise DumpError
        return list(itertools.islice(rest, count))

    count = number() + number()
    master = words(number())
    if number():
        raise DumpError
    for _ in range(count):
        flags, milliseconds, sequence = number(), number(), number()
        if flags & _SAME_FIELDS:
            pairs = zip(master, words(len(master)), strict=True)
            fields = [word for pair in pairs for word in pair]
        else:
            fields = words(2 * number())
        number()  # of elements of this entry
        entry_id = (first_id >> SEQUENCE_BITS) + milliseconds, (first_id & MAX_SEQUENCE) + sequence
        if not flags & _DELETED:
            yield (entry_id[0] & MAX_SEQUENCE) << SEQUENCE_BITS | entry_id[1] & MAX_SEQUENCE, fields
    if next(rest, None) is not None:
        raise DumpError


def _signed(difference: int) -> int:
    """Return a difference of unsigned numbers of 64 bits as a signed one, by which it is added again modulo 2**64."""
    return (difference - _LARGEST - 1 & MAX_SEQUENCE) - _LARGEST - 1


def _raw(entry_id: int) -> bytes:
    return entry_id.to_bytes(ENTRY_ID_BYTES)


def _id(entry_id: int) -> bytes:
    return length_of(entry_id >> SEQUENCE_BITS) + length_of(entry_id & MAX_SEQUENCE)


def _load_id(reader: Reader) -> int:
    return reader.length() << SEQUENCE_BITS | reader.length()


def _load_count(reader: Reader) -> int | None:
    """Read a number of entries; None: it is unknown."""
    count = reader.length()
    if _LARGEST < count < _UNKNOWN:
        raise DumpError
    return None if count == _UNKNOWN else count


def _string(text: bytes) -> bytes:
    return length_of(len(text)) + text


def _time(milliseconds: int) -> bytes:
    return milliseconds.to_bytes(_TIME_BYTES, "little")


def _load_time(reader: Reader) -> int:
    return _checked(int.from_bytes(reader.take(_TIME_BYTES), "little"))


def _checked(number: int) -> int:
    if number > _LARGEST:
        raise DumpError
    return number
