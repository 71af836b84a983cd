"""Commands on the bits of strings."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error
from corepool_kv.stores import STRING, WrongTypeError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

NO_OFFSET = "ERR bit offset is not an integer or out of range"
_NO_BIT = "ERR bit is not an integer or out of range"


def setbit(db: Keyspace, args: list[bytes]) -> Reply:
    offset = parse_offset(db, args[1])
    if args[2] not in (b"0", b"1"):
        raise Error(_NO_BIT)
    record = db.find_string(args[0])
    old = b"" if record is None else record.value
    at, mask = offset // 8, 0x80 >> offset % 8
    db.check_length(at + 1)
    value = bytearray(old.ljust(at + 1, b"\0"))
    before = value[at] & mask
    value[at] = value[at] | mask if args[2] == b"1" else value[at] & ~mask
    if value != old:
        db.rewrite(args[0], bytes(value), record)
        db.notify(b"setbit", args[0])
    return int(before > 0)


def getbit(db: Keyspace, args: list[bytes]) -> Reply:
    offset = parse_offset(db, args[1])
    value = db.get(args[0]) or b""
    return value[offset // 8] >> 7 - offset % 8 & 1 if offset // 8 < len(value) else 0


def bitcount(db: Keyspace, args: list[bytes]) -> Reply:
    key, *rest = args
    value = db.get(key)
    if not rest:
        return 0 if value is None else int.from_bytes(value).bit_count()
    if len(rest) not in (2, 3):
        if value is None:
            return 0
        raise Error(SYNTAX)
    if value is None:
        return 0
    first, last = parse_integer(rest[0]), parse_integer(rest[1])
    if last < first < 0:
        return 0  # Redis has not looked at the unit yet
    begin, end = _bit_range(value, rest)
    return _bits(value, begin, end).bit_count()


def bitpos(db: Keyspace, args: list[bytes]) -> Reply:
    key, text, *rest = args
    bit = parse_integer(text)
    if bit not in (0, 1):
        raise Error("ERR The bit argument must be 1 or 0.")
    value = db.get(key)
    if value is None:
        return -1 if bit else 0
    if len(rest) > 3:
        raise Error(SYNTAX)
    if len(rest) == 3:
        parse_integer(rest[0])
        _check_unit(rest[2])  # before the end of the range, as Redis does
    begin, end = _bit_range(value, [*rest, b"-1"] if len(rest) == 1 else rest) if rest else (0, len(value) * 8)
    if begin >= end:
        return -1
    size = end - begin
    bits = _bits(value, begin, end)
    if not bit:
        bits ^= (1 << size) - 1
    if bits:
        return begin + size - bits.bit_length()
    # Zeros go on behind the end, unless the client has said where that is.
    return -1 if bit or len(rest) > 1 else end


def bitop(db: Keyspace, args: list[bytes]) -> Reply:
    name, target, *keys = args
    operation = name.upper()
    if operation not in (b"AND", b"OR", b"XOR", b"NOT"):
        raise Error(SYNTAX)
    if operation == b"NOT" and len(keys) != 1:
        raise Error("ERR BITOP NOT must be called with a single source key.")
    values = []
    for key in keys:
        record = db.look_up(key)
        if record is not None and record.type != STRING:
            raise WrongTypeError
        values.append(b"" if record is None else record.value)
    length = max(map(len, values))
    db.check_key(target)
    if not length:
        if db.delete(target):
            db.notify(b"del", target)
        return 0
    numbers = [int.from_bytes(value.ljust(length, b"\0")) for value in values]
    if operation == b"AND":
        result = reduce(int.__and__, numbers)
    elif operation == b"OR":
        result = reduce(int.__or__, numbers)
    elif operation == b"XOR":
        result = reduce(int.__xor__, numbers)
    else:
        result = numbers[0] ^ (1 << length * 8) - 1
    db.put(target, result.to_bytes(length))
    db.notify(b"set", target)
    return length


def parse_offset(db: Keyspace, text: bytes, width: int = 0) -> int:
    """Read the offset of a bit.

    :param width: of a field: `#3` is the fourth one; 0: the offset is a plain number.
    :raises Error: it is none, or of a value that would be too long.
    """
    factor = width if width and text[:1] == b"#" else 1
    offset = parse_integer(text[1:] if width and text[:1] == b"#" else text, NO_OFFSET) * factor
    if offset < 0 or offset >> 3 >= db.limits.value:
        raise Error(NO_OFFSET)
    return offset


def _bit_range(value: bytes, words: list[bytes]) -> tuple[int, int]:
    """Return the first bit and that behind the last, of a range of bytes or bits."""
    start, end = parse_integer(words[0]), parse_integer(words[1])
    unit = 8
    if len(words) == 3:
        _check_unit(words[2])
        unit = 1 if words[2].upper() == b"BIT" else 8
    total = len(value) * 8 // unit
    start = max(0, start + total) if start < 0 else start
    end = max(0, end + total) if end < 0 else end
    end = min(end, total - 1)
    return (start * unit, (end + 1) * unit) if start <= end else (0, 0)


def _check_unit(word: bytes) -> None:
    if word.upper() not in (b"BIT", b"BYTE"):
        raise Error(SYNTAX)


def _bits(value: bytes, begin: int, end: int) -> int:
    """Return some bits as a number."""
    number = int.from_bytes(value[begin // 8 : (end + 7) // 8])
    return number >> -end % 8 & (1 << max(0, end - begin)) - 1
