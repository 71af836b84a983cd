"""Commands on hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.hashes import Hash
from corepool_kv.redis.commands.scanning import parse_cursor, parse_options
from corepool_kv.redis.numbers import (
    LARGEST,
    SMALLEST,
    add_floats,
    check_doubled,
    parse_float,
    parse_integer,
    parse_range,
)
from corepool_kv.redis.replies import OK, Error, Pairs, check_number, gather, gather_map

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

SYNTAX = "ERR syntax error"


def hset(db: Keyspace, args: list[bytes]) -> Reply:
    return _set(db, args, "hset")


def hmset(db: Keyspace, args: list[bytes]) -> Reply:
    _set(db, args, "hmset")
    return OK


def hsetnx(db: Keyspace, args: list[bytes]) -> Reply:
    key, field, value = args
    found = Hash.open(db, key)
    if field in found:
        return 0
    _put(db, found, field, value)
    found.save()
    found.tell(b"hset")
    return 1


def hget(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return None if found is None else found.get(args[1])


def hmget(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    if found is None:
        return [None] * (len(args) - 1)
    return gather((found.get(field) for field in args[1:]), db.limits.reply)


def hdel(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.find(db, args[0])
    if found is None:
        return 0
    removed = sum([found.remove(field) for field in args[1:]])
    if removed:
        found.save()
        found.tell(b"hdel")
    return removed


def hlen(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return 0 if found is None else len(found)


def hexists(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return int(found is not None and args[1] in found)


def hstrlen(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return 0 if found is None else len(found.get(args[1]) or b"")


def hgetall(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return {} if found is None else gather_map(found.items(), db.limits.reply)


def hkeys(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return [] if found is None else gather((field for field, _ in found.items()), db.limits.reply)


def hvals(db: Keyspace, args: list[bytes]) -> Reply:
    found = Hash.look_up(db, args[0])
    return [] if found is None else gather((value for _, value in found.items()), db.limits.reply)


def hincrby(db: Keyspace, args: list[bytes]) -> Reply:
    key, field, text = args
    amount = parse_integer(text)
    found = Hash.open(db, key)
    value = amount + parse_integer(_number(found, field), "ERR hash value is not an integer")
    if not SMALLEST <= value <= LARGEST:
        raise Error("ERR increment or decrement would overflow")
    _put(db, found, field, b"%d" % value)
    found.save()
    found.tell(b"hincrby")
    return value


def hincrbyfloat(db: Keyspace, args: list[bytes]) -> Reply:
    key, field, text = args
    amount = parse_float(text)
    if amount is None:
        raise Error("ERR value is NaN or Infinity")
    found = Hash.open(db, key)
    value = add_floats(parse_float(_number(found, field), "ERR hash value is not a float"), amount)
    _put(db, found, field, value)
    found.save()
    found.tell(b"hincrbyfloat")
    return value


def hrandfield(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    if not options:
        found = Hash.look_up(db, key)
        return None if found is None else found.choose()[0]
    count = parse_range(options[0], -LARGEST, LARGEST)
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHVALUES"):
        raise Error(SYNTAX)
    with_values = len(options) == 2
    check_doubled(count, doubled=with_values)
    found = Hash.look_up(db, key)
    if found is None:
        return []
    if count < 0:
        check_number(-count, db.limits.reply)
    chosen = found.choose_distinct(count) if count >= 0 else found.choose_many(-count)
    if with_values:
        return Pairs(chosen, db.limits.reply)
    return gather((field for field, _ in chosen), db.limits.reply)


def hscan(db: Keyspace, args: list[bytes]) -> Reply:
    cursor = parse_cursor(args[1])
    found = Hash.look_up(db, args[0])
    if found is None:
        return [b"0", []]
    scan = parse_options(args[2:])
    following, items = found.scan(cursor, scan.at_once)
    parts = (part for item in items if scan.wants(item[0]) for part in item)
    return [b"%d" % following, gather(parts, db.limits.reply)]


def _number(found: Hash, field: bytes) -> bytes:
    """Return the value of a field, and 0 if it does not exist."""
    value = found.get(field)
    return b"0" if value is None else value


def _put(db: Keyspace, found: Hash, field: bytes, value: bytes) -> None:
    db.check_length(len(field) + len(value))
    found.put(field, value)


def _set(db: Keyspace, args: list[bytes], command: str) -> int:
    if len(args) % 2 == 0:
        raise Error(f"ERR wrong number of arguments for '{command}' command")
    found = Hash.open(db, args[0])
    for at in range(1, len(args), 2):
        db.check_length(len(args[at]) + len(args[at + 1]))
    added = 0
    for at in range(1, len(args), 2):
        added += found.put(args[at], args[at + 1])
    found.save()
    found.tell(b"hset")
    return added
