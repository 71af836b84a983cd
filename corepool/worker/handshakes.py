"""Handshakes of layers, such as TLS, that have failed: counted by reason, and logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.counters import HANDSHAKE_FAILURES
from corepool.spec.layer import PeerError
from corepool.spec.types import CloseReason
from corepool.worker import events

if TYPE_CHECKING:
    from corepool.hot.layers import Layers
    from corepool.hot.site import Held

log = logging.getLogger(__name__)


_OUR_CHOICE = frozenset({CloseReason.CLOSED, CloseReason.ABORTED, CloseReason.DRAIN})
"""Ends of a handshake that are no failure of it."""


class Handshakes:
    """Those of the connections of one bound socket."""

    def __init__(self, listener: str) -> None:
        """Begin with none."""
        self._listener = listener
        self._rate_limited = RateLimitedLog(log)
        self.failed = dict.fromkeys(HANDSHAKE_FAILURES, 0)
        """How many have failed, by reason."""

    def fail(self, conn: Held, cause: BaseException) -> bool:
        """Count a handshake that a layer has ended; False: it has not given a reason, so it has yet to be logged."""
        if not isinstance(cause, PeerError):
            self.failed["other"] += 1
            return False
        self._count(conn, cause.reason if cause.reason in self.failed else "other", str(cause))
        return True

    def end(self, conn: Held, layers: Layers, reason: CloseReason) -> bool:
        """Return, at the end of a connection, whether its layers have failed, or have not opened.

        A handshake that the client has not gone on with is counted.
        """
        if layers.failed:
            return True
        if conn.site.then is None or reason in _OUR_CHOICE:
            return False
        if not layers.is_open:
            self._count(conn, "timeout" if reason is CloseReason.TIMEOUT else "reset", None)
        return True

    def _count(self, conn: Held, reason: str, detail: str | None) -> None:
        self.failed[reason] += 1
        events.handshake_failed(
            self._rate_limited, listener=self._listener, peer=conn.peer, reason=reason, detail=detail
        )
