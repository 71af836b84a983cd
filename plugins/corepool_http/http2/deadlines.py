"""The one timer of a connection of HTTP/2, for all of its streams.

It is set when it would fire too late, and when it fires each stream says when it is really due: no stream has a timer
of its own, and one that is quick never touches it.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corepool import Connection


class Deadlines:
    """When the connection itself is due, and when its timer fires. All of them on the monotonic clock."""

    __slots__ = ("_conn", "armed", "head", "idle", "leave", "settings")

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        self.armed = math.inf
        self.idle = math.inf
        """No stream is open, and none has come."""
        self.head = math.inf
        """A header block has begun to come."""
        self.leave = math.inf
        """The client has not answered the ping behind the first GOAWAY."""
        self.settings = math.inf
        """The client may not have acknowledged the SETTINGS (RFC 9113, 6.5.3)."""

    def now(self) -> float:
        """Read the clock."""
        return time.monotonic()

    def after(self, seconds: float) -> float:
        """Return when so many seconds will have passed; the timer fires then, or before."""
        due = time.monotonic() + seconds
        if due < self.armed:
            self.armed = due
            self._conn.deadline(seconds)
        return due

    def watch(self, due: float) -> None:
        """Have the timer fire at `due`, or before."""
        if due < self.armed:
            self.armed = due
            self._conn.deadline(max(0.0, due - time.monotonic()))
