"""The bound of what waits for a client that is sent more than replies: messages of channels, lines of MONITOR."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

HARD_LIMIT_BYTES = 32 << 20
SOFT_LIMIT_BYTES = 8 << 20
SOFT_LIMIT_S = 60.0
"""More than the first, or more than the second for so long, ends a client that does not read.

The defaults of Redis (client-output-buffer-limit pubsub 32mb 8mb 60).
"""


class Output(Protocol):
    """A connection, as messages are sent on it."""

    @property
    def peer(self) -> object: ...

    @property
    def buffered(self) -> int: ...

    def send(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


class OutputBound:
    """The bound of one client."""

    def __init__(self, log_slow: Callable[[object, int], None]) -> None:
        """Begin.

        :param log_slow: logs a client that is cut: its address, and the bytes that have waited for it.
        """
        self._log_slow = log_slow
        self._over_since_s: float | None = None
        """When the output was found to be above the soft limit."""

    def check(self, conn: Output) -> None:
        """End the client if too much waits for it. Called when something was sent."""
        if conn.buffered <= SOFT_LIMIT_BYTES:
            self._over_since_s = None
            return
        now = time.monotonic()
        if self._over_since_s is None:
            self._over_since_s = now
        if conn.buffered > HARD_LIMIT_BYTES or now - self._over_since_s > SOFT_LIMIT_S:
            self.cut(conn)

    def cut(self, conn: Output) -> None:
        """End the client: it has missed something, and learns of it by that."""
        self._log_slow(conn.peer, conn.buffered)
        conn.abort()
