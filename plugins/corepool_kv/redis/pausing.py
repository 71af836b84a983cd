"""CLIENT PAUSE: requests that wait until a time, in all workers of the pool.

The pause is in memory that the workers share, where those that begin later find it; the others are told over the bus.
"""

from __future__ import annotations

import hashlib
import time
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool import Worker
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.session import Session

_PAUSE = Struct("<q?")
_MOST, _BYTES = 1024, 64
_MAX_TIMER_S = 1e9
_MAX_KEPT_S = 2**31 - 1

_LIKE_WRITES = frozenset((b"publish", b"spublish", b"eval", b"evalsha", b"fcall", b"pfcount"))
"""Redis's commands that may reach replicas without being writes."""


class Pausing:
    """The pause as one listener in one worker sees it, and its clients whose requests wait."""

    def __init__(self, worker: Worker, store: str, on_change: Callable[[], None]) -> None:
        """Begin without a pause; `look` finds one that has begun before.

        :param store: the same for all listeners that pause together.
        :param on_change: called when a pause has ended.
        """
        self._loop = worker.loop
        self._shared = worker.map("kv.pauses", _MOST, _BYTES)
        self._key = hashlib.sha256(store.encode(errors="surrogateescape")).digest()[:8]
        self._on_change = on_change
        self._waiting: dict[Session, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._told = b""
        self.is_on = False
        self._writes_only = False

    def look(self) -> None:
        """Take the pause that some worker has begun or ended."""
        told = self._shared.get(self._key) or b""
        if told != self._told:
            self._told = told
            self._take(*_PAUSE.unpack(told)) if told else self._end()

    def begin(self, milliseconds: int, *, writes_only: bool) -> None:
        """Begin a pause, here and in the shared memory. As in Redis it makes none shorter or narrower."""
        now_ms = time.time_ns() // 1_000_000
        until_ms = now_ms + milliseconds
        there = self._shared.get(self._key)
        if there is not None:
            other_ms, other_writes_only = _PAUSE.unpack(there)
            if other_ms > now_ms:
                until_ms, writes_only = max(until_ms, other_ms), writes_only and other_writes_only
        packed = _PAUSE.pack(until_ms, writes_only)
        self._shared.put(self._key, packed, min(_MAX_KEPT_S, (until_ms - now_ms) // 1000 + 1))
        self.look()

    def end(self) -> None:
        """End the pause, here and in the shared memory."""
        self._shared.pop(self._key)
        self.look()

    def close(self) -> None:
        """Wake no client any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def holds(self, command: Command) -> bool:
        """Report whether a command has to wait."""
        return self.is_on and (not self._writes_only or is_write(command))

    def keep(self, session: Session) -> None:
        """Resume a client at the end."""
        session.is_postponed = True
        self._waiting[session] = None

    def forget(self, session: Session) -> None:
        """Forget a client that has ended. Idempotent."""
        self._waiting.pop(session, None)

    def _take(self, until_ms: int, writes_only: bool) -> None:  # noqa: FBT001  # as it is unpacked
        if self._timer is not None:
            self._timer.cancel()
        left_s = until_ms / 1000 - time.time()
        if left_s <= 0:
            self._end()
            return
        self.is_on, self._writes_only = True, writes_only
        self._timer = self._loop.call_later(min(left_s, _MAX_TIMER_S), self._end)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.is_on = False
        self._on_change()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = list(self._waiting), {}
        for session in waiting:
            session.is_postponed = False
            self._loop.call_soon(session.go_on)


def is_write(command: Command) -> bool:
    """Report whether CLIENT PAUSE WRITE has a command wait."""
    return "write" in command.flags or command.name in _LIKE_WRITES
