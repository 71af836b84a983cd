"""The state of one client's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.engine.turns import SessionBase, SessionOwner
from corepool_kv.memcached.requests import RequestReader
from corepool_kv.memcached.steps import OUT_OF_ROOM, Waiting
from corepool_kv.stores import FullError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import Connection
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.steps import Step
    from corepool_kv.stores import StoreError


class Owner(SessionOwner, Protocol):
    """The server of a session, as the session calls it."""

    options: MemcachedOptions


class Session(SessionBase):
    """One client. Implements `execution.Client`."""

    def __init__(self, owner: Owner, conn: Connection[Session]) -> None:
        SessionBase.__init__(self, owner, conn)
        self.reader = RequestReader(owner.options.max_line, owner.options.max_item)
        self.steps: Iterator[Step] | None = None
        """The steps of a request that were not taken yet."""

    def freeze(self) -> bytes | None:
        """Return b"", for a client between two requests has no state; None within one."""
        if self.waiting or self.steps is not None or self.ending or not self.reader.is_empty:
            return None
        return b""

    def explain(self, error: StoreError, commands: int) -> bytes:
        """Return the replies to commands whose transaction has failed: none to those with noreply."""
        reply = OUT_OF_ROOM
        if not isinstance(error, FullError):
            reply = b"SERVER_ERROR the store has failed: %b\r\n" % str(error).encode(errors="replace")
        return reply * sum(isinstance(work, Waiting) and not work.is_quiet for work in self.waiting[:commands])
