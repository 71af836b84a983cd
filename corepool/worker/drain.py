"""Leaving without dropping anything that has begun: idle connections are closed, busy ones are waited for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.worker.connection import Connection
from corepool.worker.service import Lingering

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from corepool.worker.reactor import Reactor
    from corepool.worker.service import Service

log = logging.getLogger(__name__)

_STEP_S = 0.02
"""How often busy connections are looked at: no test for it stands on the hot path."""

_UNTOUCHED_GRACE_S = 1.0
"""A connection that has not sent its first request may do so for this long: it was accepted a moment ago, and
to its client a close now is a failed request."""


class Drain:
    """The end of a worker's connections. Begins once; a shorter deadline may follow."""

    def __init__(
        self,
        reactor: Reactor,
        services: Sequence[Service],
        loop: asyncio.AbstractEventLoop,
        on_done: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._services = services
        self._loop = loop
        self._on_done = on_done
        self._deadline: float | None = None
        self._untouched_until = 0.0

    def begin(self, timeout_s: float) -> None:
        """Close what is idle, wait for the rest until `timeout_s` from now, then close that too."""
        now = self._loop.time()
        if self._deadline is not None:
            self._deadline = min(self._deadline, now + timeout_s)
            return
        self._deadline = now + timeout_s
        self._untouched_until = now + min(_UNTOUCHED_GRACE_S, timeout_s / 2)
        for conn in self._connections():
            conn.say_goodbye()
        self._step()

    def _step(self) -> None:
        assert self._deadline is not None
        now = self._loop.time()
        for conn in self._connections():
            conn.leave_if_idle(untouched_too=now >= self._untouched_until)
        self._reactor.flush_unsent()
        left = self._connections()
        if left and now >= self._deadline:
            log.warning("drain deadline passed: closing %d busy connections", len(left))
            for conn in left:
                conn.break_off_for_drain()
            self._reactor.flush_unsent()
            left = []
        lingering = any(isinstance(source, Lingering) for source in self._reactor.sources())
        if left or (lingering and now < self._deadline):
            self._loop.call_later(_STEP_S, self._step)
        else:
            self._on_done()

    def _connections(self) -> list[Connection]:
        watched = [source for source in self._reactor.sources() if isinstance(source, Connection)]
        return watched + [conn for service in self._services for conn in service.parked]
