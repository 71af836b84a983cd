"""Unions, intersections and differences of sets: members are looked at one by one, and kept for a reply alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.sets import Set
from corepool_kv.redis.commands.lists import parse_keys
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_positive
from corepool_kv.redis.replies import Error, gather
from corepool_kv.redis.replies import Set as SetReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

    Operation = Callable[[list[Set | None]], Iterator[bytes]]


def sunion(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _union)


def sinter(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _intersection)


def sdiff(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, _difference)


def sunionstore(db: Keyspace, args: list[bytes]) -> Reply:
    return _store(db, args, _every, b"sunionstore")


def sinterstore(db: Keyspace, args: list[bytes]) -> Reply:
    return _store(db, args, _intersection, b"sinterstore")


def sdiffstore(db: Keyspace, args: list[bytes]) -> Reply:
    return _store(db, args, _difference, b"sdiffstore")


def sintercard(db: Keyspace, args: list[bytes]) -> Reply:
    keys, options = parse_keys(args, "ERR Number of keys can't be greater than number of args")
    limit = parse_limit(options)
    count = 0
    for _ in _intersection(_find(db, keys)):
        count += 1
        if count == limit:
            break
    return count


def parse_limit(options: list[bytes]) -> int:
    """Return the number of LIMIT, and 0 without it.

    :raises Error: these are other options.
    """
    limit = 0
    words = iter(options)
    for word in words:
        value = next(words, None)
        if word.upper() != b"LIMIT" or value is None:
            raise Error(SYNTAX)
        limit = parse_positive(value, "ERR LIMIT can't be negative")
    return limit


def _find(db: Keyspace, keys: list[bytes]) -> list[Set | None]:
    return [Set.look_up(db, key) for key in keys]


def _reply(db: Keyspace, keys: list[bytes], operation: Operation) -> Reply:
    return SetReply(gather(operation(_find(db, keys)), db.limits.reply))


def _store(db: Keyspace, args: list[bytes], operation: Operation, event: bytes) -> Reply:
    target, *keys = args
    db.check_key(target)
    members = operation(_find(db, keys))
    result = Set(db, target, None)
    for member in members:
        result.put(member, b"")
    result.replace(event)
    return len(result)


def _every(sets: list[Set | None]) -> Iterator[bytes]:
    """Yield the members of all, those of several sets several times."""
    return (member for each in sets if each is not None for member in each.members())


def _union(sets: list[Set | None]) -> Iterator[bytes]:
    # As large as the reply, which has a bound. To ask each set for each member would take the square of their number.
    seen: set[bytes] = set()
    for member in _every(sets):
        if member not in seen:
            seen.add(member)
            yield member


def _intersection(sets: list[Set | None]) -> Iterator[bytes]:
    there = [each for each in sets if each is not None]
    if len(there) < len(sets):
        return
    smallest, *others = sorted(there, key=len)
    for member in smallest.members():
        if all(member in other for other in others):
            yield member


def _difference(sets: list[Set | None]) -> Iterator[bytes]:
    first, *rest = sets
    if first is None:
        return
    others = [each for each in rest if each is not None]
    for member in first.members():
        if not any(member in other for other in others):
            yield member
