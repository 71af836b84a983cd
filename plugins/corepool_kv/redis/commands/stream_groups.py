"""XGROUP, XACK and XPENDING: groups of consumers, and the entries that they have not acknowledged."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import Stream
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.stream_words import (
    no_such_group,
    parse_edge,
    parse_high,
    parse_id,
    parse_low,
    show_id,
    show_name,
)
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import OK, Error, NullArray, gather

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.stream_groups import Delivery
    from corepool_kv.redis.replies import Reply

_NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)
_UNKNOWN_READ = -1


def create(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, text, *options = args
    makes, read = _parse_options(options, "CREATE")
    found = Stream.find(db, key)
    if found is None and not makes:
        raise Error(_NO_KEY)
    last_id = _parse_last(text, found) if text == b"$" else parse_id(text)
    if found is None:
        found = Stream.open(db, key)
        found.save()
    elif Group.find(found, name) is not None:
        raise Error("BUSYGROUP Consumer Group name already exists")
    db.check_length(len(name))
    Group.create(found, name, last_id, read, {each.number for each in Group.all(found)}).save()
    db.notify(b"xgroup-create", key)
    return OK


def setid(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, text, *options = args
    _, read = _parse_options(options, "SETID")
    group = _find(db, key, name)
    group.last_id = _parse_last(text, group.stream)
    group.read = read
    group.save()
    db.notify(b"xgroup-setid", key)
    return OK


def destroy(db: Keyspace, args: list[bytes]) -> Reply:
    found = _stream(db, args[0])
    group = Group.find(found, args[1])
    if group is None:
        return 0
    group.destroy()
    db.notify(b"xgroup-destroy", args[0])
    db.gain(args[0], found.type)  # consumers that wait are told
    return 1


def createconsumer(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, consumer = args
    group = _find(db, key, name)
    if group.consumer(consumer) is not None:
        return 0
    db.check_length(len(consumer))
    group.seen(consumer)
    group.save()
    return 1


def delconsumer(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, text = args
    group = _find(db, key, name)
    consumer = group.consumer(text)
    if consumer is None:
        return 0
    pending = group.remove_consumer(consumer)
    group.save()
    db.notify(b"xgroup-delconsumer", key)
    return pending


def xack(db: Keyspace, args: list[bytes]) -> Reply:
    found = Stream.find(db, args[0])
    group = None if found is None else Group.find(found, args[1])
    if group is None:
        return 0
    acknowledged = 0
    for entry_id in list(map(parse_id, args[2:])):
        delivery = group.delivery(entry_id)
        if delivery is not None:
            group.release(delivery)
            acknowledged += 1
    if acknowledged:
        group.save()
    return acknowledged


class _Range(NamedTuple):
    """The second form of XPENDING."""

    low: int
    high: int
    most: int
    idle_ms: int
    consumer: bytes | None


def xpending(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, *words = args
    wanted = _parse_range(words) if words else None
    found = Stream.find(db, key)
    group = None if found is None else Group.find(found, name)
    if group is None:
        raise no_such_group(key, name)
    if wanted is None:
        return _summary(db, group)
    consumer = None
    if wanted.consumer is not None:
        consumer = group.consumer(wanted.consumer)
        if consumer is None:
            return []
    deliveries = group.deliveries(wanted.low, wanted.high, consumer)
    idle = (each for each in deliveries if not wanted.idle_ms or db.now_ms - each.at_ms >= wanted.idle_ms)
    return gather((_word(db, each) for each in itertools.islice(idle, wanted.most)), db.limits.reply)


def _parse_options(options: list[bytes], subcommand: str) -> tuple[bool, int | None]:
    """Read whether the stream is made, and the number of entries read."""
    makes, read = False, _UNKNOWN_READ
    words = iter(options)
    for word in words:
        if word.upper() == b"MKSTREAM" and subcommand == "CREATE":
            makes = True
        elif word.upper() == b"ENTRIESREAD" and (text := next(words, None)) is not None:
            read = parse_integer(text)
            if read < _UNKNOWN_READ:
                raise Error("ERR value for ENTRIESREAD must be positive or -1")
        else:
            raise Error(f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try XGROUP HELP.")
    return makes, None if read == _UNKNOWN_READ else read


def _parse_last(text: bytes, found: Stream | None) -> int:
    if text == b"$":
        return 0 if found is None else found.last_id
    return parse_edge(text)


def _stream(db: Keyspace, key: bytes) -> Stream:
    found = Stream.find(db, key)
    if found is None:
        raise Error(_NO_KEY)
    return found


def _find(db: Keyspace, key: bytes, name: bytes) -> Group:
    group = Group.find(_stream(db, key), name)
    if group is None:
        raise no_group(key, name)
    return group


def no_group(key: bytes, name: bytes) -> Error:
    """Return the error for a group that a stream does not have."""
    return Error(f"NOGROUP No such consumer group '{show_name(name)}' for key name '{show_name(key)}'")


def _parse_range(words: list[bytes]) -> _Range:
    if not 3 <= len(words) <= 6:
        raise Error(SYNTAX)
    idle_ms = 0
    if words[0].upper() == b"IDLE":
        idle_ms = parse_integer(words[1])
        words = words[2:]
        if len(words) < 3:
            raise Error(SYNTAX)
    low, high, text, *rest = words
    count = max(0, parse_integer(text))
    return _Range(parse_low(low), parse_high(high), count, idle_ms, rest[0] if rest else None)


def _summary(db: Keyspace, group: Group) -> Reply:
    ends = group.ends()
    if ends is None:
        return [0, None, None, NullArray()]
    consumers = ([each.name, b"%d" % each.pending] for each in group.all_consumers() if each.pending)
    return [group.pending, *map(show_id, ends), gather(consumers, db.limits.reply)]


def _word(db: Keyspace, delivery: Delivery) -> Reply:
    idle_ms = max(0, db.now_ms - delivery.at_ms)
    return [show_id(delivery.id), delivery.consumer.name, idle_ms, delivery.times]
