"""Refused connections in the log: counted, with one line at once and then at most one per period.

A line for each would put the log into the attacker's hands: it costs the worker more than the refusal itself,
and could fill the disk.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from corepool_extensions import events
from corepool_extensions.peers import spell

if TYPE_CHECKING:
    import asyncio

    from corepool import Address, Connection

log = logging.getLogger(__name__)

_PERIOD_S = 10.0
"""Time between two lines of one extension of one listener in one worker: often enough to see a flood come and go."""


class Refusals:
    """The refusals of one extension of one listener in one worker."""

    def __init__(self, extension: str, loop: asyncio.AbstractEventLoop, period_s: float = _PERIOD_S) -> None:
        self._extension = extension
        self._loop = loop
        self._period_s = period_s
        self._total = 0
        self._unsaid: Counter[str] = Counter()
        self._listener = ""
        self._peer: Address
        self._timer: asyncio.TimerHandle | None = None

    def refuse(self, conn: Connection, peer: Address, reason: str) -> None:
        """Close the connection, count it, and say why.

        By `abort`: `close` waits up to two seconds for a client that has sent something, and holds a descriptor
        that no limit counts any more.
        """
        conn.abort()
        self._total += 1
        self._unsaid[reason] += 1
        self._listener, self._peer = conn.listener, peer
        if self._timer is None:
            self._say()
            self._timer = self._loop.call_later(self._period_s, self._on_period)

    def close(self) -> None:
        """Log the refusals that are not logged yet."""
        if self._timer is not None:
            self._timer.cancel()
        if self._unsaid:
            self._say()

    def _on_period(self) -> None:
        self._timer = None
        if self._unsaid:
            self._say()
            self._timer = self._loop.call_later(self._period_s, self._on_period)

    def _say(self) -> None:
        events.connections_refused(
            log,
            listener=self._listener,
            extension=self._extension,
            reasons=dict(sorted(self._unsaid.items())),
            total=self._total,
            last_peer=spell(self._peer),
        )
        self._unsaid.clear()
