"""Commands on values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands.times import UNITS, live_until, moment
from corepool_kv.redis.numbers import LARGEST, SMALLEST, add_floats, parse_float, parse_integer
from corepool_kv.redis.replies import OK, Error, gather
from corepool_kv.stores import STRING, WrongTypeError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

SYNTAX = "ERR syntax error"

_MAX_TABLE_CELLS = 4_000_000
"""Cells that LCS may fill: a second or so, in which this worker serves no other client."""


def get(db: Keyspace, args: list[bytes]) -> Reply:
    return db.get(args[0])


def set_(db: Keyspace, args: list[bytes]) -> Reply:
    if len(args) == 2:
        db.put(args[0], args[1])
        db.notify(b"set", args[0])
        return OK
    key, value, *options = args
    condition = unit = amount = b""
    wants_old = keeps_ttl = False
    words = iter(options)
    for word in words:
        option = word.upper()
        if option in (b"NX", b"XX") and condition in (b"", option):
            condition = option
        elif option == b"GET":
            wants_old = True
        elif option == b"KEEPTTL" and not unit:
            keeps_ttl = True
        elif option in UNITS and unit in (b"", option) and not keeps_ttl:
            unit = option
            value_of_unit = next(words, None)
            if value_of_unit is None:
                raise Error(SYNTAX)
            amount = value_of_unit
        else:
            raise Error(SYNTAX)
    expires_ms = moment(db, unit, amount, "set") if unit else 0
    old = db.look_up_string(key) if wants_old else db.find(key)
    if (condition == b"NX" and old is not None) or (condition == b"XX" and old is None):
        return old.value if wants_old and old is not None else None
    if keeps_ttl and old is not None:
        expires_ms = old.expires_ms
    db.put(key, value, expires_ms)
    db.notify(b"set", key)
    if unit:
        db.notify(b"expire", key)
    if wants_old:
        return None if old is None else old.value
    return OK


def setnx(db: Keyspace, args: list[bytes]) -> Reply:
    if db.find(args[0]) is not None:
        return 0
    db.put(args[0], args[1])
    db.notify(b"set", args[0])
    return 1


def setex(db: Keyspace, args: list[bytes]) -> Reply:
    return _set_for_a_while(db, args, b"EX", "setex")


def psetex(db: Keyspace, args: list[bytes]) -> Reply:
    return _set_for_a_while(db, args, b"PX", "psetex")


def getset(db: Keyspace, args: list[bytes]) -> Reply:
    old = db.get(args[0])
    db.put(args[0], args[1])
    db.notify(b"set", args[0])
    return old


def getdel(db: Keyspace, args: list[bytes]) -> Reply:
    old = db.get(args[0])
    if old is not None:
        db.delete(args[0])
        db.notify(b"del", args[0])
    return old


def getex(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    persists = False
    unit = amount = b""
    words = iter(options)
    for word in words:
        option = word.upper()
        if option == b"PERSIST" and not unit:
            persists = True
        elif option in UNITS and unit in (b"", option) and not persists:
            unit = option
            value_of_unit = next(words, None)
            if value_of_unit is None:
                raise Error(SYNTAX)
            amount = value_of_unit
        else:
            raise Error(SYNTAX)
    record = db.look_up_string(key)
    if record is None:
        return None  # Redis doesn't look at the amount either
    if persists:
        if record.expires_ms:
            db.put(key, record.value, 0, record.flags)
            db.notify(b"persist", key)
    elif unit:
        live_until(db, key, record, moment(db, unit, amount, "getex"))
    return record.value


def mget(db: Keyspace, args: list[bytes]) -> Reply:
    return gather((_get_string(db, key) for key in args), db.limits.reply)


def _get_string(db: Keyspace, key: bytes) -> bytes | None:
    """Return the value of a string, and None for any other type."""
    try:
        return db.get(key)
    except WrongTypeError:
        return None


def mset(db: Keyspace, args: list[bytes]) -> Reply:
    pairs = _pairs(args, "mset")
    _put_all(db, pairs)
    return OK


def msetnx(db: Keyspace, args: list[bytes]) -> Reply:
    pairs = _pairs(args, "msetnx")
    if any(db.find(key) is not None for key, _ in pairs):
        return 0
    _put_all(db, pairs)
    return 1


def append(db: Keyspace, args: list[bytes]) -> Reply:
    record = db.find_string(args[0])
    value = args[1] if record is None else record.value + args[1]
    db.rewrite(args[0], value, record)
    db.notify(b"append", args[0])
    return len(value)


def strlen(db: Keyspace, args: list[bytes]) -> Reply:
    return len(db.get(args[0]) or b"")


def getrange(db: Keyspace, args: list[bytes]) -> Reply:
    start, end = parse_integer(args[1]), parse_integer(args[2])
    value = db.get(args[0]) or b""
    if start < 0 and end < 0 and start > end:
        return b""
    start = max(0, start + len(value)) if start < 0 else start
    end = max(0, end + len(value)) if end < 0 else end
    return value[start : end + 1]


def setrange(db: Keyspace, args: list[bytes]) -> Reply:
    offset = parse_integer(args[1])
    if offset < 0:
        raise Error("ERR offset is out of range")
    record = db.find_string(args[0])
    value = b"" if record is None else record.value
    if not args[2]:
        return len(value)
    db.check_length(offset + len(args[2]))
    value = value[:offset].ljust(offset, b"\0") + args[2] + value[offset + len(args[2]) :]
    db.rewrite(args[0], value, record)
    db.notify(b"setrange", args[0])
    return len(value)


def incr(db: Keyspace, args: list[bytes]) -> Reply:
    return _increment(db, args[0], 1)


def decr(db: Keyspace, args: list[bytes]) -> Reply:
    return _increment(db, args[0], -1)


def incrby(db: Keyspace, args: list[bytes]) -> Reply:
    return _increment(db, args[0], parse_integer(args[1]))


def decrby(db: Keyspace, args: list[bytes]) -> Reply:
    amount = parse_integer(args[1])
    if amount == SMALLEST:
        raise Error("ERR decrement would overflow")
    return _increment(db, args[0], -amount)


def incrbyfloat(db: Keyspace, args: list[bytes]) -> Reply:
    record = db.find_string(args[0])
    current = parse_float(b"0" if record is None else record.value)
    value = add_floats(current, parse_float(args[1]))
    db.rewrite(args[0], value, record)
    db.notify(b"incrbyfloat", args[0])
    return value


def lcs(db: Keyspace, args: list[bytes]) -> Reply:
    found = [db.look_up(key) for key in args[:2]]  # both first: each miss has its event
    if any(record is not None and record.type != STRING for record in found):
        raise Error("ERR The specified keys must contain string values")
    first, second = (b"" if record is None else record.value for record in found)
    wants_length = wants_matches = with_lengths = False
    shortest = 0
    words = iter(args[2:])
    for word in words:
        match word.upper():
            case b"LEN":
                wants_length = True
            case b"IDX":
                wants_matches = True
            case b"WITHMATCHLEN":
                with_lengths = True
            case b"MINMATCHLEN":
                amount = next(words, None)
                if amount is None:
                    raise Error(SYNTAX)
                shortest = max(0, parse_integer(amount))
            case _:
                raise Error(SYNTAX)
    if wants_length and wants_matches:
        raise Error("ERR If you want both the length and indexes, please just use IDX.")
    if (len(first) + 1) * (len(second) + 1) > _MAX_TABLE_CELLS:
        raise Error(f"ERR Insufficient memory, the product of the lengths is more than {_MAX_TABLE_CELLS}")
    table = _lcs_table(first, second)
    length = table[len(first)][len(second)]
    if wants_length:
        return length
    if not wants_matches:
        return b"".join(first[start : end + 1] for start, end, _, _ in reversed(_lcs_matches(table, first, second)))
    matches: list[Reply] = []
    for start, end, other_start, other_end in _lcs_matches(table, first, second):
        size = end - start + 1
        if size >= shortest:
            ranges: list[Reply] = [[start, end], [other_start, other_end]]
            matches.append([*ranges, size] if with_lengths else ranges)
    return {b"matches": matches, b"len": length}


def _lcs_table(first: bytes, second: bytes) -> list[list[int]]:
    table = [[0] * (len(second) + 1)]
    for byte in first:
        above = table[-1]
        row = [0]
        for column, other in enumerate(second):
            row.append(above[column] + 1 if byte == other else max(above[column + 1], row[column]))
        table.append(row)
    return table


def _lcs_matches(table: list[list[int]], first: bytes, second: bytes) -> list[tuple[int, int, int, int]]:
    """Walk back through the table as Redis does: runs of common bytes, the last one first."""
    matches: list[tuple[int, int, int, int]] = []
    row, column = len(first), len(second)
    run = 0
    while row and column:
        if first[row - 1] == second[column - 1]:
            run += 1
            row -= 1
            column -= 1
            continue
        if run:
            matches.append((row, row + run - 1, column, column + run - 1))
            run = 0
        if table[row - 1][column] > table[row][column - 1]:
            row -= 1
        else:
            column -= 1
    if run:
        matches.append((row, row + run - 1, column, column + run - 1))
    return matches


def _increment(db: Keyspace, key: bytes, amount: int) -> int:
    record = db.find_string(key)
    value = amount + (0 if record is None else parse_integer(record.value))
    if not SMALLEST <= value <= LARGEST:
        raise Error("ERR increment or decrement would overflow")
    db.rewrite(key, b"%d" % value, record)
    db.notify(b"incrby", key)
    return value


def _set_for_a_while(db: Keyspace, args: list[bytes], unit: bytes, command: str) -> Reply:
    key, amount, value = args
    db.put(key, value, moment(db, unit, amount, command))
    db.notify(b"set", key)
    db.notify(b"expire", key)
    return OK


def _put_all(db: Keyspace, pairs: list[tuple[bytes, bytes]]) -> None:
    for key, _ in pairs:
        db.check_key(key)
    for key, value in pairs:
        db.put(key, value)
        db.notify(b"set", key)


def _pairs(args: list[bytes], command: str) -> list[tuple[bytes, bytes]]:
    if len(args) % 2:
        raise Error(f"ERR wrong number of arguments for '{command}' command")
    return list(zip(args[::2], args[1::2], strict=True))
