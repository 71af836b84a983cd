"""OBJECT and MEMORY USAGE: facts about one key, as Redis would have them for the same content."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool_kv.engine.hashes import Hash
from corepool_kv.engine.sets import Set
from corepool_kv.engine.sorted_sets import SortedSet
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error
from corepool_kv.stores import HASH, LIST, SET, STREAM, STRING
from corepool_kv.stores.access_clock import UNUSED_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Record

_MAX_EMBEDDED = 44
_MAX_INTEGERS = 512
_MAX_PACKED_FIELDS = 512
_MAX_PACKED_MEMBERS = 128
_MAX_PACKED_BYTES = 64

_RECORD_BYTES = 64
"""About what a record costs besides its key and value."""

_UNKNOWN_IDLE_S = 0xFFFFFF
"""Of a key that was not used since the clock began: the longest that Redis can tell."""

_SAMPLES = 5
_NO_FREQUENCY = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    "between policies at runtime LRU and LFU data will take some time to adjust."
)


def encoding(db: Keyspace, args: list[bytes]) -> Reply:
    record = db.peek(args[0])
    if record is None:
        return None
    if record.type == STRING:
        return _encoding_of_string(record.value)
    if record.type == LIST:
        return b"quicklist"
    if record.type == STREAM:
        return b"stream"
    if record.type == SET:
        members = Set(db, args[0], record)
        is_small = len(members) <= _MAX_INTEGERS and all(_is_integer(each) for each in members.members())
        return b"intset" if is_small else b"hashtable"
    if record.type == HASH:
        fields = Hash(db, args[0], record)
        parts = itertools.chain.from_iterable(fields.items())
        return b"listpack" if len(fields) <= _MAX_PACKED_FIELDS and _are_short(parts) else b"hashtable"
    scored = SortedSet(db, args[0], record)
    names = (member for member, _ in scored.members())
    return b"listpack" if len(scored) <= _MAX_PACKED_MEMBERS and _are_short(names) else b"skiplist"


def refcount(db: Keyspace, args: list[bytes]) -> Reply:
    return None if db.peek(args[0]) is None else 1


def idletime(db: Keyspace, args: list[bytes]) -> Reply:
    if db.peek(args[0]) is None:
        return None
    if db.access is None:
        return 0
    idle_ms = db.access.idle_ms(args[0], db.now_ms)
    return _UNKNOWN_IDLE_S if idle_ms == UNUSED_MS else idle_ms // 1000


def freq(db: Keyspace, args: list[bytes]) -> Reply:
    if db.peek(args[0]) is None:
        return None
    raise Error(_NO_FREQUENCY)


def usage(db: Keyspace, args: list[bytes]) -> Reply:
    key, *options = args
    samples = _SAMPLES
    words = iter(options)
    for word in words:
        value = next(words, None)
        if word.upper() != b"SAMPLES" or value is None:
            raise Error(SYNTAX)
        samples = parse_integer(value)
        if samples < 0:
            raise Error(SYNTAX)
    record = db.peek(key)
    if record is None:
        return None
    return _RECORD_BYTES + len(key) + len(record.value) + _bytes_of_elements(db, record, samples)


def _bytes_of_elements(db: Keyspace, record: Record, samples: int) -> int:
    """Estimate the size of a collection's elements from some of them; all of them if there are no samples."""
    if record.type == STRING:
        return 0
    count = int.from_bytes(record.value[8:16])
    sampled = sizes = 0
    for name, value in itertools.islice(db.elements.between(record.collection, b"", b"\xff"), samples or None):
        sampled += 1
        sizes += _RECORD_BYTES + len(record.collection) + len(name) + len(value)
    return sizes * count // sampled if sampled and sampled < count else sizes


def _encoding_of_string(value: bytes) -> bytes:
    if _is_integer(value):
        return b"int"
    return b"embstr" if len(value) <= _MAX_EMBEDDED else b"raw"


def _is_integer(text: bytes) -> bool:
    try:
        parse_integer(text)
    except Error:
        return False
    return True


def _are_short(texts: Iterable[bytes]) -> bool:
    return all(len(text) <= _MAX_PACKED_BYTES for text in texts)
