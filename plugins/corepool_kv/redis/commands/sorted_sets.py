"""Commands on the members of one sorted set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.redis.commands.lists import parse_count_option, parse_keys
from corepool_kv.redis.commands.scanning import SYNTAX, parse_cursor, parse_options
from corepool_kv.redis.numbers import LARGEST, check_doubled, parse_double, parse_positive, parse_range
from corepool_kv.redis.replies import Error, NullArray, Pairs, check_number, format_double, gather, size_of, too_long

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

_NOT_A_NUMBER = "ERR resulting score is not a number (NaN)"
_ZADD_OPTIONS = (b"NX", b"XX", b"CH", b"INCR", b"GT", b"LT")


def zadd(db: Keyspace, args: list[bytes]) -> Reply:
    return _zadd(db, args, set())


def zincrby(db: Keyspace, args: list[bytes]) -> Reply:
    return _zadd(db, args, {b"INCR"})


def _zadd(db: Keyspace, args: list[bytes], options: set[bytes]) -> Reply:
    key, *rest = args
    while rest and rest[0].upper() in _ZADD_OPTIONS:
        options.add(rest.pop(0).upper())
    if not rest or len(rest) % 2:
        raise Error(SYNTAX)
    if options:
        _check_options(options, len(rest) // 2)
    pairs = [(rest[at + 1], parse_double(rest[at])) for at in range(0, len(rest), 2)]
    found = SortedSet.find(db, key) if b"XX" in options else SortedSet.open(db, key)
    if found is None:
        return None if b"INCR" in options else 0
    for member, _ in pairs:
        db.check_length(len(member) + 8)
    if b"INCR" in options:
        return _add(found, *pairs[0], options)
    before, changed = found.count, 0
    for member, score in pairs:
        changed += _set(found, member, score, found.score(member), options)
    if changed:
        found.save()
        found.tell(b"zadd")
    return changed if b"CH" in options else found.count - before


def _check_options(options: set[bytes], pairs: int) -> None:
    if {b"NX", b"XX"} <= options:
        raise Error("ERR XX and NX options at the same time are not compatible")
    if len(options & {b"GT", b"LT", b"NX"}) > 1:
        raise Error("ERR GT, LT, and/or NX options at the same time are not compatible")
    if b"INCR" in options and pairs > 1:
        raise Error("ERR INCR option supports a single increment-element pair")


def zrem(db: Keyspace, args: list[bytes]) -> Reply:
    found = SortedSet.find(db, args[0])
    if found is None:
        return 0
    removed = sum([found.remove(member) for member in args[1:]])
    if removed:
        found.save()
        found.tell(b"zrem")
    return removed


def zcard(db: Keyspace, args: list[bytes]) -> Reply:
    found = SortedSet.look_up(db, args[0])
    return 0 if found is None else len(found)


def zscore(db: Keyspace, args: list[bytes]) -> Reply:
    found = SortedSet.look_up(db, args[0])
    return None if found is None else found.score(args[1])


def zmscore(db: Keyspace, args: list[bytes]) -> Reply:
    found = SortedSet.look_up(db, args[0])
    return [None if found is None else found.score(member) for member in args[1:]]


def zrank(db: Keyspace, args: list[bytes]) -> Reply:
    return _rank(db, args, reverse=False)


def zrevrank(db: Keyspace, args: list[bytes]) -> Reply:
    return _rank(db, args, reverse=True)


def zpopmin(db: Keyspace, args: list[bytes]) -> Reply:
    return _pop(db, args, reverse=False)


def zpopmax(db: Keyspace, args: list[bytes]) -> Reply:
    return _pop(db, args, reverse=True)


def zmpop(db: Keyspace, args: list[bytes]) -> Reply:
    keys, rest = parse_keys(args)
    if not rest or rest[0].upper() not in (b"MIN", b"MAX"):
        raise Error(SYNTAX)
    count = parse_count_option(rest[1:])
    for key in keys:
        found = SortedSet.find(db, key)
        if found is not None:
            popped = pop_members(found, count, reverse=rest[0].upper() == b"MAX")
            return [key, [[member, score] for member, score in popped]]
    return NullArray()


def zrandmember(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    if not options:
        found = SortedSet.look_up(db, key)
        return None if found is None else found.choose()[0]
    count = parse_range(options[0], -LARGEST, LARGEST)
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHSCORES"):
        raise Error(SYNTAX)
    with_scores = len(options) == 2
    check_doubled(count, doubled=with_scores)
    found = SortedSet.look_up(db, key)
    if found is None:
        return []
    if count < 0:
        check_number(-count, db.limits.reply)
    chosen = found.choose_distinct(count) if count >= 0 else found.choose_many(-count)
    if with_scores:
        return Pairs(((member, found.score_of(value)) for member, value in chosen), db.limits.reply)
    return gather((member for member, _ in chosen), db.limits.reply)


def zscan(db: Keyspace, args: list[bytes]) -> Reply:
    cursor = parse_cursor(args[1])
    found = SortedSet.look_up(db, args[0])
    if found is None:
        return [b"0", []]
    scan = parse_options(args[2:])
    following, items = found.scan(cursor, scan.at_once)
    wanted = ((member, found.score_of(value)) for member, value in items if scan.wants(member))
    parts = (part for member, score in wanted for part in (member, format_double(score)))
    return [b"%d" % following, gather(parts, db.limits.reply)]


def pop_members(found: SortedSet, count: int, *, reverse: bool) -> list[tuple[bytes, float]]:
    """Remove and return the members with the smallest or the largest scores.

    :raises Error: they would be longer than a reply may be; then none is removed.
    """
    popped: list[tuple[bytes, float]] = []
    left = found.db.limits.reply
    for each in found.by_rank(0, min(count, len(found)), reverse=reverse):
        left -= size_of(each)
        if left < 0:
            raise too_long(found.db.limits.reply)
        popped.append(each)
    found.remove_all(popped)
    found.tell(b"zpopmax" if reverse else b"zpopmin")
    return popped


def _set(found: SortedSet, member: bytes, score: float, before: float | None, options: set[bytes]) -> bool:
    """Set a score if the options allow it; return True if that changed anything."""
    if before is None:
        if b"XX" in options:
            return False
    elif not _may_replace(before, score, options) or score == before:
        return False
    found.add(member, score, before)
    return True


def _may_replace(before: float, score: float, options: set[bytes]) -> bool:
    return not (b"NX" in options or (b"GT" in options and score <= before) or (b"LT" in options and score >= before))


def _add(found: SortedSet, member: bytes, amount: float, options: set[bytes]) -> Reply:
    """Add to a score, and return the new one; None if the options don't allow it."""
    before = found.score(member)
    score = amount + (before or 0.0)
    if before is None and b"XX" in options:
        return None
    if before is not None and b"NX" in options:
        return None
    if math.isnan(score):
        raise Error(_NOT_A_NUMBER)
    if before is not None and not _may_replace(before, score, options):
        return None
    if _set(found, member, score, before, options):
        found.save()
        found.tell(b"zincr")
    return score


def _rank(db: Keyspace, args: list[bytes], *, reverse: bool) -> Reply:
    found = SortedSet.look_up(db, args[0])
    score = None if found is None else found.score(args[1])
    if found is None or score is None:
        return None
    rank = found.rank(args[1], score)
    return len(found) - 1 - rank if reverse else rank


def _pop(db: Keyspace, args: list[bytes], *, reverse: bool) -> Reply:
    if len(args) > 2:
        raise Error(SYNTAX)
    count = parse_positive(args[1]) if len(args) == 2 else None
    found = SortedSet.find(db, args[0])
    if found is None or count == 0:
        return []
    popped = pop_members(found, 1 if count is None else count, reverse=reverse)
    if count is None:
        return list(popped[0])
    return Pairs(popped, db.limits.reply)
