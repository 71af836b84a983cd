"""Connections on their way from a backlog, or from a worker that leaves, to a worker.

Acceptors `place` connections and then `flush` them. `Placing` chooses the worker, `Shipping` gets them there; here is
what waits for a worker, and when acceptors have to wait.

When no worker can take a connection, the acceptors are paused and clients wait in the kernel's backlog. Connections
that were accepted already wait here, by the socket that they came in by: one may have to wait for a worker of its own
(`bind_per_worker`), for which the others are not held up.
"""

from __future__ import annotations

import logging
import resource
from collections import deque
from typing import TYPE_CHECKING

from corepool.ipc.frozen import with_crash_slot
from corepool.ipc.scoreboard import Cell
from corepool.ipc.shapes import MAX_FDS
from corepool.master import events
from corepool.master.arrived import Arrived
from corepool.master.ledger import FaultyCountError, Handoff
from corepool.master.placing import STALLED_S, Placing
from corepool.master.shipping import Shipping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.ipc.scoreboard import Scoreboard
    from corepool.ipc.shapes import SocketIndex
    from corepool.master.loop import Loop, Timer
    from corepool.master.recovery import Recovery
    from corepool.master.workers import WorkerEntry, Workers
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

_MAX_IN_TRANSIT = 4096

_SETTLE_FIRST_S = 0.005
_SETTLE_MAX_S = 0.1
"""How soon after a handoff the acknowledgement is looked for, and how seldom when it doesn't come."""


