"""Commands on one set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.sets import Set
from corepool_kv.redis.commands.scanning import SYNTAX, parse_cursor, parse_options
from corepool_kv.redis.numbers import LARGEST, parse_positive, parse_range
from corepool_kv.redis.replies import Error, check_number, gather
from corepool_kv.redis.replies import Set as SetReply

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply


def sadd(db: Keyspace, args: list[bytes]) -> Reply:
    for member in args[1:]:
        db.check_length(len(member))
    found = Set.open(db, args[0])
    added = sum([found.put(member, b"") for member in args[1:]])
    if added:
        found.save()
        found.tell(b"sadd")
    return added


def srem(db: Keyspace, args: list[bytes]) -> Reply:
    found = Set.find(db, args[0])
    if found is None:
        return 0
    removed = sum([found.remove(member) for member in args[1:]])
    if removed:
        found.save()
        found.tell(b"srem")
    return removed


def scard(db: Keyspace, args: list[bytes]) -> Reply:
    found = Set.look_up(db, args[0])
    return 0 if found is None else len(found)


def sismember(db: Keyspace, args: list[bytes]) -> Reply:
    found = Set.look_up(db, args[0])
    return int(found is not None and args[1] in found)


def smismember(db: Keyspace, args: list[bytes]) -> Reply:
    found = Set.look_up(db, args[0])
    return [int(found is not None and member in found) for member in args[1:]]


def smembers(db: Keyspace, args: list[bytes]) -> Reply:
    found = Set.look_up(db, args[0])
    return SetReply([] if found is None else gather(found.members(), db.limits.reply))


def smove(db: Keyspace, args: list[bytes]) -> Reply:
    source, target, member = args
    found = Set.find(db, source)
    if found is None:
        return 0
    other = found if source == target else Set.open(db, target)
    if other is found:
        return int(member in found)
    if not found.remove(member):
        return 0
    found.save()
    found.tell(b"srem")
    if other.put(member, b""):
        other.save()
        other.tell(b"sadd")
    return 1


def spop(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    if len(options) > 1:
        raise Error(SYNTAX)
    count = parse_positive(options[0]) if options else None
    found = Set.find(db, key)
    if found is None:
        return None if count is None else SetReply([])
    if count is None:
        member = found.choose()[0]
        found.remove(member)
        found.save()
        found.tell(b"spop")
        return member
    chosen = gather((member for member, _ in found.choose_distinct(count)), db.limits.reply)
    if len(chosen) == len(found):
        db.delete(key)
        found.count = 0
        found.tell(b"spop")
    elif chosen:
        for each in chosen:
            assert isinstance(each, bytes)
            found.remove(each)
        found.save()
        found.tell(b"spop")
    return SetReply(chosen)


def srandmember(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    if len(options) > 1:
        raise Error(SYNTAX)
    count = parse_range(options[0], -LARGEST, LARGEST) if options else None
    found = Set.look_up(db, key)
    if found is None:
        return None if count is None else []
    if count is None:
        return found.choose()[0]
    if count < 0:
        check_number(-count, db.limits.reply)
    chosen = found.choose_distinct(count) if count >= 0 else found.choose_many(-count)
    return gather((member for member, _ in chosen), db.limits.reply)


def sscan(db: Keyspace, args: list[bytes]) -> Reply:
    cursor = parse_cursor(args[1])
    found = Set.look_up(db, args[0])
    if found is None:
        return [b"0", []]
    scan = parse_options(args[2:])
    following, items = found.scan(cursor, scan.at_once)
    return [b"%d" % following, gather((member for member, _ in items if scan.wants(member)), db.limits.reply)]
