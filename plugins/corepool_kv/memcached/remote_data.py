"""One item of a store on other servers, and all of them, as the commands see them through a `Keyspace`. Does no I/O.

An item is a string of the server: a line with its flags, its CAS and its end of life, and the value behind that.
The data are read when a command needs them: until then `NotReadError` is raised, and the command is run again.
"""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING, NoReturn

from corepool_kv.engine.errors import RefusedError
from corepool_kv.stores import STRING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = re.compile(rb"item ([0-9]{1,11}) ([0-9]{1,20}) ([0-9]{1,20})\n")
MAX_HEAD_BYTES = 80

_NONE, _OTHER = b"", b"other"
"""In the place of a head: there is no item; there is a value that these commands have not written."""

_STRANGE = Record(b"", 0, 0, 0, type=0)

COMMIT = b"""
local held = redis.pcall('GETRANGE', KEYS[1], 0, 79)
if type(held) == 'table' then
    held = 'other'
elseif held ~= '' then
    held = string.match(held, '^item %d+ %d+ %d+\\n') or 'other'
end
if held ~= ARGV[1] then
    return redis.pcall('GET', KEYS[1])
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
elseif ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return redis.status_reply('OK')
"""
"""Write an item, or remove it, if it is still the one that was read; else return the one that is there."""


class NotReadError(Exception):
    """A command needs data that were not read yet."""


class Versions:
    """The CAS of each write: a number that no other write of the same key has, in any process of any host."""

    def __init__(self) -> None:
        self._last_us = 0
        self._mine = random.getrandbits(12)  # two processes rarely write one key in the same microsecond

    def next(self, behind: int = 0) -> int:
        """Return the next one, which is larger than `behind`."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000, (behind >> 12) + 1)
        return self._last_us << 12 | self._mine


class OneItem:
    """An item. Implements as much of `stores.Transaction` as the commands of memcached use."""

    def __init__(self, versions: Versions, reply: bytes | None = None) -> None:
        """Take the data that were read.

        :param reply: the server's, to GET; None: it was not asked.
        """
        self._versions = versions
        self._base: bytes | None = None
        """The head that was read."""
        self._is_known = reply is not None
        self._record: Record | None = None
        self.is_changed = False
        if reply is not None:
            self._base, self._record = _read(reply)

    def get(self, key: bytes) -> Record | None:  # noqa: ARG002  # the one that it is about
        if not self._is_known:
            raise NotReadError
        return self._record

    def put(self, key: bytes, value: bytes, expires_ms: int, flags: int) -> None:
        self.put_record(key, Record(value, expires_ms, 0, flags))

    def put_record(self, key: bytes, record: Record) -> None:  # noqa: ARG002
        behind = 0 if self._record is None else self._record.version
        self._record = record._replace(version=self._versions.next(behind))
        self._is_known = self.is_changed = True

    def delete(self, key: bytes, now_ms: int) -> bool:
        record = self.get(key)
        if record is None:
            return False
        self._record = None
        self.is_changed = True
        return not 0 < record.expires_ms < now_ms

    def commit(self, key: bytes, now_ms: int) -> Sequence[bytes]:
        """Return the command that writes the changes: if nothing was read, whatever is there now."""
        data = left_ms = b""
        record = self._record
        if record is not None and not 0 < record.expires_ms < now_ms:  # else it has ended already
            data = b"item %d %d %d\n%b" % (record.flags, record.version, record.expires_ms, record.value)
            left_ms = b"%d" % max(record.expires_ms - now_ms, 1) if record.expires_ms else b""
        if self._base is None:
            if not data:
                return b"DEL", key
            return (b"SET", key, data, b"PX", left_ms) if left_ms else (b"SET", key, data)
        return b"EVAL", COMMIT, b"1", key, self._base, data, left_ms


class AllItems:
    """A database. Implements as much of `stores.Transaction` as the commands about all items use."""

    def __init__(self, count: int | None = None) -> None:
        """Take the data that were read.

        :param count: keys of the database; None: the servers were not asked.
        """
        self._count = count
        self.is_cleared = False

    def count(self) -> int:
        if self._count is None:
            raise NotReadError
        return self._count

    def used_bytes(self) -> int:
        return 0  # the servers know

    def clear(self) -> None:
        self.is_cleared = True

    def database(self, number: int) -> AllItems:  # noqa: ARG002  # for the note of a flush_all that is to come
        return self

    def delete(self, key: bytes, now_ms: int) -> bool:  # noqa: ARG002
        return False

    def put(self, *_: object) -> NoReturn:
        raise RefusedError("flush_all with a delay is for a store on this machine")


def _read(reply: bytes) -> tuple[bytes, Record | None]:
    """Return the head of an item, and the item, from the reply to GET."""
    if reply[:1] == b"-":  # WRONGTYPE
        return _OTHER, _STRANGE
    data = reply[reply.index(b"\r\n") + 2 : -2]
    if not data:  # neither a key without a value, nor one with an empty one, is an item
        return _NONE, None
    match = _HEAD.match(data)
    if match is None:
        return _OTHER, _STRANGE
    flags, version, expires_ms = map(int, match.groups())
    return match[0], Record(data[match.end() :], expires_ms, version, flags, STRING)
