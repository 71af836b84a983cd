"""Which worker gets a connection: the workers that can take one, their load as strategies see it, the choice. Pure.

Everything here is maintained and nothing is summed up: an accept reads the counters of all workers in one go, and then
looks at those only that have changed. So it takes as many calls with 64 workers as with 2.

A worker is a candidate while it is ready, not full, and not stuck. One that is ready and no candidate is *blocked*, and
is looked at again at each `reconsider`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool.ipc.scoreboard import Load
    from corepool.ipc.shapes import SocketIndex
    from corepool.master.workers import WorkerEntry, Workers
    from corepool.plugins.listener import Listener
    from corepool.spec.dispatcher import Incoming, WorkerView

log = logging.getLogger(__name__)

IN_FLIGHT_LIMIT = 256
"""Handoffs a worker may leave untaken: beyond that it is no candidate. Four full messages, a quarter of what an
unprivileged process may have in flight at the usual `ulimit -n` of 1024."""

STALLED_S = 0.25
"""A worker that has taken nothing for this long although something waits is no candidate: its loop is stuck."""


def _least_loaded(workers: Sequence[WorkerView], _: Incoming) -> WorkerView:
    return min(workers, key=lambda worker: worker.connections)


class Placing:
    """The workers of a pool as candidates for connections."""

    def __init__(self, workers: Workers, loads: Callable[[], list[Load]]) -> None:
        """Begin without candidates.

        :param loads: reads the counters of every process, by the index of its row.
        """
        self._workers = workers
        self._loads = loads
        self._ready: Sequence[WorkerEntry] = ()
        self._entries: dict[WorkerView, WorkerEntry] = {}
        self._blocked: dict[WorkerView, WorkerEntry] = {}
        self._rate_limited = RateLimitedLog(log)
        self.candidates: list[WorkerView] = []
        """The workers that can take a connection now, by slot."""
        self.is_mixed = False
        """Workers of two configurations serve: not each of them knows every socket."""

    @property
    def has_workers(self) -> bool:
        """True while any worker is ready, whether it can take a connection or not."""
        return bool(self._entries)

    def read(self) -> list[WorkerEntry]:
        """Read the scoreboard, and return the workers that have acknowledged connections since the last time."""
        ready = self._workers.ready()
        if ready is not self._ready:
            self._use(ready)
        loads = self._loads()
        acknowledged = []
        for entry in ready:
            load = loads[entry.row.index]
            if load == entry.load:
                continue
            view = entry.view
            entry.load = load
            closed, moved_out, received, accepted, moved_in, lag_ns = load
            # Connections that it accepted by itself count too; between its two counters it may seem to be one less.
            view.connections = view.handed_over + max(0, accepted + moved_in - received) - closed - moved_out
            view.lag_s = lag_ns / 1e9
            if view.connections >= entry.max_connections and view not in self._blocked:
                self._blocked[view] = entry
                self.candidates.remove(view)
            if received != entry.ledger.received:
                acknowledged.append(entry)
        return acknowledged

    def reconsider(self, now: float) -> None:
        """Find the blocked workers that can take connections again."""
        if not self._blocked:
            return
        self._blocked = {
            view: entry
            for view, entry in self._blocked.items()
            if view.connections >= entry.max_connections
            or view.in_flight >= IN_FLIGHT_LIMIT
            or now - entry.ledger.waiting_since >= STALLED_S
        }
        self.candidates = [view for view in self._entries if view not in self._blocked]

    def block(self, entry: WorkerEntry) -> None:
        """Make a worker no candidate, at least until `reconsider`."""
        view = entry.view
        if view in self._entries and view not in self._blocked:
            self._blocked[view] = entry
            self.candidates.remove(view)

    def choose(
        self,
        listener: Listener,
        socket: SocketIndex,
        incoming: Incoming,
        origin: int = 0,
        slot: int | None = None,
    ) -> WorkerEntry | None:
        """Choose a worker for a connection; None: it has to wait.

        :param socket: the one that it came in by: the worker has to know it.
        :param origin: the pid of the worker that had it before; it gets it back only if there is no other.
        :param slot: of the worker that the socket is for; another gets it only if that slot is vacant, or full.
        """
        candidates = self.candidates
        if self.is_mixed:
            candidates = [view for view in candidates if socket in self._entries[view].sockets]
        if origin:
            candidates = [view for view in candidates if view.pid != origin] or candidates
        if slot is not None:
            candidates = self._of_slot(slot, candidates)
        if not candidates:
            return None
        try:
            # From a listener whose workers accept, only connections that move come here.
            pick = _least_loaded if listener.dispatcher.worker_accepts else listener.dispatcher.pick
            view = pick(candidates, incoming)
            if view is None:
                return None
            entry = self._entries[view]
            if view in self._blocked or (candidates is not self.candidates and view not in candidates):
                raise LookupError(f"{view!r} is none of the workers that it was offered")
        except HOOK_ERRORS as error:  # a strategy's bug must not cost a connection
            events.dispatcher_failed.exception(self._rate_limited, error, dispatcher=listener.dispatcher_name)
            entry = self._entries[_least_loaded(candidates, incoming)]
        return entry

    def _of_slot(self, slot: int, candidates: list[WorkerView]) -> list[WorkerView]:
        own = [entry for view, entry in self._entries.items() if view.slot == slot]
        if any(entry.view.connections < entry.max_connections for entry in own):
            # Those that can't take one just now are waited for: another worker doesn't know the client's session.
            return [view for view in candidates if view.slot == slot]
        return candidates

    def placed(self, entry: WorkerEntry) -> None:
        """Count a connection that is about to be sent to a worker."""
        view = entry.view
        view.connections += 1
        view.handed_over += 1
        view.in_flight += 1
        if view.connections >= entry.max_connections or view.in_flight >= IN_FLIGHT_LIMIT:
            self.block(entry)

    def not_sent(self, entry: WorkerEntry, count: int) -> None:
        """Take connections off the count of a worker that they could not be sent to; it is no candidate for now."""
        view = entry.view
        view.connections -= count
        view.handed_over -= count
        view.in_flight -= count
        self.block(entry)

    def _use(self, ready: Sequence[WorkerEntry]) -> None:
        self._ready = ready
        self._entries = {entry.view: entry for entry in ready}
        self._blocked = {view: entry for view, entry in self._blocked.items() if view in self._entries}
        self.candidates = [view for view in self._entries if view not in self._blocked]
