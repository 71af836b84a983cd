"""Unions, intersections and differences of sorted sets, and of sets, whose members have the score 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from corepool_kv.engine.sets import Set
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.sorted_ranges import store
from corepool_kv.redis.numbers import parse_double, parse_integer, parse_positive
from corepool_kv.redis.replies import Error, Pairs, gather
from corepool_kv.stores import SET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

    Aggregate = Callable[[float, float], float]


class _Source:
    """A set or a sorted set, with its weight."""

    def __init__(self, found: Set | SortedSet | None) -> None:
        self._found = found
        self.weight = 1.0

    def __len__(self) -> int:
        return 0 if self._found is None else len(self._found)

    def score(self, member: bytes) -> float | None:
        """Return the weighted score of a member; None: there is no such member."""
        if isinstance(self._found, SortedSet):
            score = self._found.score(member)
            return None if score is None else self._weighted(score)
        return self._weighted(1.0) if self._found is not None and member in self._found else None

    def members(self) -> Iterator[tuple[bytes, float]]:
        """Yield members with their weighted scores."""
        if isinstance(self._found, SortedSet):
            for member, score in self._found.members():
                yield member, self._weighted(score)
        elif self._found is not None:
            for member in self._found.members():
                yield member, self._weighted(1.0)

    def _weighted(self, score: float) -> float:
        product = self.weight * score
        return 0.0 if math.isnan(product) else product


def zunion(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, "zunion")


def zinter(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, "zinter")


def zdiff(db: Keyspace, args: list[bytes]) -> Reply:
    return _reply(db, args, "zdiff")


def zunionstore(db: Keyspace, args: list[bytes]) -> Reply:
    return _store(db, args, "zunionstore")


def zinterstore(db: Keyspace, args: list[bytes]) -> Reply:
    return _store(db, args, "zinterstore")


def zdiffstore(db: Keyspace, args: list[bytes]) -> Reply:
    return _store(db, args, "zdiffstore")


def zintercard(db: Keyspace, args: list[bytes]) -> Reply:
    sources, options = _parse_sources(db, args, "zintercard")
    limit = 0
    words = iter(options)
    for word in words:
        value = next(words, None)
        if word.upper() != b"LIMIT" or value is None:
            raise Error(SYNTAX)
        limit = parse_positive(value, "ERR LIMIT can't be negative")
    smallest, *others = sorted(sources, key=len)
    count = 0
    for member, _ in smallest.members():
        if all(other.score(member) is not None for other in others):
            count += 1
            if count == limit:
                break
    return count


def _reply(db: Keyspace, args: list[bytes], command: str) -> Reply:
    scores, with_scores = _compute(db, args, command, may_have_scores=True)
    members = sorted(scores.items(), key=lambda item: (item[1], item[0]))
    if with_scores:
        return Pairs(members, db.limits.reply)
    return gather((member for member, _ in members), db.limits.reply)


def _store(db: Keyspace, args: list[bytes], command: str) -> Reply:
    scores, _ = _compute(db, args[1:], command, may_have_scores=False)
    db.check_key(args[0])
    return store(db, args[0], iter(scores.items()), command.encode())


def _compute(
    db: Keyspace, args: list[bytes], command: str, *, may_have_scores: bool
) -> tuple[dict[bytes, float], bool]:
    sources, options = _parse_sources(db, args, command)
    aggregate: Aggregate = _sum
    with_scores = False
    at = 0
    while at < len(options):
        option, left = options[at].upper(), len(options) - at
        if option == b"WEIGHTS" and left > len(sources) and "diff" not in command:
            for source, text in zip(sources, options[at + 1 :], strict=False):
                source.weight = parse_double(text, "ERR weight value is not a float")
            at += len(sources) + 1
        elif option == b"AGGREGATE" and left >= 2 and "diff" not in command:
            chosen = _AGGREGATES.get(options[at + 1].upper())
            if chosen is None:
                raise Error(SYNTAX)
            aggregate = chosen
            at += 2
        elif option == b"WITHSCORES" and may_have_scores:
            with_scores = True
            at += 1
        else:
            raise Error(SYNTAX)
    if "union" in command:
        return _union(sources, aggregate), with_scores
    if "inter" in command:
        return _intersection(sources, aggregate), with_scores
    return _difference(sources), with_scores


def _parse_sources(db: Keyspace, args: list[bytes], command: str) -> tuple[list[_Source], list[bytes]]:
    number = parse_integer(args[0])
    if number < 1:
        raise Error(f"ERR at least 1 input key is needed for '{command}' command")
    if number >= len(args):
        raise Error(SYNTAX)
    return [_Source(_find(db, key)) for key in args[1 : number + 1]], args[number + 1 :]


def _find(db: Keyspace, key: bytes) -> Set | SortedSet | None:
    record = db.look_up(key)
    return Set.find(db, key) if record is not None and record.type == SET else SortedSet.find(db, key)


def _union(sources: list[_Source], aggregate: Aggregate) -> dict[bytes, float]:
    scores: dict[bytes, float] = {}
    for source in sorted(sources, key=len):
        for member, score in source.members():
            before = scores.get(member)
            scores[member] = score if before is None else aggregate(before, score)
    return scores


def _intersection(sources: list[_Source], aggregate: Aggregate) -> dict[bytes, float]:
    scores: dict[bytes, float] = {}
    smallest, *others = sorted(sources, key=len)
    for member, first in smallest.members():
        total = first
        for other in others:
            score = other.score(member)
            if score is None:
                break
            total = aggregate(total, score)
        else:
            scores[member] = total
    return scores


def _difference(sources: list[_Source]) -> dict[bytes, float]:
    first, *others = sources
    return {member: score for member, score in first.members() if all(other.score(member) is None for other in others)}


def _sum(first: float, second: float) -> float:
    total = first + second
    return 0.0 if math.isnan(total) else total  # of two infinities


_AGGREGATES: dict[bytes, Aggregate] = {b"SUM": _sum, b"MIN": min, b"MAX": max}
