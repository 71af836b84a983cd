"""The deadline of one connection: each phase of a request has its own.

A deadline costs nothing while requests come quickly: the timer is set once, and when it fires the time that the
connection is really due decides.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_http.message import Body
    from corepool_http.options import ServerOptions

_NEVER = math.inf

_PROGRESS = 65_536
"""Bytes of a body that have to arrive in each `body_timeout`."""


class Deadlines:
    """Sets the timer of a connection, and knows whether its client is late."""

    __slots__ = (
        "_body",
        "_body_mark",
        "_conn",
        "_options",
        "armed",
        "due",
        "is_head_due",
        "keep_alive_s",
    )

    def __init__(self, conn: Connection[Any], options: ServerOptions, waited_s: float) -> None:
        """Wait for the first request, for which `waited_s` seconds were waited already."""
        self._conn = conn
        self._options = options
        self.keep_alive_s = options.keep_alive
        """How long the next request may take to come: the driver adds it to `due`, since each response does."""
        self._body: Body | None = None
        self._body_mark = 0
        self.is_head_due = False
        """A request has begun to come."""
        self.armed = _NEVER
        """When the timer fires."""
        self.due = _NEVER
        self._expect(max(0.0, (options.keep_alive or options.header_timeout) - waited_s))

    def suspend(self) -> None:
        """Wait for something other than the client."""
        self.due = _NEVER

    def arm(self) -> None:
        """Set the timer, which would fire too late."""
        self.armed = self.due
        self._conn.deadline(max(0.0, self.due - time.monotonic()))

    def expect_head(self) -> None:
        """Wait for the end of a header section."""
        self.is_head_due = True
        self._expect(self._options.header_timeout)

    def expect_content(self, body: Body) -> None:
        """Wait for more of a body."""
        mark = body.received // _PROGRESS
        if body is not self._body or mark != self._body_mark or self.due == _NEVER:
            self._body = body
            self._body_mark = mark
            self._expect(self._options.body_timeout)

    def began_s(self, now: float) -> float:
        """Return when the head that is late or refused has begun to come."""
        return min(now, self.due - self._options.header_timeout) if self.is_head_due else now

    def has_passed(self) -> bool:
        """Report whether the client is late, now that the timer has fired; if not, set it again."""
        left = self.due - time.monotonic()
        if left <= 0.001:
            return True
        if left < _NEVER:
            self.armed = self.due
            self._conn.deadline(left)
        return False

    def _expect(self, seconds: float) -> None:
        self.due = time.monotonic() + seconds
        if self.due < self.armed:
            self.armed = self.due
            self._conn.deadline(seconds)
