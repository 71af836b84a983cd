"""Commands about when keys expire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.numbers import LARGEST, SMALLEST, parse_integer
from corepool_kv.redis.replies import Error, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Record

UNITS: Mapping[bytes, tuple[int, bool]] = {
    b"EX": (1000, True),
    b"PX": (1, True),
    b"EXAT": (1000, False),
    b"PXAT": (1, False),
}
"""Milliseconds of the unit, and whether it counts from now."""


def moment(db: Keyspace, unit: bytes, amount: bytes, command: str) -> int:
    """Turn a time to live, or a moment, into milliseconds since the epoch.

    :raises Error: no number, or not after the epoch.
    """
    expires_ms = _moment(db, unit, amount, command)
    if parse_integer(amount) <= 0:
        raise Error(f"ERR invalid expire time in '{command}' command")
    return expires_ms


def live_until(db: Keyspace, key: bytes, record: Record, expires_ms: int) -> None:
    """Have a key expire at another time; it is removed if that has passed."""
    if expires_ms <= db.now_ms:
        db.delete(key)
        db.notify(b"del", key)
    else:
        db.put_record(key, record._replace(expires_ms=expires_ms))
        db.notify(b"expire", key)


def expire(db: Keyspace, args: list[bytes]) -> Reply:
    return _expire(db, args, b"EX", "expire")


def pexpire(db: Keyspace, args: list[bytes]) -> Reply:
    return _expire(db, args, b"PX", "pexpire")


def expireat(db: Keyspace, args: list[bytes]) -> Reply:
    return _expire(db, args, b"EXAT", "expireat")


def pexpireat(db: Keyspace, args: list[bytes]) -> Reply:
    return _expire(db, args, b"PXAT", "pexpireat")


def ttl(db: Keyspace, args: list[bytes]) -> Reply:
    left = _milliseconds_left(db, args[0])
    return left if left < 0 else (left + 500) // 1000


def pttl(db: Keyspace, args: list[bytes]) -> Reply:
    return _milliseconds_left(db, args[0])


def expiretime(db: Keyspace, args: list[bytes]) -> Reply:
    when = _expires_at(db, args[0])
    return when if when < 0 else (when + 500) // 1000


def pexpiretime(db: Keyspace, args: list[bytes]) -> Reply:
    return _expires_at(db, args[0])


def persist(db: Keyspace, args: list[bytes]) -> Reply:
    record = db.find(args[0])
    if record is None or not record.expires_ms:
        return 0
    db.put_record(args[0], record._replace(expires_ms=0))
    db.notify(b"persist", args[0])
    return 1


def _expire(db: Keyspace, args: list[bytes], unit: bytes, command: str) -> int:
    key, amount, *options = args
    conditions = _conditions(options)
    parse_integer(amount)
    when = _moment(db, unit, amount, command)
    record = db.find(key)
    if record is None:
        return 0
    current = record.expires_ms
    if (
        (b"NX" in conditions and current)
        or (b"XX" in conditions and not current)
        or (b"GT" in conditions and (not current or when <= current))
        or (b"LT" in conditions and current and when >= current)
    ):
        return 0
    live_until(db, key, record, when)
    return 1


def _conditions(options: list[bytes]) -> set[bytes]:
    conditions = set()
    for option in options:
        if option.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise Error(f"ERR Unsupported option {text_of(option, len(option))}")
        conditions.add(option.upper())
    if b"NX" in conditions and len(conditions) > 1:
        raise Error("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= conditions:
        raise Error("ERR GT and LT options at the same time are not compatible")
    return conditions


def _moment(db: Keyspace, unit: bytes, amount: bytes, command: str) -> int:
    factor, from_now = UNITS[unit]
    expires_ms = parse_integer(amount) * factor + (db.now_ms if from_now else 0)
    if not SMALLEST <= parse_integer(amount) * factor <= LARGEST or expires_ms > LARGEST:
        raise Error(f"ERR invalid expire time in '{command}' command")
    return expires_ms


def _expires_at(db: Keyspace, key: bytes) -> int:
    record = db.look_at(key)
    if record is None:
        return -2
    return record.expires_ms or -1


def _milliseconds_left(db: Keyspace, key: bytes) -> int:
    when = _expires_at(db, key)
    return when if when < 0 else when - db.now_ms
