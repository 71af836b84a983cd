"""Commands on lists."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool_kv.engine.lists import POPPED, PUSHED, List, move
from corepool_kv.redis.numbers import LARGEST, SMALLEST, parse_integer, parse_positive, parse_range
from corepool_kv.redis.replies import OK, Error, NullArray, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

SYNTAX = "ERR syntax error"


def lpush(db: Keyspace, args: list[bytes]) -> Reply:
    return _push(db, args, left=True)


def rpush(db: Keyspace, args: list[bytes]) -> Reply:
    return _push(db, args, left=False)


def lpushx(db: Keyspace, args: list[bytes]) -> Reply:
    return 0 if List.find(db, args[0]) is None else _push(db, args, left=True)


def rpushx(db: Keyspace, args: list[bytes]) -> Reply:
    return 0 if List.find(db, args[0]) is None else _push(db, args, left=False)


def lpop(db: Keyspace, args: list[bytes]) -> Reply:
    return _pop(db, args, "lpop", left=True)


def rpop(db: Keyspace, args: list[bytes]) -> Reply:
    return _pop(db, args, "rpop", left=False)


def llen(db: Keyspace, args: list[bytes]) -> Reply:
    found = List.look_up(db, args[0])
    return 0 if found is None else len(found)


def lindex(db: Keyspace, args: list[bytes]) -> Reply:
    found = List.look_up(db, args[0])
    if found is None:
        return None
    index = parse_integer(args[1])
    return found.get(index + len(found) if index < 0 else index)


def lset(db: Keyspace, args: list[bytes]) -> Reply:
    found = List.find(db, args[0])
    if found is None:
        raise Error("ERR no such key")
    index = parse_integer(args[1])
    index = index + len(found) if index < 0 else index
    if not 0 <= index < len(found):
        raise Error("ERR index out of range")
    db.check_length(len(args[2]))
    found.set(index, args[2])
    found.save()
    found.tell(b"lset")
    return OK


def lrange(db: Keyspace, args: list[bytes]) -> Reply:
    start, stop = parse_integer(args[1]), parse_integer(args[2])
    found = List.look_up(db, args[0])
    if found is None:
        return []
    return gather(found.between(*bounds(start, stop, len(found))), db.limits.reply)


def ltrim(db: Keyspace, args: list[bytes]) -> Reply:
    start, stop = parse_integer(args[1]), parse_integer(args[2])
    found = List.find(db, args[0])
    if found is not None:
        found.trim(*bounds(start, stop, len(found)))
        found.tell(b"ltrim")
    return OK


def linsert(db: Keyspace, args: list[bytes]) -> Reply:
    key, where, pivot, value = args
    if where.upper() not in (b"BEFORE", b"AFTER"):
        raise Error(SYNTAX)
    found = List.find(db, key)
    if found is None:
        return 0
    for index, element in enumerate(found.between(0, len(found))):
        if element == pivot:
            db.check_length(len(value))
            found.insert(index + (where.upper() == b"AFTER"), value)
            found.save()
            found.tell(b"linsert")
            return len(found)
    return -1


def lrem(db: Keyspace, args: list[bytes]) -> Reply:
    key, text, value = args
    count = parse_integer(text)
    found = List.find(db, key)
    if found is None:
        return 0
    matches = _matches(found, value, reverse=count < 0)
    indexes = sorted(itertools.islice(matches, min(abs(count), len(found)) if count else None))
    if indexes:
        found.remove(indexes)
        found.save()
        found.tell(b"lrem")
    return len(indexes)


def lpos(db: Keyspace, args: list[bytes]) -> Reply:
    key, value, *options = args
    rank, count, most = 1, None, 0
    words = iter(options)
    for word in words:
        option, text = word.upper(), next(words, None)
        if text is None:
            raise Error(SYNTAX)
        if option == b"RANK":
            rank = parse_integer(text)
            if rank == 0:
                raise Error(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
                    "or use negative to start from the end of the list"
                )
        elif option == b"COUNT":
            count = parse_positive(text, "ERR COUNT can't be negative")
        elif option == b"MAXLEN":
            most = parse_positive(text, "ERR MAXLEN can't be negative")
        else:
            raise Error(SYNTAX)
    found = List.look_up(db, key)
    if found is None:
        return None if count is None else []
    skipped = min(abs(rank) - 1, len(found)) if rank != SMALLEST else 0  # -SMALLEST is negative in C
    matches = itertools.islice(_matches(found, value, reverse=rank < 0, most=most or len(found)), skipped, None)
    if count is None:
        return next(matches, None)
    return gather(itertools.islice(matches, min(count, len(found)) if count else None), db.limits.reply)


def lmove(db: Keyspace, args: list[bytes]) -> Reply:
    source, target, begin, end = args
    return _move(db, source, target, from_left=is_left(begin), to_left=is_left(end))


def rpoplpush(db: Keyspace, args: list[bytes]) -> Reply:
    return _move(db, args[0], args[1], from_left=False, to_left=True)


def lmpop(db: Keyspace, args: list[bytes]) -> Reply:
    keys, rest = parse_keys(args)
    if not rest:
        raise Error(SYNTAX)
    left = is_left(rest[0])
    count = parse_count_option(rest[1:])
    for key in keys:
        found = List.find(db, key)
        if found is not None:
            return [key, _pop_some(db, found, count, left=left)]
    return NullArray()


def parse_keys(args: list[bytes], too_many: str = SYNTAX) -> tuple[list[bytes], list[bytes]]:
    """Return the keys behind their number, and the arguments behind them.

    :raises Error: the number is none, or larger than that of the arguments: `too_many`.
    """
    number = parse_range(args[0], 1, LARGEST, "ERR numkeys should be greater than 0")
    if number >= len(args):
        raise Error(too_many)
    return args[1 : number + 1], args[number + 1 :]


def parse_count_option(options: list[bytes]) -> int:
    """Return the number of COUNT, and 1 without it.

    :raises Error: these are other options.
    """
    if not options:
        return 1
    if len(options) < 2 or options[0].upper() != b"COUNT":
        raise Error(SYNTAX)
    count = parse_range(options[1], 1, LARGEST, "ERR count should be greater than 0")
    if len(options) > 2:
        raise Error(SYNTAX)
    return count


def bounds(start: int, stop: int, count: int) -> tuple[int, int]:
    """Return the first index and that behind the last, for two that may be negative, the second one inclusive."""
    begin = max(0, start + count) if start < 0 else start
    last = stop + count if stop < 0 else stop
    begin, end = min(begin, count), min(last + 1, count)
    return (begin, end) if begin < end else (begin, begin)


def is_left(word: bytes) -> bool:
    """Read LEFT or RIGHT.

    :raises Error: it is neither.
    """
    if word.upper() not in (b"LEFT", b"RIGHT"):
        raise Error(SYNTAX)
    return word.upper() == b"LEFT"


def _push(db: Keyspace, args: list[bytes], *, left: bool) -> int:
    for value in args[1:]:
        db.check_length(len(value))
    found = List.open(db, args[0])
    for value in args[1:]:
        found.push(value, left=left)
    found.save()
    found.tell(PUSHED[left])
    return len(found)


def _pop(db: Keyspace, args: list[bytes], command: str, *, left: bool) -> Reply:
    if len(args) > 2:
        raise Error(f"ERR wrong number of arguments for '{command}' command")
    count = parse_positive(args[1]) if len(args) == 2 else None
    found = List.find(db, args[0])
    if found is None:
        return None if count is None else NullArray()
    if count is None:
        value = found.pop(left=left)
        found.save()
        found.tell(POPPED[left])
        return value
    return _pop_some(db, found, count, left=left)


def _pop_some(db: Keyspace, found: List, count: int, *, left: bool) -> list[Reply]:
    count = min(count, len(found))
    begin = 0 if left else len(found) - count
    popped = gather(found.between(begin, begin + count, reverse=not left), db.limits.reply)
    if count:
        found.trim(*((count, len(found)) if left else (0, len(found) - count)))
        found.tell(POPPED[left])
    return popped


def _move(db: Keyspace, source: bytes, target: bytes, *, from_left: bool, to_left: bool) -> Reply:
    found = List.find(db, source)
    if found is None:
        return None
    other = found if source == target else List.open(db, target)
    return move(found, other, from_front=from_left, to_front=to_left)


def _matches(found: List, value: bytes, *, reverse: bool, most: int | None = None) -> Iterator[int]:
    """Yield the indexes of equal elements.

    :param most: the number of elements that are compared.
    """
    count = len(found)
    indexes = range(count - 1, -1, -1) if reverse else range(count)
    elements = zip(indexes, found.between(0, count, reverse=reverse), strict=False)
    return (index for index, element in itertools.islice(elements, most) if element == value)
