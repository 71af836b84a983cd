"""DUMP and RESTORE: values in the format of Redis."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool_kv.engine.hashes import Hash
from corepool_kv.engine.lists import List
from corepool_kv.engine.sets import Set
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.engine.streams import Stream
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.stream_values import parts_of, store_stream, value_of
from corepool_kv.redis.dump_reader import DumpError
from corepool_kv.redis.dumps import Value, dump, dump_of_stream, is_sound, load
from corepool_kv.redis.numbers import LARGEST, SMALLEST, parse_integer, parse_range
from corepool_kv.redis.replies import OK, Error
from corepool_kv.stores import HASH, LIST, SET, STREAM, STRING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Record

MAX_DUMP_BYTES = 1 << 20
"""The checksum of so much takes a tenth of a second, in which no other client is served."""

_MAX_PACKED = MAX_DUMP_BYTES // 2
"""Elements of a serialized value: as many as it could have if nothing were compressed."""

_PART_BYTES = 16
"""Of a part besides its own, at most; and of the ends."""


def dump_(db: Keyspace, args: list[bytes]) -> Reply:
    key = args[0]
    record = db.look_up(key)
    if record is None:
        return None
    if record.type == STRING:
        return dump(STRING, _bounded([record.value]), 1)
    if record.type == STREAM:
        return dump_of_stream(value_of(Stream(db, key, record), _bounded))
    count, parts = _parts(db, key, record)
    if record.type in (HASH, LIST, SET):
        return dump(record.type, _bounded(parts), count)
    if count * _PART_BYTES > MAX_DUMP_BYTES:
        raise _too_long()
    members = list(SortedSet(db, key, record).by_rank(0, count, reverse=True))
    return dump(record.type, _bounded([member for member, _ in members]), count, [score for _, score in members])


def restore(db: Keyspace, args: list[bytes]) -> Reply:
    key, ttl, dumped, *options = args
    replaces, is_absolute = _parse_options(options)
    if not replaces and db.find(key) is not None:
        raise Error("BUSYKEY Target key name already exists.")
    expires_ms = parse_integer(ttl)
    if expires_ms < 0:
        raise Error("ERR Invalid TTL value, must be >= 0")
    if len(dumped) > MAX_DUMP_BYTES:
        raise Error(f"ERR a serialized value of more than {MAX_DUMP_BYTES} bytes")
    if not is_sound(dumped):
        raise Error("ERR DUMP payload version or checksum are wrong")
    if expires_ms and not is_absolute:
        expires_ms += db.now_ms
        if expires_ms > LARGEST:
            raise Error("ERR invalid expire time in 'restore' command")
    try:
        adopt(db, key, dumped, expires_ms, _MAX_PACKED)
    except DumpError:
        raise Error("ERR Bad data format") from None
    return OK


def adopt(db: Keyspace, key: bytes, dumped: bytes, expires_ms: int, max_elements: int) -> None:
    """Store a serialized value in the place of any other. Its checksum is not looked at.

    :param max_elements: the most that may be packed in it.
    :raises DumpError: it is none.
    :raises RefusedError: the key or a part of the value is too long, or more elements are packed.
    """
    value = load(dumped, db.limits.value, max_elements)
    db.check_key(key)
    for part in value.parts if value.stream is None else parts_of(value.stream):
        db.check_length(len(part))
    was_there = db.delete(key)
    if not 0 < expires_ms < db.now_ms:
        _store(db, key, value, expires_ms)
        db.notify(b"restore", key)
    elif was_there:
        db.notify(b"del", key)


def _parse_options(options: list[bytes]) -> tuple[bool, bool]:
    replaces = is_absolute = False
    use = b""  # Redis keeps the time of the last use or its frequency, and here none is kept
    words = iter(options)
    for word in words:
        match word.upper():
            case b"REPLACE":
                replaces = True
            case b"ABSTTL":
                is_absolute = True
            case b"IDLETIME" if use != b"FREQ" and (text := next(words, None)) is not None:
                use = b"IDLETIME"
                if parse_range(text, SMALLEST, LARGEST) < 0:
                    raise Error("ERR Invalid IDLETIME value, must be >= 0")
            case b"FREQ" if use != b"IDLETIME" and (text := next(words, None)) is not None:
                use = b"FREQ"
                if not 0 <= parse_range(text, SMALLEST, LARGEST) <= 255:
                    raise Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
            case _:
                raise Error(SYNTAX)
    return replaces, is_absolute


def _parts(db: Keyspace, key: bytes, record: Record) -> tuple[int, Iterable[bytes]]:
    if record.type == LIST:
        found = List(db, key, record)
        return len(found), found.between(0, len(found))
    if record.type == SET:
        members = Set(db, key, record)
        return len(members), members.members()
    if record.type == HASH:
        fields = Hash(db, key, record)
        return len(fields), itertools.chain.from_iterable(fields.items())
    return len(SortedSet(db, key, record)), ()


def _bounded(parts: Iterable[bytes]) -> Iterable[bytes]:
    """Yield parts, until they are too long for a dump."""
    size = 2 * _PART_BYTES
    for part in parts:
        size += len(part) + _PART_BYTES
        if size > MAX_DUMP_BYTES:
            raise _too_long()
        yield part


def _too_long() -> Error:
    return Error(f"ERR a value of more than {MAX_DUMP_BYTES} bytes is not serialized")


def _store(db: Keyspace, key: bytes, value: Value, expires_ms: int) -> None:
    if value.type == STRING:
        db.put(key, value.parts[0], expires_ms)
        return
    if value.stream is not None:
        store_stream(Stream.open(db, key), value.stream, expires_ms)
        return
    found: List | Set | Hash | SortedSet
    if value.type == LIST:
        found = List.open(db, key)
        for part in value.parts:
            found.push(part, left=False)
    elif value.type == SET:
        found = Set.open(db, key)
        for part in value.parts:
            found.put(part, b"")
    elif value.type == HASH:
        found = Hash.open(db, key)
        for field, text in zip(value.parts[::2], value.parts[1::2], strict=True):
            found.put(field, text)
    else:
        found = SortedSet.open(db, key)
        for member, score in zip(value.parts, value.scores, strict=True):
            found.add(member, score, found.score(member))
    found.expires_ms = expires_ms
    found.save()
