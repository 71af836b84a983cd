"""The meta commands: mg, ms, md, ma, mn, me (doc/protocol.txt of memcached, "Meta Commands")."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.memcached import items
from corepool_kv.memcached.items import CLIENT_FLAGS, STALE, TOKEN_SENT, Mode, Outcome, Put
from corepool_kv.memcached.meta_flags import (
    BAD_MODE_LENGTH,
    DUPLICATE_FLAG,
    INVALID_FLAG,
    INVALID_OR_DUPLICATE,
    Flags,
)
from corepool_kv.memcached.numbers import (
    BAD_FORMAT,
    LARGEST_FLAGS,
    RefusedLineError,
    check_key,
    last_ms,
    left_s,
)
from corepool_kv.memcached.steps import TOO_LARGE, Step
from corepool_kv.memcached.text import BAD_CHUNK, ERROR

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.memcached.requests import Request
    from corepool_kv.memcached.statistics import Statistics
    from corepool_kv.memcached.text import Handler, Served
    from corepool_kv.stores import Record

_SET_MODES = {b"S": Mode.SET, b"E": Mode.ADD, b"A": Mode.APPEND, b"P": Mode.PREPEND, b"R": Mode.REPLACE}
_SET_MODES |= {mode.lower(): each for mode, each in _SET_MODES.items()}
_DECREMENTS = {b"I": False, b"i": False, b"+": False, b"D": True, b"d": True, b"-": True}


def _facts(db: Keyspace, record: Record) -> dict[str, int]:
    return {
        "f": record.flags & CLIENT_FLAGS,
        "c": record.version,
        "s": len(record.value),
        "t": left_s(record.expires_ms, db.now_ms),
    }


def _parse(words: list[bytes], known: bytes, invalid: bytes, duplicate: bytes) -> tuple[Flags, bytes]:
    """Return the flags of a request, and its key.

    :param words: the command, the key as it is written, and the flags.
    :raises RefusedLineError: one of them is wrong.
    """
    check_key(words[1])
    flags = Flags(words[2:], known, invalid=invalid, duplicate=duplicate)
    return flags, check_key(flags.key(words[1]))


# --- mg


class _Get(NamedTuple):
    """The wish of an mg."""

    flags: Flags
    written: bytes
    key: bytes
    ttl: int | None
    vivify: int | None
    recache: int | None

    def needs_write(self, db: Keyspace) -> bool:
        """Report whether the reply changes the item: another end of life, a new one, or a token."""
        record = items.find(db, self.key)
        if record is None:
            return self.vivify is not None
        return self.ttl is not None or (not record.flags & TOKEN_SENT and self._is_to_be_recached(db, record))

    def _is_to_be_recached(self, db: Keyspace, record: Record) -> bool:
        if record.flags & STALE:
            return True
        return self.recache is not None and 0 <= left_s(record.expires_ms, db.now_ms) < self.recache

    def read(self, db: Keyspace) -> tuple[Record | None, bytes]:
        """Return the item, and the flags of the reply that tell its state."""
        record = items.find(db, self.key)
        if record is None:
            return None, b""
        return record, (b" Z" if record.flags & TOKEN_SENT else b"") + (b" X" if record.flags & STALE else b"")

    def write(self, db: Keyspace) -> tuple[Record | None, bytes]:
        """Change the item, and return it, and the flags of the reply that tell its state."""
        record = items.find(db, self.key)
        if record is None and self.vivify is not None:
            db.put(self.key, b"", last_ms(self.vivify, db.now_ms), TOKEN_SENT)
            return items.find(db, self.key), b" W"
        if record is None or not self.needs_write(db):
            return self.read(db)
        expires_ms = record.expires_ms if self.ttl is None else last_ms(self.ttl, db.now_ms)
        wins = not record.flags & TOKEN_SENT and self._is_to_be_recached(db, record)
        state = b" Z" if record.flags & TOKEN_SENT else b""
        if record.flags & STALE:
            state += b" X"
        db.put(self.key, record.value, expires_ms, record.flags | (TOKEN_SENT if wins else 0))
        changed = record._replace(expires_ms=expires_ms, version=db.version(self.key) or record.version)
        return changed, state + (b" W" if wins else b"")


def meta_get(counts: Statistics, request: Request) -> Served:
    """mg: return an item, or facts of it, or have one client make it anew."""
    words = request.words
    if len(words) < 2:
        return ERROR
    flags, key = _parse(words, b"bcfkOqstvNRT", INVALID_FLAG, DUPLICATE_FLAG)
    wish = _Get(flags, words[1], key, flags.signed("T"), flags.signed("N"), flags.signed("R"))
    counts.cmd_meta += 1

    def reply(db: Keyspace, record: Record | None, state: bytes) -> bytes:
        if record is None:
            counts.get_misses += 1
            return b"" if "q" in flags else b"EN%b\r\n" % flags.echoed(wish.written)
        counts.get_hits += 1
        echoed = flags.echoed(wish.written, **_facts(db, record)) + state
        if "v" in flags:
            return b"VA %d%b\r\n%b\r\n" % (len(record.value), echoed, record.value)
        return b"HD%b\r\n" % echoed

    return Step(
        lambda db: reply(db, *wish.read(db)),
        writes=False,
        needs_write=wish.needs_write,
        written=lambda db: reply(db, *wish.write(db)),
        key=key,
    )


# --- ms


def meta_set(counts: Statistics, request: Request) -> Served:
    """ms: store an item."""
    words = request.words
    if len(words) < 2:
        return ERROR
    if len(words) < 3 or not words[2].isdigit():
        return BAD_FORMAT
    flags, key = _parse([*words[:2], *words[3:]], b"bcCFIkMOqsTvft", INVALID_FLAG, DUPLICATE_FLAG)
    exptime = flags.signed("T") or 0
    kept = flags.unsigned("F", BAD_FORMAT) or 0
    if kept > LARGEST_FLAGS:
        return BAD_FORMAT
    cas = flags.unsigned("C")
    mode = _mode(flags)
    if request.is_too_large:
        counts.store_too_large += 1
        return TOO_LARGE
    if request.value is None:
        return BAD_CHUNK if request.is_broken else BAD_FORMAT
    put = Put(key, request.value, kept, mode, cas, may_be_late="I" in flags)
    counts.cmd_meta += 1
    work = functools.partial(_store, counts, flags, words[1], put, exptime)
    return Step(work, writes=True, size=len(request.value), grows=True, key=key)


def _mode(flags: Flags) -> Mode:
    token = flags.token("M")
    if token is None:
        return Mode.SET
    if len(token) != 1:
        raise RefusedLineError(BAD_MODE_LENGTH)
    mode = _SET_MODES.get(token)
    if mode is None:
        raise RefusedLineError(b"CLIENT_ERROR invalid mode for ms M token\r\n")
    return mode


_SET_REPLIES = {Outcome.STORED: b"HD", Outcome.NOT_STORED: b"NS", Outcome.EXISTS: b"EX", Outcome.NOT_FOUND: b"NF"}


def _store(counts: Statistics, flags: Flags, written: bytes, put: Put, exptime: int, db: Keyspace) -> bytes:
    outcome = put.store(db, last_ms(exptime, db.now_ms))
    counts.count_stored(outcome)
    if "C" in flags:
        counts.count_swapped(outcome)
    if outcome is Outcome.STORED and "q" in flags:
        return b""
    cas = (db.version(put.key) or 0) if outcome is Outcome.STORED and "c" in flags else 0
    return _SET_REPLIES[outcome] + flags.echoed(written, c=cas) + b"\r\n"


# --- md, ma, mn, me


def meta_delete(counts: Statistics, request: Request) -> Served:
    """md: remove an item, or mark it stale."""
    words = request.words
    if len(words) < 2:
        return ERROR
    flags, key = _parse(words, b"bcCIkOqTvsft", INVALID_OR_DUPLICATE, INVALID_OR_DUPLICATE)
    cas, ttl = flags.unsigned("C"), flags.signed("T")
    counts.cmd_meta += 1

    def work(db: Keyspace) -> bytes:
        echoed = flags.echoed(words[1]) + b"\r\n"
        record = db.find(key)
        counts.count(b"delete", was_found=record is not None)
        if record is None:
            return b"NF" + echoed
        if cas is not None and record.version != cas:
            return b"EX" + echoed
        if "I" in flags:
            item = items.string(db, key)
            assert item is not None
            expires_ms = item.expires_ms if ttl is None else last_ms(ttl, db.now_ms)
            db.put(key, item.value, expires_ms, item.flags & CLIENT_FLAGS | STALE)
        else:
            db.delete(key)
        return b"" if "q" in flags else b"HD" + echoed

    return Step(work, writes=True, key=key)


def meta_arithmetic(counts: Statistics, request: Request) -> Served:
    """ma: add to a number, or subtract from it."""
    words = request.words
    if len(words) < 2:
        return ERROR
    flags, key = _parse(words, b"bcCDJkMNOqTtvsf", INVALID_OR_DUPLICATE, INVALID_OR_DUPLICATE)
    vivify, initial = flags.signed("N"), flags.unsigned("J", INVALID_OR_DUPLICATE) or 0
    delta, ttl, cas = flags.unsigned("D", INVALID_OR_DUPLICATE), flags.signed("T"), flags.unsigned("C")
    mode = flags.token("M")
    if mode is not None and mode not in _DECREMENTS:
        word = BAD_MODE_LENGTH if len(mode) != 1 else b"CLIENT_ERROR invalid mode for ma M token\r\n"
        raise RefusedLineError(word)
    decrements = mode is not None and _DECREMENTS[mode]
    counts.cmd_meta += 1

    def work(db: Keyspace) -> bytes:
        record = items.string(db, key)
        counts.count(b"decr" if decrements else b"incr", was_found=record is not None)
        if record is None:
            if vivify is None:
                return b"NF%b\r\n" % flags.echoed(words[1])
            value, expires_ms, kept = b"%d" % initial, last_ms(vivify, db.now_ms), 0
        elif cas is not None and record.version != cas:
            return b"EX%b\r\n" % flags.echoed(words[1])
        else:
            value = items.add(record, 1 if delta is None else delta, decrements=decrements)
            expires_ms = record.expires_ms if ttl is None else last_ms(ttl, db.now_ms)
            kept = record.flags
        db.put(key, value, expires_ms, kept)
        if "q" in flags and record is not None:  # an item that was made is told of in any case, as by memcached 1.6.18
            return b""
        echoed = flags.echoed(words[1], c=db.version(key) or 0, t=left_s(expires_ms, db.now_ms))
        return b"VA %d%b\r\n%b\r\n" % (len(value), echoed, value) if "v" in flags else b"HD%b\r\n" % echoed

    return Step(work, writes=True, grows=True, key=key)


def meta_debug(_: Statistics, request: Request) -> Served:
    """me: tell about an item, for people."""
    words = request.words
    if len(words) < 2:
        return BAD_FORMAT
    key = _parse(words, b"b", INVALID_FLAG, DUPLICATE_FLAG)[1]

    def work(db: Keyspace) -> bytes:
        record = items.find(db, key)
        if record is None:
            return b"EN\r\n"
        left = left_s(record.expires_ms, db.now_ms)
        return b"ME %b exp=%d cas=%d size=%d\r\n" % (words[1], left, record.version, len(record.value))

    return Step(work, writes=False, key=key)


def meta_no_op(_: Statistics, request: Request) -> bytes:  # noqa: ARG001
    """mn: answer, so that a client knows that what it had sent before was done."""
    return b"MN\r\n"


META_COMMANDS: dict[bytes, Handler] = {
    b"mg": meta_get,
    b"ms": meta_set,
    b"md": meta_delete,
    b"ma": meta_arithmetic,
    b"mn": meta_no_op,
    b"me": meta_debug,
}
