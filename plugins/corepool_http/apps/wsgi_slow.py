"""Calls of a WSGI application in the loop that take long: no other connection of the worker is served meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_http import events

if TYPE_CHECKING:
    from corepool_http.exchange import Exchange

log = logging.getLogger(__name__)

_INTERVAL_S = 60.0
_ADVICE = "--threads 4 (threads = 4) has the worker serve other clients meanwhile"


class SlowCalls:
    """Logs them, once a minute."""

    def __init__(self, limit_s: float) -> None:
        """Prepare a log.

        :param limit_s: how long a call may keep the loop.
        """
        self.limit_s = limit_s
        self._log = RateLimitedLog(log, interval_s=_INTERVAL_S)

    def report(self, exchange: Exchange, seconds: float) -> None:
        """Log a call that has taken longer."""
        events.loop_blocked(self._log, request=exchange.describe(), seconds=round(seconds, 3), advice=_ADVICE)
