"""Commands on the entries of one stream."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool_kv.engine.streams import MAX_ID, MAX_SEQUENCE, SEQUENCE_BITS, Stream
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.stream_words import (
    make_id,
    parse_high,
    parse_id,
    parse_low,
    parse_options,
    show_id,
    word_entry,
)
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import OK, Error, NullArray, gather

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.commands.stream_words import Trimming
    from corepool_kv.redis.replies import Reply


def xadd(db: Keyspace, args: list[bytes]) -> Reply:
    options = parse_options(args[1:], True)  # in C there are no keywords
    if options.new_id is None:
        raise Error("ERR wrong number of arguments for 'xadd' command")
    milliseconds, is_open = options.new_id
    fields = options.rest
    if not fields or len(fields) % 2:
        raise Error("ERR wrong number of arguments for 'xadd' command")
    if milliseconds == 0 and not is_open:
        raise Error("ERR The ID specified in XADD must be greater than 0-0")
    db.check_length(sum(map(len, fields)))
    found = Stream.find(db, args[0]) if options.must_exist else Stream.open(db, args[0])
    if found is None:
        return None
    if found.last_id == MAX_ID:
        raise Error("ERR The stream has exhausted the last possible ID, unable to add more items")
    entry_id = _choose_id(db, found, milliseconds, is_open)
    if entry_id <= found.last_id:
        raise Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    found.add(entry_id, fields)
    trimmed = 0 if options.trimming is None else _trim(found, options.trimming)
    found.save()
    db.notify(b"xadd", args[0])
    if trimmed:
        db.notify(b"xtrim", args[0])
    return show_id(entry_id)


def xlen(db: Keyspace, args: list[bytes]) -> Reply:
    found = Stream.look_up(db, args[0])
    return 0 if found is None else len(found)


def xrange(db: Keyspace, args: list[bytes]) -> Reply:
    return _range(db, args[0], args[1], args[2], args[3:], reverse=False)


def xrevrange(db: Keyspace, args: list[bytes]) -> Reply:
    return _range(db, args[0], args[2], args[1], args[3:], reverse=True)


def xdel(db: Keyspace, args: list[bytes]) -> Reply:
    found = Stream.find(db, args[0])
    if found is None:
        return 0
    ids = list(map(parse_id, args[1:]))
    removed = sum([found.remove(entry_id) for entry_id in ids])
    if removed:
        found.save()
        db.notify(b"xdel", args[0])
    return removed


def xtrim(db: Keyspace, args: list[bytes]) -> Reply:
    options = parse_options(args[1:], False)
    found = Stream.find(db, args[0])
    if found is None or options.trimming is None:
        return 0
    removed = _trim(found, options.trimming)
    if removed:
        found.save()
        db.notify(b"xtrim", args[0])
    return removed


def xsetid(db: Keyspace, args: list[bytes]) -> Reply:
    last_id = parse_id(args[1])
    added, max_deleted_id = _parse_state(args[2:], last_id)
    found = Stream.find(db, args[0])
    if found is None:
        raise Error("ERR no such key")
    if last_id < found.max_deleted_id:
        raise Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if found.count and last_id < found.top_id:
        raise Error("ERR The ID specified in XSETID is smaller than the target stream top item")
    if found.count and added is not None and added < found.count:
        raise Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
    found.last_id = last_id
    if added is not None:
        found.added = added
    if max_deleted_id:
        found.max_deleted_id = max_deleted_id
    found.save()
    db.notify(b"xsetid", args[0])
    return OK


def _choose_id(db: Keyspace, found: Stream, wanted: int | None, is_open: bool) -> int:  # noqa: FBT001
    """Return the ID of a new entry; one that is too small is refused by the caller."""
    if wanted is None:
        now = make_id(db.now_ms, 0)
        return now if now > found.last_id | MAX_SEQUENCE else found.last_id + 1
    if is_open and wanted >> SEQUENCE_BITS == found.last_id >> SEQUENCE_BITS:
        return found.last_id if found.last_id & MAX_SEQUENCE == MAX_SEQUENCE else found.last_id + 1
    return wanted


def _trim(found: Stream, trimming: Trimming) -> int:
    if trimming.length is None:
        return found.trim_before(trimming.low, trimming.limit)
    return found.trim_to(trimming.length, trimming.limit)


def _range(db: Keyspace, key: bytes, begin: bytes, end: bytes, options: list[bytes], *, reverse: bool) -> Reply:
    low, high = parse_low(begin), parse_high(end)
    count: int | None = None
    words = iter(options)
    for word in words:
        text = next(words, None)
        if word.upper() != b"COUNT" or text is None:
            raise Error(SYNTAX)
        count = max(0, parse_integer(text))
    found = Stream.look_up(db, key)
    if found is None:
        return []
    if count == 0:
        return NullArray()
    entries = itertools.islice(found.entries(low, high, reverse=reverse), count)
    return gather(map(word_entry, entries), db.limits.reply)


def _parse_state(options: list[bytes], last_id: int) -> tuple[int | None, int]:
    """Read the options of XSETID: the number of entries ever added, and the largest ID that was removed."""
    added, max_deleted_id = None, 0
    words = iter(options)
    for word in words:
        text = next(words, None)
        if word.upper() == b"ENTRIESADDED" and text is not None:
            added = parse_integer(text)
            if added < 0:
                raise Error("ERR entries_added must be positive")
        elif word.upper() == b"MAXDELETEDID" and text is not None:
            max_deleted_id = parse_id(text)
            if last_id < max_deleted_id:
                raise Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        else:
            raise Error(SYNTAX)
    return added, max_deleted_id
