"""ASGI applications that keep the worker's loop: no other connection is served meanwhile.

A timer that runs late shows it: which request has kept the loop is not known, but the last one that has begun is most
likely it. The timer runs only while requests are served, so an idle worker sleeps, and a request costs an assignment.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_http import events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

    from corepool_http.exchange import Exchange

log = logging.getLogger(__name__)

_INTERVAL_S = 60.0

_LOOKS = 5
"""In the time that the loop may be kept: a time that is longer by one of them is always seen."""

_ADVICE = "async code must not wait in the loop: await it, run it by asyncio.to_thread, or write the handler with def"


class SlowTurns:
    """Looks after the loop while requests are served, and logs that it was kept, once a minute."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit_s: float, running: Collection[object]) -> None:
        """Prepare.

        :param limit_s: how long the loop may be kept.
        :param running: the requests that are being served.
        """
        self._loop = loop
        self._limit_s = limit_s
        self._running = running
        self.last: Exchange | None = None
        """The request that has begun last, since the timer ran."""
        self.timer: asyncio.TimerHandle | None = None
        """None: it doesn't run, and `start` is due with the next request."""
        self._log = RateLimitedLog(log, interval_s=_INTERVAL_S)

    def start(self) -> None:
        """Start the timer."""
        self.timer = self._loop.call_later(self._limit_s / _LOOKS, self._look)

    def close(self) -> None:
        """Look no more."""
        if self.timer is not None:
            self.timer.cancel()
        self.last = None

    def _look(self) -> None:
        timer, last = self.timer, self.last
        assert timer is not None
        late_s = self._loop.time() - timer.when()
        if late_s > self._limit_s and last is not None:
            events.loop_blocked(self._log, request=last.describe(), seconds=round(late_s, 3), advice=_ADVICE)
        if self._running:
            self.start()
        else:
            self.timer = self.last = None
