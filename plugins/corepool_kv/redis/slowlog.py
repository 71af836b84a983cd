"""The slow log: the commands that took longest, of all workers, in the store.

An entry is written in a transaction of its own, behind the command: so commands that only read are in it, too.
"""

from __future__ import annotations

import functools
import json
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.keyspace import Limits
from corepool_kv.redis.monitoring import source_of
from corepool_kv.redis.secrets_of_requests import shown
from corepool_kv.stores import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.execution import Execution
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.parameters import Parameters
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.stores import StoreError

_RANGE, _ENTRY = b"slowlog", b"slow "
"""Keys in the database SYSTEM: the number of the oldest entry and that of the next one; and an entry, by its number."""

_NUMBER_BYTES = 8
_MAX_WORDS, _MAX_WORD_BYTES = 32, 128
"""As Redis (SLOWLOG_ENTRY_MAX_ARGC, SLOWLOG_ENTRY_MAX_STRING)."""

_MAX_WAITING = 1000
"""Entries that wait to be written; more are dropped."""

_NO_LIMIT = 1 << 62


class SlowLog:
    """Writes the entries of one listener in one worker. Implements `execution.Client`."""

    def __init__(
        self,
        execution: Execution,
        parameters: Parameters,
        max_key_bytes: int,
        find_command: Callable[[list[bytes]], Command],
    ) -> None:
        """Begin.

        :param parameters: say how many entries are kept.
        :param find_command: returns the command of a request.
        """
        self._execution = execution
        self._find_command = find_command
        self._parameters = parameters
        self.limits = Limits(max_key_bytes, _NO_LIMIT, _NO_LIMIT)
        self.waiting: list[Work] = []

    def note(self, session: Session, request: list[bytes], seconds: float) -> None:
        """Write an entry. Runs in: the loop's thread."""
        command = self._find_command(request)
        if "skip_slowlog" in command.flags or len(self.waiting) >= _MAX_WAITING:
            return
        words = [_cut(word).decode("latin-1") for word in shown(command, request[:_MAX_WORDS])]
        if len(request) > _MAX_WORDS:
            words[-1] = f"... ({len(request) - _MAX_WORDS + 1} more arguments)"
        name = session.name.decode("latin-1")
        entry = json.dumps([int(time.time()), int(seconds * 1e6), words, source_of(session), name]).encode()
        self._execution.submit(self, functools.partial(self._add, entry))

    def answer(self, replies: bytes) -> None:
        """Entries have no reply."""

    def explain(self, error: StoreError, commands: int) -> bytes:  # noqa: ARG002
        """Do without the entries: the failure itself is logged."""
        return b""

    def _add(self, entry: bytes, db: Keyspace) -> bytes:
        system = db.select(SYSTEM)
        first, end = _range(system)
        system.put(_key(end), entry)
        _keep(system, first, end + 1, int(self._parameters["slowlog-max-len"]))
        return b""


def length(db: Keyspace) -> int:
    """Return the number of entries."""
    first, end = _range(db.select(SYSTEM))
    return end - first


def entries(db: Keyspace, most: int) -> list[Reply]:
    """Return entries as SLOWLOG GET does, the newest first.

    :param most: -1: all.
    """
    system = db.select(SYSTEM)
    first, end = _range(system)
    if most >= 0:
        first = max(first, end - most)
    found: list[Reply] = []
    for number in range(end - 1, first - 1, -1):
        packed = system.get(_key(number))
        if packed is not None:
            at_s, microseconds, words, source, name = json.loads(packed)
            shown_words = [word.encode("latin-1") for word in words]
            found.append([number, at_s, microseconds, shown_words, source.encode(), name.encode("latin-1")])
    return found


def forget(db: Keyspace) -> None:
    """Remove all entries, in a transaction."""
    system = db.select(SYSTEM)
    first, end = _range(system)
    _keep(system, first, end, 0)


def _range(system: Keyspace) -> tuple[int, int]:
    packed = system.get(_RANGE) or bytes(2 * _NUMBER_BYTES)
    return int.from_bytes(packed[:_NUMBER_BYTES]), int.from_bytes(packed[_NUMBER_BYTES:])


def _keep(system: Keyspace, first: int, end: int, most: int) -> None:
    """Remove the oldest entries above a number of them."""
    begin = max(first, end - most)
    for number in range(first, begin):
        system.delete(_key(number))
    system.put(_RANGE, begin.to_bytes(_NUMBER_BYTES) + end.to_bytes(_NUMBER_BYTES))


def _key(number: int) -> bytes:
    return _ENTRY + number.to_bytes(_NUMBER_BYTES)


def _cut(word: bytes) -> bytes:
    left = len(word) - _MAX_WORD_BYTES
    return word if left <= 0 else b"%b... (%d more bytes)" % (word[:_MAX_WORD_BYTES], left)
