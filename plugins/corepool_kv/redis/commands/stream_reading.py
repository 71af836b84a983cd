"""XREAD and XREADGROUP: entries of several streams, or a wait for some."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.errors import AbandonedError
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import MAX_ID, Stream
from corepool_kv.redis.commands.blocking import MAX_COUNT, check_keys, parse_milliseconds
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.stream_words import no_such_group, parse_id, show_id, word_entry
from corepool_kv.redis.may_wait import MayWait
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error, NullArray, Table, encode, gather, size_of, too_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.stream_groups import Delivery
    from corepool_kv.redis.replies import Reply

_COUNT_OF_WAIT = 1000
"""Entries that a client gets which has waited, if it has named no number."""
_NO_GROUP_OPTION = "ERR The {} option is only supported by XREADGROUP. You called XREAD instead."
_MEANINGLESS = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
)
_NEW_OF_GROUP = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
_UNBALANCED = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
_NEWEST = MAX_ID
"""Stands for `>`: entries that no consumer has got."""


class _Request(NamedTuple):
    """The words of a request."""

    keys: tuple[bytes, ...]
    ids: tuple[bytes, ...]
    most: int
    """0: all entries."""
    group: bytes | None
    consumer: bytes
    acknowledges: bool


def xread(args: list[bytes]) -> MayWait:
    request, patience_ms = _parse(args, "xread")
    return MayWait(functools.partial(_read, request), patience_ms, NullArray(), writes=False)


def xreadgroup(args: list[bytes]) -> MayWait:
    request, patience_ms = _parse(args, "xreadgroup")
    if request.group is None:
        raise Error("ERR Missing GROUP option for XREADGROUP")
    return MayWait(functools.partial(_read_group, request, request.group), patience_ms, NullArray())


def find_keys(request: list[bytes]) -> list[bytes]:
    """Find the keys behind STREAMS."""
    words = [word.upper() for word in request]
    at = words.index(b"STREAMS", 1) + 1 if b"STREAMS" in words[1:] else len(words)
    keys = request[at : at + (len(request) - at) // 2]
    if not keys:
        raise Error("ERR Invalid arguments specified for command")
    return keys


def _parse(args: list[bytes], command: str) -> tuple[_Request, int | None]:
    """Read the words of a request, and the time that it waits."""
    of_group = command == "xreadgroup"
    patience_ms: int | None = None
    count = 0
    group: bytes | None = None
    consumer, acknowledges = b"", True
    at = 0
    while at < len(args):
        word, left = args[at].upper(), len(args) - at - 1
        if word == b"BLOCK" and left:
            patience_ms = parse_milliseconds(args[at + 1])
            at += 2
        elif word == b"COUNT" and left:
            count = min(max(0, parse_integer(args[at + 1])), MAX_COUNT)
            at += 2
        elif word == b"STREAMS" and left:
            if left % 2:
                raise Error(_UNBALANCED)
            names = args[at + 1 :]
            keys, ids = names[: left // 2], names[left // 2 :]
            waited = check_keys(keys)
            return _Request(waited, tuple(ids), count, group, consumer, acknowledges), patience_ms
        elif word == b"GROUP" and left >= 2:
            if not of_group:
                raise Error(_NO_GROUP_OPTION.format("GROUP"))
            group, consumer = args[at + 1 : at + 3]
            at += 3
        elif word == b"NOACK":
            if not of_group:
                raise Error(_NO_GROUP_OPTION.format("NOACK"))
            acknowledges = False
            at += 1
        else:
            raise Error(SYNTAX)
    raise Error(SYNTAX)


def _read(request: _Request, db: Keyspace) -> Reply | AnyDemand:
    after: list[int] = []
    streams: list[Stream | None] = []
    for key, text in zip(request.keys, request.ids, strict=True):
        found = Stream.look_up(db, key)
        streams.append(found)
        if text == b"$":
            after.append(0 if found is None else found.last_id)
        elif text == b">":
            raise Error(_NEW_OF_GROUP)
        else:
            after.append(parse_id(text))
    items: list[tuple[bytes, Reply]] = []
    left = db.limits.reply
    for key, found, known in zip(request.keys, streams, after, strict=True):
        if found is None:
            db.notify(b"keymiss", key)  # once more: Redis looks each key up twice
        elif known < MAX_ID:
            entries = itertools.islice(found.entries(known + 1, MAX_ID), request.most or None)
            worded = gather(map(word_entry, entries), left)
            left -= size_of(worded)
            if worded:
                items.append((key, worded))
    if items:
        return Table(items)
    return StreamDemand(db.number, request.keys, tuple(after), request.most or _COUNT_OF_WAIT)


def _read_group(request: _Request, name: bytes, db: Keyspace) -> Reply | AnyDemand:
    groups: dict[bytes, Group] = {}
    known: list[int] = []
    for key, text in zip(request.keys, request.ids, strict=True):
        groups[key] = groups.get(key) or _find_group(db, key, name)
        if text == b"$":
            raise Error(_MEANINGLESS)
        known.append(_NEWEST if text == b">" else parse_id(text))
    items: list[tuple[bytes, Reply]] = []
    left = db.limits.reply
    for key, after in zip(request.keys, known, strict=True):
        read = _read_new if after == _NEWEST else _read_history
        try:
            worded, note = read(groups[key], request, after, left)
        except Error as error:
            if items:
                raise AbandonedError(encode(error, False)) from None  # some of it is noted
            raise
        if worded or after != _NEWEST:
            note()
            left -= size_of(worded)
            items.append((key, worded))
    if items:
        for group in groups.values():
            group.save()
        return Table(items)
    after_none = (0,) * len(request.keys)
    return StreamDemand(
        db.number,
        request.keys,
        after_none,
        request.most or _COUNT_OF_WAIT,
        name,
        request.consumer,
        request.acknowledges,
    )


def _find_group(db: Keyspace, key: bytes, name: bytes) -> Group:
    found = Stream.find(db, key)
    group = None if found is None else Group.find(found, name)
    if group is None:
        raise Error(f"{no_such_group(key, name)} in XREADGROUP with GROUP option")
    return group


def _read_new(
    group: Group,
    request: _Request,
    after: int,  # noqa: ARG001
    max_bytes: int,
) -> tuple[list[Reply], Callable[[], None]]:
    """Return entries that no consumer has got, and the function that notes their delivery."""
    ids: list[int] = []
    worded: list[Reply] = []
    if group.last_id < MAX_ID:
        for entry in itertools.islice(group.stream.entries(group.last_id + 1, MAX_ID), request.most or None):
            ids.append(entry[0])
            worded.append(word_entry(entry))
            max_bytes -= size_of(worded[-1])
            if max_bytes < 0:
                raise too_long(group.stream.db.limits.reply)

    def deliver() -> None:
        group.deliver(group.seen(request.consumer), ids, keeps=request.acknowledges)

    return worded, deliver


def _read_history(
    group: Group, request: _Request, after: int, max_bytes: int
) -> tuple[list[Reply], Callable[[], None]]:
    """Return entries that this consumer has got, and has not acknowledged; and the function that notes it."""
    consumer = group.consumer(request.consumer)
    found = (
        []
        if consumer is None
        else itertools.islice(group.deliveries(after + 1, MAX_ID, consumer), request.most or None)
    )
    again: list[Delivery] = []
    worded = gather((_word_delivery(group.stream, each, again) for each in found), max_bytes)

    def note() -> None:
        mine = group.seen(request.consumer)
        for each in again:
            group.assign(each.id, mine, group.stream.db.now_ms, each.times + 1, each)

    return worded, note


def _word_delivery(stream: Stream, delivery: Delivery, again: list[Delivery]) -> Reply:
    fields = stream.get(delivery.id)
    if fields is None:
        return [show_id(delivery.id), NullArray()]
    again.append(delivery)
    return word_entry((delivery.id, fields))
