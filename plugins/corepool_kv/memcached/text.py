"""The text commands: get, set and their like (doc/protocol.txt of memcached)."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from corepool_kv.memcached import flushing, items
from corepool_kv.memcached.items import CLIENT_FLAGS, Mode, Outcome, Put, find
from corepool_kv.memcached.numbers import (
    BAD_FORMAT,
    LARGEST_FLAGS,
    check_key,
    last_ms,
    parse_signed,
    parse_unsigned,
)
from corepool_kv.memcached.steps import TOO_LARGE, Step, said
from corepool_kv.memcached.wire import value_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.memcached.requests import Request
    from corepool_kv.memcached.statistics import Statistics
    from corepool_kv.stores import Record

    Served = bytes | Step | Iterator[Step]
    """A reply that needs no data, or the work for one."""
    Handler = Callable[[Statistics, Request], Served]

ERROR = b"ERROR\r\n"
NOREPLY = b"noreply"
BAD_CHUNK = b"CLIENT_ERROR bad data chunk\r\n"
_BAD_EXPTIME = b"CLIENT_ERROR invalid exptime argument\r\n"
_BAD_DELTA = b"CLIENT_ERROR invalid numeric delta argument\r\n"
_BAD_DELETE = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"

_REPLIES = {
    Outcome.STORED: b"STORED\r\n",
    Outcome.NOT_STORED: b"NOT_STORED\r\n",
    Outcome.EXISTS: b"EXISTS\r\n",
    Outcome.NOT_FOUND: b"NOT_FOUND\r\n",
}


_MODES = {
    b"set": Mode.SET,
    b"cas": Mode.SET,
    b"add": Mode.ADD,
    b"replace": Mode.REPLACE,
    b"append": Mode.APPEND,
    b"prepend": Mode.PREPEND,
}

_END_LINE = b"END\r\n"
_END = said(_END_LINE)


def get(counts: Statistics, request: Request) -> Served:
    """Return values; of `gets`, with their CAS."""
    words = request.words
    if len(words) < 2:
        return ERROR
    kind = ReadWithCas if words[0] == b"gets" else Read
    if len(words) == 2:
        key = check_key(words[1])
        return Step(kind(counts, key, _END_LINE), key)
    return _read_each(counts, kind, [check_key(key) for key in words[1:]])


def _read_each(counts: Statistics, kind: type[Read], keys: list[bytes]) -> Iterator[Step]:
    for key in keys:
        yield Step(kind(counts, key, b""), key)
    yield _END


class Read:
    """Reads an item as `get` does. Implements `execution.Work`."""

    __slots__ = ("_counts", "_end", "_key")

    def __init__(self, counts: Statistics, key: bytes, end: bytes) -> None:
        """Read it.

        :param end: what comes behind the item, or alone if there is none.
        """
        self._counts = counts
        self._key = key
        self._end = end

    def __call__(self, db: Keyspace) -> bytes:
        record = find(db, self._key)
        if record is None:
            self._counts.get_misses += 1
            return self._end
        self._counts.get_hits += 1
        return self.reply(record)

    def reply(self, record: Record) -> bytes:
        """Return the reply for the item that was found."""
        return value_reply(self._key, record.flags & CLIENT_FLAGS, record.value, self._end)


class ReadWithCas(Read):
    """Reads an item as `gets` does."""

    __slots__ = ()

    def reply(self, record: Record) -> bytes:
        facts = (self._key, record.flags & CLIENT_FLAGS, len(record.value), record.version)
        return b"VALUE %b %d %d %d\r\n%b\r\n%b" % (*facts, record.value, self._end)


def get_and_touch(counts: Statistics, request: Request) -> Iterator[Step] | bytes:
    """Return values, and give their items another end of life."""
    command, *words = request.words
    if not words:
        return ERROR
    exptime = parse_signed(words[0], _BAD_EXPTIME)
    keys = [check_key(key) for key in words[1:]]

    def step(key: bytes) -> Step:
        def work(db: Keyspace) -> bytes:
            record = find(db, key)
            counts.cmd_touch += 1
            if record is not None:
                items.live_until(db, key, record, last_ms(exptime, db.now_ms))
                # The touched item has another CAS, and may have ended.
                record = record._replace(version=db.version(key) or record.version)
            return item_reply(counts, key, record, with_cas=command == b"gats")

        return Step(work, writes=True, key=key)

    return itertools.chain(map(step, keys), (_END,))


def item_reply(counts: Statistics, key: bytes, record: Record | None, *, with_cas: bool) -> bytes:
    """Return the reply to gat for one key."""
    if record is None:
        counts.touch_misses += 1
        counts.get_misses += 1
        return b""
    counts.touch_hits += 1
    counts.get_hits += 1
    cas = b" %d" % record.version if with_cas else b""
    return b"VALUE %b %d %d%b\r\n%b\r\n" % (key, record.flags & CLIENT_FLAGS, len(record.value), cas, record.value)


def store(counts: Statistics, request: Request) -> Served:
    """Store an item: set, add, replace, append, prepend, cas."""
    words = request.words
    is_cas = words[0] == b"cas"
    plain = 6 if is_cas else 5
    if not plain <= len(words) <= plain + 1:
        return ERROR
    key = check_key(words[1])
    flags = parse_unsigned(words[2].removeprefix(b"+"), LARGEST_FLAGS)
    exptime = parse_signed(words[3])
    cas = parse_unsigned(words[5]) if is_cas else None
    is_quiet = words[-1] == NOREPLY
    if request.value is None:
        return _without_value(counts, request, key, is_quiet=is_quiet)
    put = Put(key, request.value, flags, _MODES[words[0]], cas)
    work = Write(counts, put, exptime)
    return Step(work, key, writes=True, is_quiet=is_quiet, size=len(request.value), grows=True)


class Write:
    """Stores an item as `set` and its like do. Implements `execution.Work`."""

    __slots__ = ("_counts", "_exptime", "_put")

    def __init__(self, counts: Statistics, put: Put, exptime: int) -> None:
        self._counts = counts
        self._put = put
        self._exptime = exptime

    def __call__(self, db: Keyspace) -> bytes:
        outcome = self._put.store(db, last_ms(self._exptime, db.now_ms))
        self._counts.count_stored(outcome)
        if self._put.cas is not None:
            self._counts.count_swapped(outcome)
        return _REPLIES[outcome]


def _without_value(counts: Statistics, request: Request, key: bytes, *, is_quiet: bool) -> Served:
    """Refuse an item whose value was dropped, or ends elsewhere; one that is too large leaves none that is stale."""
    if request.is_too_large:
        counts.store_too_large += 1

        def work(db: Keyspace) -> bytes:
            if request.words[0] == b"set" and find(db, key) is not None:
                db.delete(key)
            return TOO_LARGE

        return Step(work, writes=True, is_quiet=is_quiet, key=key)
    if request.is_broken:
        return b"" if is_quiet else BAD_CHUNK
    return BAD_FORMAT


def arithmetic(counts: Statistics, request: Request) -> Served:
    """Add to a number, or subtract from it."""
    words = request.words
    if not 3 <= len(words) <= 4:
        return ERROR
    key = check_key(words[1])
    delta = parse_unsigned(words[2], reply=_BAD_DELTA)
    decrements = words[0] == b"decr"

    def work(db: Keyspace) -> bytes:
        record = items.string(db, key)
        counts.count(words[0], was_found=record is not None)
        if record is None:
            return b"NOT_FOUND\r\n"
        value = items.add(record, delta, decrements=decrements)
        db.put(key, value, record.expires_ms, record.flags)
        return value + b"\r\n"

    return Step(work, writes=True, is_quiet=words[-1] == NOREPLY, grows=True, key=key)


def touch(counts: Statistics, request: Request) -> Served:
    """Change when an item expires."""
    words = request.words
    if not 3 <= len(words) <= 4:
        return ERROR
    key = check_key(words[1])
    exptime = parse_signed(words[2], _BAD_EXPTIME)

    def work(db: Keyspace) -> bytes:
        record = items.string(db, key)
        counts.cmd_touch += 1
        counts.count(b"touch", was_found=record is not None)
        if record is None:
            return b"NOT_FOUND\r\n"
        items.live_until(db, key, record, last_ms(exptime, db.now_ms))
        return b"TOUCHED\r\n"

    return Step(work, writes=True, is_quiet=words[-1] == NOREPLY, key=key)


def delete(counts: Statistics, request: Request) -> Served:
    """Remove an item."""
    words = request.words
    if not 2 <= len(words) <= 4:
        return ERROR
    is_quiet = words[-1] == NOREPLY and len(words) > 2
    if len(words) > 2 + is_quiet and words[2] != b"0":  # a 0 is allowed for old clients
        return _BAD_DELETE
    key = check_key(words[1])

    def work(db: Keyspace) -> bytes:
        was_found = db.delete(key)
        counts.count(b"delete", was_found=was_found)
        return b"DELETED\r\n" if was_found else b"NOT_FOUND\r\n"

    return Step(work, writes=True, is_quiet=is_quiet, key=key)


def flush_all(counts: Statistics, request: Request) -> Served:
    """Remove every item, now or in some seconds."""
    words = request.words
    is_quiet = words[-1] == NOREPLY
    given = words[1 : len(words) - is_quiet]
    if len(words) > 3:
        return ERROR
    delay_s = parse_signed(given[0], _BAD_EXPTIME) if given else 0
    counts.cmd_flush += 1
    work = functools.partial(flushing.flush, delay_s=delay_s)
    return Step(work, writes=True, is_quiet=is_quiet, is_about_all=True)


def asks_for_none(request: Request) -> bool:
    """Report whether a text command wants no reply; meta commands have flags instead."""
    words = request.words
    return words[-1] == NOREPLY and words[0] in TEXT_COMMANDS and not words[0].startswith(b"g")


def verbosity(_: Statistics, request: Request) -> bytes:
    """Do nothing: the log has a level of its own (`corepool log-level`)."""
    if len(request.words) == 1:
        return ERROR
    return b"" if request.words[-1] == NOREPLY else b"OK\r\n"


TEXT_COMMANDS: dict[bytes, Handler] = {
    b"get": get,
    b"gets": get,
    b"gat": get_and_touch,
    b"gats": get_and_touch,
    b"set": store,
    b"add": store,
    b"replace": store,
    b"append": store,
    b"prepend": store,
    b"cas": store,
    b"incr": arithmetic,
    b"decr": arithmetic,
    b"touch": touch,
    b"delete": delete,
    b"flush_all": flush_all,
    b"verbosity": verbosity,
}
