"""Ranges of sorted sets: by rank, score or bytes; read, stored, counted and removed."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.sorted_sets import LexRange, ScoreRange, SortedSet
from corepool_kv.redis.commands.lists import bounds
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_integer, read_double
from corepool_kv.redis.replies import Error, Pairs, gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

    Members = Iterator[tuple[bytes, float]]
    Find = Callable[[SortedSet], Members]

_RANK, _SCORE, _LEX = "rank", "score", "lex"


class _Query(NamedTuple):
    """A range, as the options of a command tell it."""

    find: Find
    with_scores: bool


def zrange(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args)


def zrevrange(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _RANK, reverse=True)


def zrangebyscore(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _SCORE, reverse=False)


def zrevrangebyscore(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _SCORE, reverse=True)


def zrangebylex(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _LEX, reverse=False)


def zrevrangebylex(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _LEX, reverse=True)


def zrangestore(db: Keyspace, args: list[bytes]) -> Reply:
    target, key, low, high, *options = args
    query = _parse(low, high, options, "", reverse=None, stores=True)
    db.check_key(target)
    found = SortedSet.look_up(db, key)
    return store(db, target, iter(()) if found is None else query.find(found), b"zrangestore")


def zcount(db: Keyspace, args: list[bytes]) -> Reply:
    scores = _parse_scores(args[1], args[2])
    found = SortedSet.look_up(db, args[0])
    return 0 if found is None else found.count_by_score(scores)


def zlexcount(db: Keyspace, args: list[bytes]) -> Reply:
    members = _parse_members(args[1], args[2])
    found = SortedSet.look_up(db, args[0])
    return 0 if found is None else sum(1 for _ in found.by_lex(members))


def zremrangebyrank(db: Keyspace, args: list[bytes]) -> Reply:
    start, stop = parse_integer(args[1]), parse_integer(args[2])
    found = SortedSet.find(db, args[0])
    if found is None:
        return 0
    return _remove(found, found.by_rank(*bounds(start, stop, len(found))), b"zremrangebyrank")


def zremrangebyscore(db: Keyspace, args: list[bytes]) -> Reply:
    scores = _parse_scores(args[1], args[2])
    found = SortedSet.find(db, args[0])
    return 0 if found is None else _remove(found, found.by_score(scores), b"zremrangebyscore")


def zremrangebylex(db: Keyspace, args: list[bytes]) -> Reply:
    members = _parse_members(args[1], args[2])
    found = SortedSet.find(db, args[0])
    return 0 if found is None else _remove(found, found.by_lex(members), b"zremrangebylex")


def store(db: Keyspace, target: bytes, members: Members, event: bytes) -> int:
    """Store members in the place of a key, and return their number.

    :param event: what clients are told of it.
    """
    result = SortedSet(db, target, None)
    for member, score in members:
        result.add(member, score, result.score(member))
    result.replace(event)
    return result.count


def _remove(found: SortedSet, members: Members, event: bytes) -> int:
    removed = found.remove_all(members)
    if removed:
        found.tell(event)
    return removed


def _reply(db: Keyspace, args: list[bytes], kind: str = "", *, reverse: bool | None = None) -> Reply:
    key, low, high, *options = args
    query = _parse(low, high, options, kind, reverse=reverse)
    found = SortedSet.look_up(db, key)
    if found is None:
        return []
    members = query.find(found)
    if query.with_scores:
        return Pairs(members, db.limits.reply)
    return gather((member for member, _ in members), db.limits.reply)


def _parse(
    low: bytes, high: bytes, options: list[bytes], kind: str, *, reverse: bool | None, stores: bool = False
) -> _Query:
    """Read the range and the options behind it.

    :param kind: that of the command; empty: the options choose it.
    :param reverse: the direction of the command; None: the options choose it.
    """
    offset, limit = 0, -1
    with_scores = False
    words = iter(options)
    left = len(options)
    for word in words:
        option = word.upper()
        left -= 1
        if option == b"WITHSCORES" and not stores:
            with_scores = True
        elif option == b"LIMIT" and left >= 2:
            offset, limit = parse_integer(next(words)), parse_integer(next(words))
            left -= 2
        elif option == b"REV" and reverse is None:
            reverse = True
        elif option == b"BYLEX" and not kind:
            kind = _LEX
        elif option == b"BYSCORE" and not kind:
            kind = _SCORE
        else:
            raise Error(SYNTAX)
    if limit != -1 and kind in ("", _RANK):
        raise Error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if with_scores and kind == _LEX:
        raise Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    return _Query(_finder(low, high, kind, offset, limit, reverse=bool(reverse)), with_scores)


def _finder(low: bytes, high: bytes, kind: str, offset: int, limit: int, *, reverse: bool) -> Find:
    if kind in ("", _RANK):
        start, stop = parse_integer(low), parse_integer(high)
        return lambda found: found.by_rank(*bounds(start, stop, len(found)), reverse=reverse)
    if reverse:
        low, high = high, low

    def part(members: Members, count: int) -> Members:
        begin = count if offset < 0 else min(offset, count)
        return itertools.islice(members, begin, None if limit < 0 else min(begin + limit, begin + count))

    if kind == _SCORE:
        scores = _parse_scores(low, high)
        return lambda found: part(found.by_score(scores, reverse=reverse), len(found))
    members = _parse_members(low, high)
    return lambda found: part(found.by_lex(members, reverse=reverse), len(found))


def _parse_scores(low: bytes, high: bytes) -> ScoreRange:
    return ScoreRange(
        _parse_score(low), _parse_score(high), excludes_low=low[:1] == b"(", excludes_high=high[:1] == b"("
    )


def _parse_score(text: bytes) -> float:
    """Read a bound as strtod(3) does: to the first NUL, behind white space; nothing is 0."""
    text = text.removeprefix(b"(").partition(b"\0")[0]
    if not text:
        return 0.0
    score = read_double(text.lstrip(b" \t\n\v\f\r"))
    if score is None or math.isnan(score):
        raise Error("ERR min or max is not a float")
    return score


def _parse_members(low: bytes, high: bytes) -> LexRange:
    bounds_of = []
    for text in (low, high):
        if text not in (b"+", b"-") and text[:1] not in (b"(", b"["):
            raise Error("ERR min or max not valid string range item")
        bounds_of.append(None if text in (b"+", b"-") else text[1:])
    return LexRange(
        *bounds_of,
        excludes_low=low[:1] == b"(",
        excludes_high=high[:1] == b"(",
        is_empty=low == b"+" or high == b"-",
    )
