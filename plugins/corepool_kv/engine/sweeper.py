"""Removing what has expired: by time, a bounded number of keys at once, in one worker of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from corepool_kv.engine.execution import Execution, Waiting
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply

_INTERVAL_S = 0.1

_KEYS = 200
"""Removed at a time: a millisecond's work."""


class Sweeper:
    """A client of the execution like any other: what it removes shares a transaction with what others write."""

    def __init__(self, execution: Execution, loop: asyncio.AbstractEventLoop) -> None:
        self._execution = execution
        self._loop = loop
        self.waiting: list[Waiting] = []
        self._removed = 0
        self.total = 0
        """Keys that were removed."""
        self._timer: asyncio.Handle | None = None

    def rest(self) -> None:
        """Look again in a while."""
        self._timer = self._loop.call_later(_INTERVAL_S, self._sweep)

    def stop(self) -> None:
        """Look no more: the store is closed."""
        if self._timer is not None:
            self._timer.cancel()

    def answer(self, replies: bytes) -> None:  # noqa: ARG002
        """Go on soon when there is more, and let the others have their turn between."""
        self.total += self._removed
        if self._removed == _KEYS:
            self._timer = self._loop.call_soon(self._sweep)
        else:
            self.rest()

    def _sweep(self) -> None:
        due = self._execution.read(_has_due, [])
        self._execution.end_event()
        if due == 1:
            self._removed = 0
            self._execution.submit(self, (self._remove, [], False))
        else:
            self.rest()

    def _remove(self, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG002
        self._removed = db.remove_expired(_KEYS)
        return self._removed


def _has_due(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    return len(db.view.due(db.now_ms, 1))
