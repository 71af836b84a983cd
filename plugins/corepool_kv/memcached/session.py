"""The state of one client's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.memcached.requests import RequestReader
from corepool_kv.memcached.steps import OUT_OF_ROOM, Waiting
from corepool_kv.stores import FullError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import Connection
    from corepool_kv.engine.keyspace import Limits
    from corepool_kv.engine.work import Work
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.steps import Step
    from corepool_kv.stores import StoreError


class Owner(Protocol):
    """The server of a session, as the session calls it."""

    options: MemcachedOptions
    limits: Limits

    def proceed(self, session: Session) -> None:
        """Continue with a session whose replies have been sent."""


class Session:
    """One client. Implements `execution.Client`."""

    def __init__(self, owner: Owner, conn: Connection[Session]) -> None:
        self._owner = owner
        self.limits = owner.limits
        self.conn = conn
        self.reader = RequestReader(owner.options.max_line, owner.options.max_item)
        self.waiting: list[Work] = []
        self.waiting_bytes = 0
        """Of the values of all work that was put into `waiting` since it was empty."""
        self.steps: Iterator[Step] | None = None
        """The steps of a request that were not taken yet."""
        self.stalled = False
        """Received requests wait until the client has read, or the commit is done."""
        self.ending = False
        """Close when everything has been sent."""

    def freeze(self) -> bytes | None:
        """Return b"", for a client between two requests has no state; None within one."""
        if self.waiting or self.steps is not None or self.ending or not self.reader.is_empty:
            return None
        return b""

    def answer(self, replies: bytes) -> None:
        """Send replies that have waited for a commit, and continue with the requests behind them."""
        if replies:
            self.conn.send(replies)
        if not self.waiting:
            self.conn.busy = False
            self.waiting_bytes = 0
        if self.waiting or self.stalled or self.ending or self.conn.eof:
            self._owner.proceed(self)

    def explain(self, error: StoreError, commands: int) -> bytes:
        """Return the replies to commands whose transaction has failed: none to those with noreply."""
        reply = OUT_OF_ROOM
        if not isinstance(error, FullError):
            reply = b"SERVER_ERROR the store has failed: %b\r\n" % str(error).encode(errors="replace")
        return reply * sum(isinstance(work, Waiting) and not work.is_quiet for work in self.waiting[:commands])
