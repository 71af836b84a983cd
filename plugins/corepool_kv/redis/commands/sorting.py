"""SORT: the elements of a list, set or sorted set, by themselves or by other keys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.hashes import Hash
from corepool_kv.engine.lists import List
from corepool_kv.engine.sets import Set
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_integer, read_double
from corepool_kv.redis.replies import Error, gather
from corepool_kv.stores import HASH, LIST, SET, SORTED_SET, WrongTypeError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply


class _Options(NamedTuple):
    """Options of SORT."""

    by: bytes | None
    patterns: list[bytes]
    target: bytes | None
    offset: int
    limit: int
    is_descending: bool
    is_alphabetic: bool


def sort(db: Keyspace, args: list[bytes]) -> Reply:
    return _sort(db, args[0], _parse(args[1:], may_store=True))


def sort_ro(db: Keyspace, args: list[bytes]) -> Reply:
    return _sort(db, args[0], _parse(args[1:], may_store=False))


def find_keys(request: list[bytes]) -> list[bytes]:
    """Return the keys of a request: the key, and that of the last STORE."""
    targets = [request[at + 1] for at in range(2, len(request) - 1) if request[at].upper() == b"STORE"]
    return [request[1], *targets[-1:]]


def _parse(words: list[bytes], *, may_store: bool) -> _Options:
    by: bytes | None = None
    target: bytes | None = None
    patterns: list[bytes] = []
    offset, limit = 0, -1
    is_descending = is_alphabetic = False
    at = 0
    while at < len(words):
        option, left = words[at].upper(), len(words) - at - 1
        if option in (b"ASC", b"DESC"):
            is_descending = option == b"DESC"
        elif option == b"ALPHA":
            is_alphabetic = True
        elif option == b"LIMIT" and left >= 2:
            offset, limit = parse_integer(words[at + 1]), parse_integer(words[at + 2])
            at += 2
        elif option == b"STORE" and left >= 1 and may_store:
            target = words[at + 1]
            at += 1
        elif option == b"BY" and left >= 1:
            by = words[at + 1]
            at += 1
        elif option == b"GET" and left >= 1:
            patterns.append(words[at + 1])
            at += 1
        else:
            raise Error(SYNTAX)
        at += 1
    return _Options(by, patterns, target, offset, limit, is_descending, is_alphabetic)


def _sort(db: Keyspace, key: bytes, options: _Options) -> Reply:
    record = db.look_up(key)
    kind = LIST if record is None else record.type
    if kind not in (LIST, SET, SORTED_SET):
        raise WrongTypeError
    is_sorted = options.by is None or b"*" in options.by
    if not is_sorted and kind == SET and options.target is not None:
        options = options._replace(by=None, is_alphabetic=True)
        is_sorted = True
    elements = _elements(db, key, kind, reverse=options.is_descending and not is_sorted)
    if is_sorted:
        elements = _in_order(db, elements, options)
    begin = min(max(0, options.offset), len(elements))
    elements = elements[begin : len(elements) if options.limit < 0 else begin + options.limit]
    if options.patterns:
        found = (_look_up(db, pattern, each) for each in elements for pattern in options.patterns)
        replies = gather(found, db.limits.reply)
    else:
        replies = gather(elements, db.limits.reply)
    if options.target is None:
        return replies
    db.check_key(options.target)
    result = List(db, options.target, None)
    for each in replies:
        result.push(each if isinstance(each, bytes) else b"", left=False)
    result.replace(b"sortstore")
    return len(result)


def _elements(db: Keyspace, key: bytes, kind: int, *, reverse: bool) -> list[bytes]:
    if kind == LIST:
        found = List.find(db, key)
        return [] if found is None else list(found.between(0, len(found), reverse=reverse))
    if kind == SET:
        members = Set.find(db, key)
        return [] if members is None else list(members.members())
    scored = SortedSet.find(db, key)
    return [] if scored is None else [member for member, _ in scored.by_rank(0, len(scored), reverse=reverse)]


def _in_order(db: Keyspace, elements: list[bytes], options: _Options) -> list[bytes]:
    weights = elements if options.by is None else [_look_up(db, options.by, each) for each in elements]
    keys: list[tuple[object, ...]]
    if options.is_alphabetic:
        keys = [(weight is not None, weight or b"") for weight in weights]
        if options.by is None:
            keys = [(each,) for each in elements]
    else:
        keys = [(_number(weight), each) for weight, each in zip(weights, elements, strict=True)]
    order = sorted(range(len(elements)), key=keys.__getitem__, reverse=options.is_descending)
    return [elements[at] for at in order]


def _number(weight: bytes | None) -> float:
    if weight is None:
        return 0.0
    number = read_double(weight.lstrip(b" \t\n\v\f\r")) if weight else 0.0
    if number is None or math.isnan(number):
        raise Error("ERR One or more scores can't be converted into double")
    return number


def _look_up(db: Keyspace, pattern: bytes, element: bytes) -> bytes | None:
    """Return the value of the key, or of the field, that a pattern and an element make."""
    if pattern == b"#":
        return element
    before, star, behind = pattern.partition(b"*")
    if not star:
        return None
    middle, arrow, field = behind.partition(b"->")
    if not arrow or not field:
        middle, field = behind, b""
    key = before + element + middle
    record = db.look_up(key)
    if record is None:
        return None
    if field:
        found = Hash.find(db, key) if record.type == HASH else None
        return None if found is None else found.get(field)
    try:
        return db.get(key)
    except WrongTypeError:
        return None
