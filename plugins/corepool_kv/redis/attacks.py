"""The log of browsers that were made to send commands (cross-protocol scripting): once a minute at most."""

from __future__ import annotations

import logging

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events

log = logging.getLogger(__name__)

_INTERVAL_S = 60.0


class AttackLog:
    """Of one listener in one worker."""

    def __init__(self) -> None:
        """Begin."""
        self._log = RateLimitedLog(log, interval_s=_INTERVAL_S)

    def log(self, client: object, word: bytes) -> None:
        """Log a client that has sent a word of HTTP in the place of a command."""
        text = word.partition(b"\0")[0].decode("ascii", errors="replace")
        events.kv_cross_protocol_attack(self._log, client=client, word=text)
