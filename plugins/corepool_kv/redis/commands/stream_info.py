"""XINFO: facts about a stream, its groups and their consumers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import MAX_ID, Stream
from corepool_kv.redis.commands.stream_groups import no_group
from corepool_kv.redis.commands.stream_words import show_id, word_entry
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.stream_groups import Consumer
    from corepool_kv.redis.replies import Reply

_COUNT = 10
_NODE_ENTRIES = 100
"""Entries of a node of Redis's tree: its number of nodes is told as if this were one."""


def stream(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    found = _find(db, key)
    facts: dict[bytes, Reply] = {
        b"length": len(found),
        b"radix-tree-keys": -(-len(found) // _NODE_ENTRIES),
        b"radix-tree-nodes": 1 + -(-len(found) // _NODE_ENTRIES),
        b"last-generated-id": show_id(found.last_id),
        b"max-deleted-entry-id": show_id(found.max_deleted_id),
        b"entries-added": found.added,
        b"recorded-first-entry-id": show_id(found.first_id),
    }
    if not options:
        facts[b"groups"] = len(Group.all(found))
        for name, reverse in ((b"first-entry", False), (b"last-entry", True)):
            facts[name] = next(map(word_entry, found.entries(0, MAX_ID, reverse=reverse)), None)
        return facts
    most = _parse_full(options)
    entries = itertools.islice(found.entries(0, MAX_ID), most)
    facts[b"entries"] = gather(map(word_entry, entries), db.limits.reply)
    facts[b"groups"] = gather((_whole_group(db, each, most) for each in Group.all(found)), db.limits.reply)
    return facts


def groups(db: Keyspace, args: list[bytes]) -> Reply:
    return gather(map(_group, Group.all(_find(db, args[0]))), db.limits.reply)


def consumers(db: Keyspace, args: list[bytes]) -> Reply:
    group = Group.find(_find(db, args[0]), args[1])
    if group is None:
        raise no_group(args[0], args[1])
    return gather((_consumer(db, each) for each in group.all_consumers()), db.limits.reply)


def _find(db: Keyspace, key: bytes) -> Stream:
    found = Stream.find(db, key)
    if found is None:
        raise Error("ERR no such key")
    return found


def _parse_full(options: list[bytes]) -> int | None:
    """Read the number of entries of each kind; None: all."""
    match [word.upper() for word in options[:2]], options[2:]:
        case [b"FULL"], []:
            return _COUNT
        case [b"FULL", b"COUNT"], [text]:
            count = parse_integer(text)
            return _COUNT if count < 0 else count or None
    raise Error("ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.")


def _group(group: Group) -> Reply:
    return {
        b"name": group.name,
        b"consumers": group.consumers,
        b"pending": group.pending,
        b"last-delivered-id": show_id(group.last_id),
        b"entries-read": group.read,
        b"lag": group.lag,
    }


def _consumer(db: Keyspace, consumer: Consumer) -> Reply:
    return {
        b"name": consumer.name,
        b"pending": consumer.pending,
        b"idle": max(0, db.now_ms - consumer.seen_ms),
    }


def _whole_group(db: Keyspace, group: Group, most: int | None) -> Reply:
    deliveries = itertools.islice(group.deliveries(0, MAX_ID), most)
    pending: Iterator[Reply] = ([show_id(each.id), each.consumer.name, each.at_ms, each.times] for each in deliveries)
    members = (_whole_consumer(db, group, each, most) for each in group.all_consumers())
    return {
        b"name": group.name,
        b"last-delivered-id": show_id(group.last_id),
        b"entries-read": group.read,
        b"lag": group.lag,
        b"pel-count": group.pending,
        b"pending": gather(pending, db.limits.reply),
        b"consumers": gather(members, db.limits.reply),
    }


def _whole_consumer(db: Keyspace, group: Group, consumer: Consumer, most: int | None) -> Reply:
    deliveries = itertools.islice(group.deliveries(0, MAX_ID, consumer), most)
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen_ms,
        b"pel-count": consumer.pending,
        b"pending": gather(([show_id(each.id), each.at_ms, each.times] for each in deliveries), db.limits.reply),
    }
