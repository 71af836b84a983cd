"""BITFIELD: numbers of any width at any bit of a string."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.commands.bits import parse_offset
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error, gather

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

_TYPE = re.compile(rb"([iu])([1-9][0-9]?)")
_NO_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
_OVERFLOWS = (b"WRAP", b"SAT", b"FAIL")


class _Step(NamedTuple):
    """One operation."""

    name: bytes
    is_signed: bool
    width: int
    offset: int
    amount: int
    overflow: bytes


def bitfield(db: Keyspace, args: list[bytes]) -> Reply:
    return _run(db, args[0], _parse(db, args[1:]))


def bitfield_ro(db: Keyspace, args: list[bytes]) -> Reply:
    steps = _parse(db, args[1:])
    if any(step.name != b"GET" for step in steps):
        raise Error("ERR BITFIELD_RO only supports the GET subcommand")
    return _run(db, args[0], steps)


def _parse(db: Keyspace, words: list[bytes]) -> list[_Step]:
    steps = []
    overflow = b"WRAP"
    at = 0
    while at < len(words):
        name, left = words[at].upper(), len(words) - at - 1
        if name == b"OVERFLOW" and left >= 1:
            overflow = words[at + 1].upper()
            if overflow not in _OVERFLOWS:
                raise Error("ERR Invalid OVERFLOW type specified")
            at += 2
            continue
        size = {b"GET": 3, b"SET": 4, b"INCRBY": 4}.get(name, 0)
        if not size or left < size - 1:
            raise Error(SYNTAX)
        kind = _TYPE.fullmatch(words[at + 1])
        is_signed = kind is not None and kind[1] == b"i"
        width = 0 if kind is None else int(kind[2])
        if not 1 <= width <= 63 + is_signed:
            raise Error(_NO_TYPE)
        offset = parse_offset(db, words[at + 2], width)
        amount = parse_integer(words[at + 3]) if size == 4 else 0
        steps.append(_Step(name, is_signed, width, offset, amount, overflow))
        at += size
    return steps


def _run(db: Keyspace, key: bytes, steps: list[_Step]) -> Reply:
    writes = [step for step in steps if step.name != b"GET"]
    record = db.find_string(key) if writes else db.look_up_string(key)
    value = bytearray(b"" if record is None else record.value)
    replies: list[Reply] = []
    has_grown = has_changed = False
    if writes:
        length = max((step.offset + step.width + 7) // 8 for step in writes)
        db.check_length(length)
        has_grown = length > len(value)  # Redis has made room before a step can fail
        value.extend(bytes(max(0, length - len(value))))
    for step in steps:
        before = _get(value, step)
        if step.name == b"GET":
            replies.append(before)
            continue
        wanted = step.amount if step.name == b"SET" else before + step.amount
        stored = _fit(wanted, step)
        if stored is None:
            replies.append(None)
            continue
        _put(value, step, stored)
        has_changed = has_changed or has_grown or stored != before
        replies.append(before if step.name == b"SET" else stored)
    if has_grown or has_changed:
        db.rewrite(key, bytes(value), record)
    if has_changed:
        db.notify(b"setbit", key)
    return gather(replies, db.limits.reply)


def _get(value: bytearray, step: _Step) -> int:
    end = step.offset + step.width
    part = bytes(value[step.offset // 8 : (end + 7) // 8]).ljust((end + 7) // 8 - step.offset // 8, b"\0")
    number = int.from_bytes(part) >> -end % 8 & (1 << step.width) - 1
    return number - (1 << step.width) if step.is_signed and number >> step.width - 1 else number


def _put(value: bytearray, step: _Step, number: int) -> None:
    end = step.offset + step.width
    first, behind, shift = step.offset // 8, (end + 7) // 8, -end % 8
    mask = (1 << step.width) - 1
    old = int.from_bytes(value[first:behind])
    new = old & ~(mask << shift) | (number & mask) << shift
    value[first:behind] = new.to_bytes(behind - first)


def _fit(number: int, step: _Step) -> int | None:
    """Make a number fit into its width; None: it does not, and must."""
    low = -(1 << step.width - 1) if step.is_signed else 0
    high = (1 << step.width - step.is_signed) - 1
    if not step.is_signed and step.name == b"SET":
        number &= (1 << 64) - 1  # as Redis: the value of SET is unsigned there
    if low <= number <= high:
        return number
    if step.overflow == b"FAIL":
        return None
    if step.overflow == b"SAT":
        return high if number > high else low
    number &= (1 << step.width) - 1
    return number - (1 << step.width) if step.is_signed and number > high else number