def _max_in_transit() -> int:
    """Return how many connections the master may hold at a time: a quarter of its descriptors, if that is not too many.

    The rest is for workers, listeners and copies of connections that outlive a crash; and one message of each worker
    that hands back what it has may come on top.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_IN_TRANSIT if soft == resource.RLIM_INFINITY else max(MAX_FDS, min(_MAX_IN_TRANSIT, soft // 4))


def _without_crash_slot(handoff: Handoff) -> Handoff:
    return handoff.at(0, None if handoff.frozen is None else with_crash_slot(handoff.frozen, 0))


class Dispatch:
    """Gets connections to workers. `on_full` and `on_room` pause and resume the acceptors."""

    def __init__(
        self,
        loop: Loop,
        workers: Workers,
        scoreboard: Scoreboard,
        bound: Sequence[BoundSocket],
        recovery: Recovery,
        on_stray: Callable[[Handoff], None],
    ) -> None:
        """Dispatch to `workers` the connections that are accepted from `bound`.

        :param on_stray: owns a connection whose socket a reload has taken away while it waited.
        """
        self._loop = loop
        self._bound: dict[SocketIndex, BoundSocket] = {}
        self.use(bound)
        self._placing = Placing(workers, scoreboard.loads)
        self._shipping = Shipping(recovery)
        self._waiting: dict[SocketIndex, deque[Handoff]] = {}
        """Connections that wait for a worker, by their socket; none of the queues is empty."""
        self._waiting_count = 0
        self._told_of: frozenset[SocketIndex] = frozenset()
        """The sockets of `_waiting`, when the acceptors were told last."""
        self._max_in_transit = _max_in_transit()
        self._settle_timer: Timer | None = None
        self._settle_delay_s = _SETTLE_FIRST_S
        self._scoreboard = scoreboard
        self._recovery = recovery
        self._on_stray = on_stray
        self.on_full: Callable[[], None] = lambda: None
        self.on_room: Callable[[], None] = lambda: None
        self.on_waiting: Callable[[], None] = lambda: None
        """Called when connections of other sockets wait than before, while there is room for the rest."""
        self.on_faulty: Callable[[WorkerEntry, str], None] = lambda _, __: None
        """Ends a worker whose counters are wrong."""
        self._paused = True

    def has_room(self, socket: SocketIndex) -> bool:
        """Return whether a connection that is accepted from this socket now can be placed."""
        return bool(self._placing.candidates) and self.can_hold_more and socket not in self._waiting

    def holds_up(self, socket: SocketIndex) -> bool:
        """Return whether connections of this socket wait here, so that no more of them is accepted."""
        return socket in self._waiting

    @property
    def can_hold_more(self) -> bool:
        """True while those that wait here, and those on their way, leave descriptors for others."""
        return self._waiting_count + self._shipping.in_transit < self._max_in_transit

    @property
    def paused(self) -> bool:
        """True while the acceptors have to wait."""
        return self._paused

    def use(self, bound: Iterable[BoundSocket]) -> None:
        """Dispatch for these sockets from now on."""
        self._bound = {each.index: each for each in bound}

    def mix(self, *, is_mixed: bool) -> None:
        """Note whether workers of two configurations serve: then not each of them knows every socket."""
        self._placing.is_mixed = is_mixed

    def refresh(self) -> None:
        """Read the scoreboard: close acknowledged connections, and find the workers that can take another."""
        now = self._loop.time()
        faulty = [entry for entry in self._placing.read() if not self._settle(entry, now)]
        self._placing.reconsider(now)
        for entry in (*faulty, *self._shipping.stalled(now, STALLED_S)):
            self._placing.block(entry)
        self._pace()

    def place(self, bound: BoundSocket, fd: int, sockaddr: object) -> None:
        """Choose a worker for an accepted connection. Owns `fd` from now on."""
        slot = self._recovery.take() if bound.listener.settings.keep_on_crash else 0
        self._place(Handoff(fd, bound.index, sockaddr, None, 0, slot))

    def take_over(self, entry: WorkerEntry, handoffs: Sequence[Handoff]) -> None:
        """Place connections that `entry` has handed back, and own them."""
        # The worker had taken them: after this no older copy of them can come out of its ledger any more.
        self._settle(entry, self._loop.time())
        self.adopt(
            handoff if self._recovery.let_go(handoff.crash_slot, entry.pid) else _without_crash_slot(handoff)
            for handoff in handoffs
        )

    def adopt(self, handoffs: Iterable[Handoff]) -> None:
        """Place connections that were accepted elsewhere, and own them."""
        for handoff in handoffs:
            self._keep(handoff)
        self.retry()

    def flush(self) -> None:
        """Send the placed connections. Those that a worker does not take now are placed again."""
        while (entry := self._shipping.next_unsent()) is not None:
            unsent = self._shipping.send(entry, self._loop.time())
            if unsent:
                # It is no candidate until the next refresh; a dead one not even then, for its exit is noticed first.
                self._placing.not_sent(entry, len(unsent))
                for handoff in unsent:
                    self._place(handoff)
        self._pace()

    def take_back(self, entry: WorkerEntry) -> None:
        """Place again what `entry` has not taken and never will: it is leaving or dead."""
        is_sound = self._settle(entry, self._loop.time())
        sent, unread = self._shipping.recall(entry)
        if is_sound:
            unread = sent + unread
        else:
            self._shipping.lose(sent, entry)
        if unread:
            events.handoffs_taken_back(log, slot=entry.name, pid=entry.pid, count=len(unread))
            self._scoreboard.count("redispatched", len(unread))
        self.adopt(unread)

    def retry(self) -> None:
        """Place what waits here, and resume the acceptors if there is room: something has changed."""
        self.refresh()
        for queue in list(self._waiting.values()):
            for _ in range(len(queue)):
                self._waiting_count -= 1
                self._place(queue.popleft())  # back to its end, if there is no worker yet
        self._waiting = {socket: queue for socket, queue in self._waiting.items() if queue}
        self.flush()

    def close(self) -> None:
        """Close every descriptor that is still the master's. Idempotent."""
        if self._settle_timer is not None:
            self._settle_timer.cancel()
        for queue in self._waiting.values():
            for handoff in queue:
                self._shipping.close(handoff)
        self._waiting.clear()
        self._waiting_count = 0

    def _place(self, handoff: Handoff) -> None:
        bound = self._bound.get(handoff.socket)
        if bound is None:
            self._on_stray(handoff)
            return
        listener = bound.listener
        arrived = Arrived(listener.name, bound.transport, handoff.peer, handoff.fd)
        entry = self._placing.choose(listener, handoff.socket, arrived, handoff.origin, bound.slot)
        if entry is None:
            self._keep(handoff)
            return
        if not handoff.crash_slot and listener.settings.keep_on_crash:
            handoff = self._recovery.admit(handoff)
        self._shipping.post(entry, handoff)
        self._placing.placed(entry)

    def _keep(self, handoff: Handoff) -> None:
        self._waiting.setdefault(handoff.socket, deque()).append(handoff)
        self._waiting_count += 1

    def _settle(self, entry: WorkerEntry, now: float) -> bool:
        """Close what a worker has taken; False: its counter can't be true, so it takes nothing more."""
        try:
            has_settled = self._shipping.settle(entry, entry.row.cells[Cell.RECEIVED], now)
        except FaultyCountError as error:
            self.on_faulty(entry, str(error))
            return False
        if has_settled:
            self._settle_delay_s = _SETTLE_FIRST_S
        return True

    def _pace(self) -> None:
        """Pause or resume the acceptors, and see to it that acknowledgements are read."""
        has_room = bool(self._placing.candidates) and self.can_hold_more
        others_wait = self._waiting.keys() != self._told_of
        if others_wait:
            self._told_of = frozenset(self._waiting)
        if has_room == self._paused:
            self._paused = not self._paused
            (self.on_full if self._paused else self.on_room)()
        elif others_wait and not self._paused:
            self.on_waiting()
        pending = self._waiting or self._shipping.in_transit
        waits_for_room = self._paused and self._placing.has_workers
        if (pending or waits_for_room) and self._settle_timer is None:
            self._settle_timer = self._loop.call_later(self._settle_delay_s, self._on_settle_timer)

    def _on_settle_timer(self) -> None:
        self._settle_timer = None
        self._settle_delay_s = min(self._settle_delay_s * 2, _SETTLE_MAX_S)
        self.retry()
