"""The words of commands on streams: IDs, ranges, ways to trim; and entries as replies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.streams import MAX_ID, MAX_SEQUENCE, SEQUENCE_BITS
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error, Table, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_kv.engine.streams import Entry
    from corepool_kv.redis.replies import Reply

_INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
_MAX_ID_BYTES = 127
_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")
_NEGATIVE = re.compile(rb"-[1-9][0-9]*")

_MAX_SHOWN_BYTES = 1024

_LIMIT = 10_000
"""Entries that `~` trims at most, if there is no LIMIT: as many as 100 nodes of Redis have."""


def show_id(entry_id: int) -> bytes:
    """Return an ID as clients know it."""
    return b"%d-%d" % (entry_id >> SEQUENCE_BITS, entry_id & MAX_SEQUENCE)


def show_name(name: bytes) -> str:
    """Return the name of a key or group for an error."""
    return text_of(name, _MAX_SHOWN_BYTES)


def no_such_group(key: bytes, name: bytes) -> Error:
    """Return the error for a key or group that does not exist."""
    return Error(f"NOGROUP No such key '{show_name(key)}' or consumer group '{show_name(name)}'")


def make_id(milliseconds: int, sequence: int) -> int:
    """Return the ID of a time and a sequence."""
    return milliseconds << SEQUENCE_BITS | sequence


def parse_id(text: bytes, missing: int = 0) -> int:
    """Read an ID.

    :param missing: the sequence of one that has none.
    :raises Error: it is none.
    """
    text = text.partition(b"\0")[0] if len(text) <= _MAX_ID_BYTES else b""
    milliseconds, dash, sequence = text.partition(b"-")
    return make_id(_parse_number(milliseconds), _parse_number(sequence) if dash else missing)


def parse_new_id(text: bytes) -> tuple[int | None, bool]:
    """Return an ID, or None for any, and whether its sequence is to be chosen.

    :raises Error: it is none.
    """
    if text == b"*":
        return None, True
    milliseconds, dash, sequence = text.partition(b"-")
    if dash and sequence == b"*":
        return parse_id(milliseconds), True
    return parse_id(text), False


def parse_edge(text: bytes, missing: int = 0) -> int:
    """Read an ID, or `-` or `+`, the smallest and the largest.

    :raises Error: it is none.
    """
    match text.partition(b"\0")[0]:
        case b"-":
            return 0
        case b"+":
            return MAX_ID
    return parse_id(text, missing)


def parse_low(text: bytes) -> int:
    """Read the smaller end of a range, and return the smallest ID in it.

    :raises Error: it is none.
    """
    if len(text) < 2 or text[:1] != b"(":
        return parse_edge(text)
    low = parse_id(text[1:])
    if low == MAX_ID:
        raise Error("ERR invalid start ID for the interval")
    return low + 1


def parse_high(text: bytes) -> int:
    """Read the larger end of a range, and return the largest ID in it.

    :raises Error: it is none.
    """
    if len(text) < 2 or text[:1] != b"(":
        return parse_edge(text, MAX_SEQUENCE)
    high = parse_id(text[1:], MAX_SEQUENCE)
    if not high:
        raise Error("ERR invalid end ID for the interval")
    return high - 1


def _parse_number(text: bytes) -> int:
    """Read a number of 64 bits without a sign, with all that strtoull(3) takes for one (string2ull)."""
    found = _NUMBER.fullmatch(text)
    if found is None or int(found[2]) > MAX_SEQUENCE or _NEGATIVE.fullmatch(text):
        raise Error(_INVALID_ID)
    number = int(found[2])
    return -number & MAX_SEQUENCE if found[1] == b"-" else number


class Trimming(NamedTuple):
    """The way in which a stream is trimmed."""

    length: int | None
    """Entries to keep; None: those from `low` on."""
    low: int
    limit: int
    """Entries to remove at most; 0: any number."""


class AddOptions(NamedTuple):
    """The options of XADD and XTRIM."""

    trimming: Trimming | None
    must_exist: bool
    new_id: tuple[int | None, bool] | None
    """As `parse_new_id` returns it; None: there is none."""
    rest: list[bytes]
    """Words behind that."""


def parse_options(words: list[bytes], adds: bool) -> AddOptions:  # noqa: FBT001  # in C there are no keywords
    """Read the options of XADD, or of XTRIM.

    :raises Error: they are none.
    """
    trimming: Trimming | None = None
    limit: int | None = None
    is_about = must_exist = False
    at = 0
    while at < len(words):
        word, left = words[at].upper(), len(words) - at - 1
        if word in (b"MAXLEN", b"MINID") and left:
            if trimming is not None:
                raise Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
            if left >= 2 and words[at + 1] in (b"~", b"="):
                at += 1
                is_about = words[at] == b"~"
            trimming = _parse_trimming(word, words[at + 1])
            at += 2
        elif word == b"LIMIT" and left:
            limit = parse_integer(words[at + 1])
            if limit < 0:
                raise Error("ERR The LIMIT argument must be >= 0.")
            at += 2
        elif word == b"NOMKSTREAM" and adds:
            must_exist = True
            at += 1
        elif adds:
            break
        else:
            raise Error(SYNTAX)
    new_id = parse_new_id(words[at]) if at < len(words) else None  # a wrong one is told of before a wrong LIMIT
    return AddOptions(_limited(trimming, limit, is_about=is_about, adds=adds), must_exist, new_id, words[at + 1 :])


def _parse_trimming(word: bytes, text: bytes) -> Trimming:
    if word == b"MINID":
        return Trimming(None, parse_id(text), 0)
    length = parse_integer(text)
    if length < 0:
        raise Error("ERR The MAXLEN argument must be >= 0.")
    return Trimming(length, 0, 0)


def _limited(trimming: Trimming | None, limit: int | None, *, is_about: bool, adds: bool) -> Trimming | None:
    if limit and trimming is None:
        raise Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if trimming is None and not adds:
        raise Error("ERR syntax error, XTRIM must be called with a trimming strategy")
    if limit is not None and not is_about:
        raise Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
    if trimming is None or not is_about:
        return trimming
    return trimming._replace(limit=_LIMIT if limit is None else limit)


def word_entry(entry: Entry) -> Reply:
    """Return an entry as a reply."""
    return [show_id(entry[0]), entry[1]]


def word_entries(streams: Iterable[tuple[bytes, list[Entry]]]) -> Reply:
    """Return entries of several streams as a reply."""
    return Table([(key, list(map(word_entry, entries))) for key, entries in streams])
