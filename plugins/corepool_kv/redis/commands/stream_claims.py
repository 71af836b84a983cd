"""XCLAIM and XAUTOCLAIM: a consumer takes over entries that another one has not acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import MAX_ID, Stream
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.stream_words import no_such_group, parse_id, parse_low, show_id, word_entry
from corepool_kv.redis.numbers import LARGEST, parse_integer, parse_range
from corepool_kv.redis.replies import Error, size_of, text_of, too_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.stream_groups import Delivery
    from corepool_kv.redis.replies import Reply

_COUNT = 100
_LOOKED_AT_FOR_ONE = 10
"""Deliveries that XAUTOCLAIM looks at for each that it may return."""


class _Options(NamedTuple):
    """The options of XCLAIM."""

    at_ms: int | None
    times: int | None
    last_id: int
    forces: bool
    just_ids: bool


class _Claim:
    """Entries that a consumer takes over: chosen at first, and changed when the reply is not too long."""

    def __init__(self, db: Keyspace, group: Group, consumer: bytes, *, just_ids: bool) -> None:
        self._group = group
        self._consumer = consumer
        self._just_ids = just_ids
        self._left = db.limits.reply
        self._limit = db.limits.reply
        self._changes: list[Callable[[], None]] = []
        self.replies: list[Reply] = []

    def take(self, entry_id: int, fields: list[bytes], before: Delivery | None, at_ms: int, times: int) -> None:
        """Take an entry over."""
        reply: Reply = show_id(entry_id) if self._just_ids else word_entry((entry_id, fields))
        self.replies.append(self.counted(reply))
        group, name = self._group, self._consumer
        self._changes.append(lambda: group.assign(entry_id, group.seen(name), at_ms, times, before))

    def counted(self, reply: Reply) -> Reply:
        """Return a part of the reply.

        :raises Error: the reply is too long with it.
        """
        self._left -= size_of(reply)
        if self._left < 0:
            raise too_long(self._limit)
        return reply

    def drop(self, delivery: Delivery) -> None:
        """Forget the delivery of an entry that is gone."""
        self._changes.append(lambda: self._group.release(delivery))

    def carry_out(self) -> None:
        """Make the changes."""
        for change in self._changes:
            change()
        self._group.save()


def xclaim(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, consumer, idle, *words = args
    group = _find(db, key, name)
    idle_ms = max(0, parse_integer(idle, "ERR Invalid min-idle-time argument for XCLAIM"))
    ids, options = _parse_ids(words)
    given = _parse_options(options, db.now_ms)
    claim = _Claim(db, group, consumer, just_ids=given.just_ids)
    at_ms = db.now_ms if given.at_ms is None or not 0 <= given.at_ms <= db.now_ms else given.at_ms
    for entry_id in dict.fromkeys(ids):
        before = group.delivery(entry_id)
        fields = group.stream.get(entry_id)
        if fields is None:
            if before is not None:
                claim.drop(before)
        elif before is not None:
            if not idle_ms or db.now_ms - before.at_ms >= idle_ms:
                claim.take(entry_id, fields, before, at_ms, _times(given, before.times))
        elif given.forces:
            claim.take(entry_id, fields, None, at_ms, _times(given, 1))
    group.last_id = max(group.last_id, given.last_id)
    claim.carry_out()
    return claim.replies


def xautoclaim(db: Keyspace, args: list[bytes]) -> Reply:
    key, name, consumer, idle, start, *options = args
    idle_ms = max(0, parse_integer(idle, "ERR Invalid min-idle-time argument for XAUTOCLAIM"))
    low = parse_low(start)
    count, just_ids = _parse_auto_options(options)
    group = _find(db, key, name)
    claim = _Claim(db, group, consumer, just_ids=just_ids)
    removed: list[Reply] = []
    following = 0
    attempts = count * _LOOKED_AT_FOR_ONE
    for delivery in group.deliveries(low, MAX_ID):
        if not attempts or not count:
            following = delivery.id
            break
        attempts -= 1
        fields = group.stream.get(delivery.id)
        if fields is None:
            claim.drop(delivery)
            removed.append(claim.counted(show_id(delivery.id)))
            count -= 1
        elif not idle_ms or db.now_ms - delivery.at_ms >= idle_ms:
            claim.take(delivery.id, fields, delivery, db.now_ms, delivery.times + (not just_ids))
            count -= 1
    claim.carry_out()
    return [show_id(following), claim.replies, removed]


def _find(db: Keyspace, key: bytes, name: bytes) -> Group:
    found = Stream.find(db, key)
    group = None if found is None else Group.find(found, name)
    if group is None:
        raise no_such_group(key, name)
    return group


def _parse_ids(words: list[bytes]) -> tuple[list[int], list[bytes]]:
    """Return the IDs at the beginning, and the words behind them."""
    ids: list[int] = []
    for word in words:
        try:
            ids.append(parse_id(word))
        except Error:
            break
    return ids, words[len(ids) :]


def _parse_options(words: list[bytes], now_ms: int) -> _Options:
    given = _Options(None, None, 0, forces=False, just_ids=False)
    rest = iter(words)
    for word in rest:
        option = word.upper()
        if option == b"FORCE":
            given = given._replace(forces=True)
        elif option == b"JUSTID":
            given = given._replace(just_ids=True)
        elif option in (b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID") and (text := next(rest, None)) is not None:
            if option == b"LASTID":
                given = given._replace(last_id=parse_id(text))
                continue
            number = parse_integer(text, f"ERR Invalid {option.decode()} option argument for XCLAIM")
            if option == b"RETRYCOUNT":
                given = given._replace(times=number if number >= 0 else None)
            else:
                at_ms = now_ms - number if option == b"IDLE" else number
                given = given._replace(at_ms=None if at_ms == -1 else at_ms)
        else:
            raise Error(f"ERR Unrecognized XCLAIM option '{text_of(word)}'")
    return given


def _times(given: _Options, before: int) -> int:
    if given.times is not None:
        return given.times
    return before if given.just_ids else before + 1


def _parse_auto_options(words: list[bytes]) -> tuple[int, bool]:
    count, just_ids = _COUNT, False
    rest = iter(words)
    for word in rest:
        if word.upper() == b"COUNT" and (text := next(rest, None)) is not None:
            count = parse_range(text, 1, LARGEST // 16, "ERR COUNT must be > 0")
        elif word.upper() == b"JUSTID":
            just_ids = True
        else:
            raise Error(SYNTAX)
    return count, just_ids
