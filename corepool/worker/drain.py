"""Leaving without dropping requests that have begun: idle connections move or are closed, busy ones have time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.hot.leaving import close_if_idle, close_now, notify_drain
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events
from corepool.worker.lingering import Lingering
from corepool.worker.service import connections_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from corepool.hot.connection import Connection
    from corepool.hot.reactor import Reactor
    from corepool.hot.site import Held
    from corepool.worker.backlog import BacklogReader
    from corepool.worker.mover import Mover
    from corepool.worker.service import Service

log = logging.getLogger(__name__)

_STEP_S = 0.02
"""How often busy connections are looked at: the hot path doesn't test for it."""

_GRACE_S = 1.0
"""For this long a connection that was accepted or active a moment ago may send a request: its client may be about to,
and would take a close now for a failed request. A protocol that can announce the close in a response does so then."""

_QUIET_S = 0.25
"""Until the grace is over, a connection is idle when nothing has come for this long; after that, at once."""

_NEXT_BATCH_S = 0.001
"""When there are more connections to be moved than in one go: as soon as those that are ready have had their turn."""

_SPREAD_S = 0.25
"""Idle connections are closed over this long, so that their clients don't come back all at once."""


class Drain:
    """The end of a worker's connections. Begins once; a shorter deadline may follow."""

    def __init__(
        self,
        reactor: Reactor,
        services: Sequence[Service],
        backlogs: Collection[BacklogReader],
        mover: Mover,
        loop: asyncio.AbstractEventLoop,
        on_done: Callable[[], None],
    ) -> None:
        self._mover = mover
        self._moves = False
        self._reactor = reactor
        self._services = services
        self._backlogs = backlogs
        self._loop = loop
        self._on_done = on_done
        self._notified: set[int] = set()
        """Ids of the connections whose `on_drain` was called."""
        self._deadline: float | None = None
        self._began = 0.0
        self._grace_s = _GRACE_S
        self._rate_limited = RateLimitedLog(log)

    def begin(self, timeout_s: float, *, moves: bool) -> None:
        """Move or close idle connections, wait for the rest until `timeout_s` from now, then close those too.

        :param moves: idle connections go to other workers; those that can't are closed.
        """
        now = self._loop.time()
        if self._deadline is not None:
            self._deadline = min(self._deadline, now + timeout_s)
            if self._moves and not moves:  # there is no other worker any more
                self._stay(now, timeout_s)
            return
        self._deadline = now + timeout_s
        self._moves = moves
        for service in self._services:
            for site in service.sites.chains:
                site.on_met = self._met
        self._stay(now, timeout_s)
        self._step()

    def _stay(self, now: float, timeout_s: float) -> None:
        """Begin to close those that stay until they end."""
        self._began = now
        self._grace_s = min(_GRACE_S, timeout_s / 2)
        for conn in self.connections():
            self._met(conn)

    def _met(self, conn: Held) -> None:
        """Notify a connection that stays: one that is here, or one that its plugins have just met."""
        if not (self._moves and conn.can_move):
            self._notify(conn)

    def _notify(self, conn: Held) -> None:
        is_met = conn.site.then is None and conn.site.protocol  # else its plugins don't know it yet, or not all of them
        if is_met and conn.id not in self._notified:
            self._notified.add(conn.id)
            notify_drain(conn)

    def _step(self) -> None:
        next_s: float | None = _STEP_S
        try:
            next_s = self._advance(self._loop.time())
        except HOOK_ERRORS as error:
            events.drain_failed.exception(self._rate_limited, error)
        if next_s is None:
            self._on_done()
        else:
            self._loop.call_later(next_s, self._step)

    def _advance(self, now: float) -> float | None:
        """End what can end now, and return the seconds until the next look; None: nothing is left."""
        assert self._deadline is not None
        elapsed_s = now - self._began
        is_over = elapsed_s >= self._grace_s
        there_are_more = False
        if self._moves:
            try:
                _, there_are_more = self._mover.move(self.connections())
            except HOOK_ERRORS as error:
                events.moves_failed.exception(log, error)
                self._moves = False
        for conn in self.connections():
            if self._moves and conn.can_move:
                if is_over and conn.is_idle and not there_are_more:
                    self._notify(conn)  # it refuses to go
                    close_if_idle(conn, now)
                continue
            self._notify(conn)
            if is_over or elapsed_s >= _spread(conn.id):
                close_if_idle(conn, now if is_over else now - _QUIET_S)
        self._reactor.flush_unsent()
        left = self.connections()
        if left and now >= self._deadline:
            events.drain_timed_out(log, connections=len(left))
            for conn in left:
                close_now(conn)
            self._reactor.flush_unsent()
            left = []
        lingering = any(isinstance(source, Lingering) for source in self._reactor.sources())
        arriving = any(backlog.is_open for backlog in self._backlogs)
        leaving = self._moves and self._mover.on_their_way
        if left or ((arriving or lingering or leaving) and now < self._deadline):
            return _NEXT_BATCH_S if there_are_more else _STEP_S
        return None

    @property
    def has_begun(self) -> bool:
        """True once the worker is leaving."""
        return self._deadline is not None

    def connections(self) -> list[Connection]:
        """List all connections."""
        return connections_of(self._reactor, self._services)


def _spread(number: int) -> float:
    """Return the moment of a connection, in seconds after the drain began: any, but always the same (Knuth's hash)."""
    return (number * 2_654_435_761 % 2**32) / 2**32 * _SPREAD_S
