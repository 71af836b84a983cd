"""Commands on keys, whatever they hold, and on all of them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.numbers import parse_int32, parse_integer
from corepool_kv.redis.replies import OK, Error, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

SYNTAX = "ERR syntax error"

_SCAN_COUNT = 10
_MAX_SCANNED = 10_000  # COUNT is a wish: the list is in memory, and no other client is served meanwhile
_KEYS_AT_A_TIME = 1000
_RANDOM_TRIES = 100  # when nearly everything has expired and is not swept yet


def delete(db: Keyspace, args: list[bytes]) -> Reply:
    return sum([db.delete(key) for key in args])


def exists(db: Keyspace, args: list[bytes]) -> Reply:
    return sum(db.find(key) is not None for key in args)


def type_(db: Keyspace, args: list[bytes]) -> Reply:
    return "none" if db.find(args[0]) is None else "string"


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
    replace = False
    words = iter(options)
    for word in words:
        if word.upper() == b"REPLACE":
            replace = True
        elif word.upper() == b"DB" and (number := next(words, None)) is not None:
            if parse_int32(number) != 0:
                raise Error("ERR DB index is out of range")
        else:
            raise Error(SYNTAX)
    if source == target:
        raise Error("ERR source and destination objects are the same")
    record = db.find(source)
    if record is None or (not replace and db.find(target) is not None):
        return 0
    db.rewrite(target, record.value, record)
    return 1


def randomkey(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    for _ in range(_RANDOM_TRIES):
        key = db.view.random(random.random())  # noqa: S311  # no secret
        if key is None:
            return None
        if db.find(key) is not None:
            return key
    return None


def keys(db: Keyspace, args: list[bytes]) -> Reply:
    glob = Glob(args[0])
    found = (key for key in _every_key(db) if glob.matches(key) and db.find(key) is not None)
    return gather(found, db.limits.reply)


def scan(db: Keyspace, args: list[bytes]) -> Reply:
    cursor_text, *options = args
    if not cursor_text.isdigit() or len(cursor_text) > 20:
        raise Error("ERR invalid cursor")
    count, glob, wanted_type = _SCAN_COUNT, None, b"string"
    if len(options) % 2:
        raise Error(SYNTAX)
    for option, value in zip(options[::2], options[1::2], strict=True):
        match option.upper():
            case b"COUNT":
                count = min(parse_integer(value), _MAX_SCANNED)
                if count < 1:
                    raise Error(SYNTAX)
            case b"MATCH":
                glob = Glob(value)
            case b"TYPE":
                wanted_type = value.lower()
            case _:
                raise Error(SYNTAX)
    cursor, found = db.view.scan(int(cursor_text), count)
    listed = [
        key
        for key in found
        if wanted_type == b"string" and (glob is None or glob.matches(key)) and db.find(key) is not None
    ]
    return [b"%d" % cursor, listed]


def dbsize(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    return db.view.count()


def flush(db: Keyspace, args: list[bytes]) -> Reply:
    if len(args) > 1 or (args and args[0].upper() not in (b"ASYNC", b"SYNC")):
        raise Error(SYNTAX)
    db.clear()
    return OK


def _move(db: Keyspace, source: bytes, target: bytes) -> None:
    record = db.find(source)
    if record is None:
        raise Error("ERR no such key")
    if source != target:
        db.rewrite(target, record.value, record)
        db.delete(source)


def _every_key(db: Keyspace) -> Iterator[bytes]:
    cursor = 0
    while True:
        cursor, found = db.view.scan(cursor, _KEYS_AT_A_TIME)
        yield from found
        if not cursor:
            return
