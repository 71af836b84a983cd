"""ASGI applications that keep the worker's loop: no other connection is served meanwhile.

The first step of a request is a call of ours (eager start), and measured: that request is known. Later steps are
callbacks of asyncio, which the worker measures together, turn by turn. Which request such a turn was for is known when
there was one only; else all that can be said is which ones it may have been. No timer runs: an idle worker sleeps,
however many responses are open.
"""

from __future__ import annotations

import logging
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_http import events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from corepool import Worker
    from corepool_http.exchange import Exchange

log = logging.getLogger(__name__)

_INTERVAL_S = 60.0

_NAMED = 4
"""Requests that are named where it may have been any of several."""

_ADVICE = "async code must not wait in the loop: await it, run it by asyncio.to_thread, or write the handler with def"


class SlowTurns:
    """The turns of one worker that took long, and the requests of all its listeners. Logs one a minute."""

    def __init__(self) -> None:
        self._listeners: list[Steps] = []
        self._told_at = 0.0
        """So that a turn is told of once, though the limits of several listeners, or a first step, have told of it."""
        self._log = RateLimitedLog(log, interval_s=_INTERVAL_S)

    def watch(self, worker: Worker, limit_s: float) -> Steps:
        """Look after the requests of one more listener.

        :param limit_s: how long one of them may keep the loop.
        """
        steps = Steps(self, limit_s)
        self._listeners.append(steps)
        worker.on_long_turn(limit_s, self.on_long_turn)
        return steps

    def on_long_turn(self, began: float, seconds: float) -> None:
        """Log a turn, unless it was for no request."""
        if self._told_at >= began:
            return
        suspects = [name for each in self._listeners if each.limit_s < seconds for name in each.suspects(began)]
        if len(suspects) == 1:
            self.tell(suspects[0], seconds)
        elif suspects:
            others = f" and {len(suspects) - _NAMED} others" if len(suspects) > _NAMED else ""
            self.tell(f"unknown, one of {', '.join(suspects[:_NAMED])}{others}", seconds)

    def tell(self, request: str, seconds: float) -> None:
        """Log it."""
        self._told_at = monotonic()
        events.loop_blocked(self._log, request=request, seconds=round(seconds, 3), advice=_ADVICE)


class Steps:
    """The steps of one listener's requests."""

    __slots__ = ("_ended", "_turns", "limit_s", "running")

    def __init__(self, turns: SlowTurns, limit_s: float) -> None:
        self._turns = turns
        self.limit_s = limit_s
        self.running: Mapping[asyncio.Task[None], Exchange] = {}
        """The requests that go on, by their tasks."""
        self._ended: deque[tuple[float, str]] = deque(maxlen=_NAMED)
        """When the last ones have ended that had gone on."""

    def first(self, exchange: Exchange, seconds: float) -> None:
        """Judge the first step of a request."""
        if seconds > self.limit_s:
            self._turns.tell(exchange.describe(), seconds)

    def ended(self, exchange: Exchange) -> None:
        """Keep the name of a request that has ended after its first step: it may have been the one."""
        self._ended.append((monotonic(), exchange.describe()))

    def suspects(self, began: float) -> list[str]:
        """Return the names of the requests that may have run since then, those that have ended meanwhile first."""
        return [
            *(name for ended_at, name in self._ended if ended_at >= began),
            *(exchange.describe() for exchange in self.running.values()),
        ]
