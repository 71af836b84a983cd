"""Commands on keys, whatever they hold, and on all of them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from corepool_kv.engine.collection import copied
from corepool_kv.redis.commands.scanning import SYNTAX, parse_cursor, parse_options
from corepool_kv.redis.glob import glob_of_names
from corepool_kv.redis.numbers import parse_database
from corepool_kv.redis.replies import OK, Error, gather
from corepool_kv.stores import HASH, LIST, SET, SORTED_SET, STREAM, STRING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Record

_TYPES = {
    STRING: b"string",
    HASH: b"hash",
    LIST: b"list",
    SET: b"set",
    SORTED_SET: b"zset",
    STREAM: b"stream",
}

_KEYS_AT_A_TIME = 1000
_SAME = "ERR source and destination objects are the same"
_RANDOM_TRIES = 100  # when nearly everything has expired and is not swept yet


def delete(db: Keyspace, args: list[bytes]) -> Reply:
    deleted = 0
    for key in args:
        if db.delete(key):
            db.notify(b"del", key)
            deleted += 1
    return deleted


def exists(db: Keyspace, args: list[bytes]) -> Reply:
    return sum(db.look_at(key) is not None for key in args)


def touch(db: Keyspace, args: list[bytes]) -> Reply:
    return sum(db.look_up(key) is not None for key in args)


def type_(db: Keyspace, args: list[bytes]) -> Reply:
    record = db.look_at(args[0])
    return "none" if record is None else _TYPES[record.type].decode()


def rename(db: Keyspace, args: list[bytes]) -> Reply:
    _move(db, args[0], args[1])
    return OK


def renamenx(db: Keyspace, args: list[bytes]) -> Reply:
    if db.find(args[0]) is None:
        raise Error("ERR no such key")
    if db.find(args[1]) is not None:
        return 0
    _move(db, args[0], args[1])
    return 1


def copy(db: Keyspace, args: list[bytes]) -> Reply:
    source, target, *options = args
    replace, other = False, db
    words = iter(options)
    for word in words:
        if word.upper() == b"REPLACE":
            replace = True
        elif word.upper() == b"DB" and (number := next(words, None)) is not None:
            other = db.select(parse_database(number))
        else:
            raise Error(SYNTAX)
    if source == target and other is db:
        raise Error(_SAME)
    record = db.look_up(source)
    if record is None or (not replace and other.find(target) is not None):
        return 0
    other.check_key(target)
    content = copied(db, record, other)
    other.delete(target)
    other.put_record(target, content)
    other.gain(target, record.type)
    other.notify(b"copy_to", target)
    return 1


def move(db: Keyspace, args: list[bytes]) -> Reply:
    key, number = args
    other = db.select(parse_database(number))
    if other is db:
        raise Error(_SAME)
    record = db.find(key)
    if record is None or other.find(key) is not None:
        return 0
    other.put_record(key, copied(db, record, other))
    other.gain(key, record.type)
    db.delete(key)
    db.notify(b"move_from", key)
    other.notify(b"move_to", key)
    return 1


def randomkey(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    for _ in range(_RANDOM_TRIES):
        key = db.view.random(random.random())  # noqa: S311  # no secret
        if key is None:
            return None
        if db.peek(key) is not None:
            return key
    return None


def keys(db: Keyspace, args: list[bytes]) -> Reply:
    glob = glob_of_names(args[0])
    found = (key for key in _every_key(db) if (glob is None or glob.matches(key)) and db.peek(key) is not None)
    return gather(found, db.limits.reply)


def scan(db: Keyspace, args: list[bytes]) -> Reply:
    begin = parse_cursor(args[0])
    options = parse_options(args[1:], takes_type=True)
    cursor, found = db.view.scan(begin, options.at_once)
    listed = [key for key in found if options.wants(key) and _is_of_type(db.peek(key), options.type)]
    return [b"%d" % cursor, listed]


def _is_of_type(record: Record | None, wanted: bytes | None) -> bool:
    return record is not None and (wanted is None or _TYPES[record.type] == wanted)


def dbsize(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    return db.view.count()


def flushdb(db: Keyspace, args: list[bytes]) -> Reply:
    _check_flush(args)
    db.clear()
    return OK


def flushall(db: Keyspace, args: list[bytes]) -> Reply:
    _check_flush(args)
    db.clear_all()
    return OK


def _check_flush(args: list[bytes]) -> None:
    if len(args) > 1 or (args and args[0].upper() not in (b"ASYNC", b"SYNC")):
        raise Error(SYNTAX)


def _move(db: Keyspace, source: bytes, target: bytes) -> None:
    record = db.find(source)
    if record is None:
        raise Error("ERR no such key")
    if source != target:
        db.check_key(target)
        db.delete(target)
        db.put_record(target, record)
        db.gain(target, record.type)
        db.detach(source)
        db.notify(b"rename_from", source)
        db.notify(b"rename_to", target)


def _every_key(db: Keyspace) -> Iterator[bytes]:
    cursor = 0
    while True:
        cursor, found = db.view.scan(cursor, _KEYS_AT_A_TIME)
        yield from found
        if not cursor:
            return
