"""Which worker gets a connection, and getting it there.

Acceptors `place` connections and then `flush` them: what goes to one worker in one turn travels in one
message. The master keeps its copy of each descriptor until the scoreboard says that the worker has taken it.
A channel that is full or dead is an ordinary answer: those connections are placed again.

When nobody can take a connection, the acceptors are paused and clients wait in the kernel's backlog. Only
what was accepted already is held here, a batch at the most.
"""

from __future__ import annotations

import logging
import resource
from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.ipc.frozen import with_crash_slot
from corepool.ipc.messages import MAX_FDS, NewConnections, SocketIndex, Thaw, fit
from corepool.ipc.scoreboard import Cell
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master.borrowing import peer_of
from corepool.master.ledger import FaultyCountError, Handoff
from corepool.spec.dispatcher import Incoming, WorkerView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.master.loop import Loop, Timer
    from corepool.master.recovery import Recovery
    from corepool.master.workers import WorkerEntry, Workers
    from corepool.plugins.listener import BoundSocket
    from corepool.spec.transport import Transport
    from corepool.spec.types import Address

log = logging.getLogger(__name__)

IN_FLIGHT_LIMIT = 256
"""Handoffs a worker may leave untaken: beyond that it is no candidate. Four full messages, a quarter of what an
unprivileged process may have in flight at the usual `ulimit -n` of 1024."""

_MOST_IN_TRANSIT = 4096

STALLED_S = 0.25
"""A worker that has taken nothing for this long although something waits is no candidate: its loop is stuck."""

_SETTLE_FIRST_S = 0.005
_SETTLE_LONGEST_S = 0.1
"""How soon after a handoff the acknowledgement is looked for, and how seldom when it doesn't come."""


class _Arrived(Incoming):
    """An incoming connection whose address is made only if a strategy asks: it takes 2 us."""

    __slots__ = ("_fd", "_sockaddr", "_transport")

    def __init__(self, listener: str, transport: Transport, sockaddr: object, fd: int) -> None:
        self.listener = listener
        self._transport = transport
        self._sockaddr = sockaddr
        self._fd = fd

    @property
    def peer(self) -> Address:  # type: ignore[override]
        if self._sockaddr is None:
            return self._transport.address(peer_of(self._fd))
        return self._transport.address(self._sockaddr)


def _most_in_transit() -> int:
    """Say how many connections the master may hold at a time: a quarter of its descriptors, and no more than it needs.

    The rest is for workers, listeners and copies of connections that outlive a crash; and one message of each worker
    that hands back what it has may come on top.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_IN_TRANSIT if soft == resource.RLIM_INFINITY else max(MAX_FDS, min(_MOST_IN_TRANSIT, soft // 4))


def _least_loaded(workers: Sequence[WorkerView], _: Incoming) -> WorkerView:
    return min(workers, key=lambda worker: worker.connections)


def _without_crash_slot(handoff: Handoff) -> Handoff:
    return handoff._replace(crash_slot=0, frozen=None if handoff.frozen is None else with_crash_slot(handoff.frozen, 0))


def _message_of(handoffs: list[Handoff]) -> tuple[list[Handoff], NewConnections | Thaw]:
    """Make one message of as many as fit; all are new, or all are frozen."""
    socket = handoffs[0].socket
    if handoffs[0].frozen is None:
        slots = [handoff.crash_slot for handoff in handoffs]
        return handoffs, NewConnections(socket, len(slots), slots if any(slots) else ())
    records: list[bytes] = []
    for handoff in handoffs:
        assert handoff.frozen is not None
        if records and not fit(records, len(handoff.frozen)):
            break
        records.append(with_crash_slot(handoff.frozen, handoff.crash_slot))
    return handoffs[: len(records)], Thaw(socket, records)


class Dispatch:
    """Places connections with workers. `on_full` and `on_room` pause and resume the acceptors."""

    def __init__(
        self,
        loop: Loop,
        workers: Workers,
        bound: Sequence[BoundSocket],
        recovery: Recovery,
        on_stray: Callable[[Handoff], None],
    ) -> None:
        """Dispatch to `workers` what is accepted from `bound`.

        :param on_stray: owns a connection whose socket a reload has taken away while it waited.
        """
        self._loop = loop
        self._workers = workers
        self._bound: dict[SocketIndex, BoundSocket] = {}
        self.use(bound)
        self._entries: dict[WorkerView, WorkerEntry] = {}
        self._candidates: list[WorkerView] = []
        self._homeless: deque[Handoff] = deque()
        self._most_in_transit = _most_in_transit()
        self._in_transit = 0
        self._settle_timer: Timer | None = None
        self._settle_delay_s = _SETTLE_FIRST_S
        self._rate_limited = RateLimitedLog(log)
        self.redispatched = 0
        self._recovery = recovery
        self._on_stray = on_stray
        self.on_full: Callable[[], None] = lambda: None
        self.on_room: Callable[[], None] = lambda: None
        self.on_faulty: Callable[[WorkerEntry, str], None] = lambda _, __: None
        """Ends a worker whose counters are wrong."""
        self._paused = True
        self.is_mixed = False
        """Workers of two configurations serve: not each of them knows every socket."""

    @property
    def has_room(self) -> bool:
        """True when a connection that is accepted now can be placed."""
        return bool(self._candidates) and self.can_hold_more

    @property
    def can_hold_more(self) -> bool:
        """True while no connection waits here for a worker, and those on their way leave descriptors for others."""
        return not self._homeless and self._in_transit < self._most_in_transit

    @property
    def paused(self) -> bool:
        """True while the acceptors are told to wait."""
        return self._paused

    def use(self, bound: Iterable[BoundSocket]) -> None:
        """Dispatch for these sockets from now on."""
        self._bound = {each.index: each for each in bound}

    def refresh(self) -> None:
        """Read the scoreboard: close what was acknowledged, and find out who can take a connection."""
        now = self._loop.time()
        self._entries.clear()
        self._candidates.clear()
        for entry in self._workers.ready():
            if not self._settle(entry, now):
                continue
            view = entry.view
            self._entries[view] = entry
            if (
                view.connections < entry.configuration.pool.max_connections
                and view.in_flight < IN_FLIGHT_LIMIT
                and entry.ledger.waited_s(now) < STALLED_S
            ):
                self._candidates.append(view)
        self._in_transit = sum(len(entry.ledger) + len(entry.outbox) for entry in self._workers)
        self._pace()

    def place(self, bound: BoundSocket, fd: int, sockaddr: object) -> None:
        """Choose a worker for an accepted connection. Owns `fd` from now on."""
        crash_slot = self._recovery.take() if bound.listener.settings.keep_on_crash else 0
        self._place(Handoff(fd, bound.index, sockaddr, None, 0, crash_slot))

    def take_over(self, entry: WorkerEntry, handoffs: Sequence[Handoff]) -> None:
        """Place connections that `entry` has handed back, and own them."""
        # The worker had taken them: after this no older copy of them can come out of its ledger any more.
        self._settle(entry, self._loop.time())
        self.adopt(
            handoff if self._recovery.let_go(handoff.crash_slot, entry.pid) else _without_crash_slot(handoff)
            for handoff in handoffs
        )

    def adopt(self, handoffs: Iterable[Handoff]) -> None:
        """Place connections that somebody else has accepted, and own them."""
        self._homeless.extend(handoffs)
        self.retry()

    def flush(self) -> None:
        """Send what was placed."""
        while any(entry.outbox for entry in self._entries.values()):
            for entry in list(self._entries.values()):
                if entry.outbox:
                    self._send_outbox(entry)
        self._pace()

    def take_back(self, entry: WorkerEntry) -> None:
        """Place again what `entry` has not taken and never will: it is leaving or dead."""
        now = self._loop.time()
        unread = entry.outbox
        if self._settle(entry, now):
            unread = entry.ledger.unread() + unread
        else:
            self._lose(entry.ledger.unread(), entry)
        entry.outbox = []
        entry.view.in_flight = 0
        if unread:
            log.info("handoffs taken back worker=%d pid=%d count=%d", entry.slot, entry.pid, len(unread))
            self.redispatched += len(unread)
        self._homeless.extend(unread)
        self.retry()

    def retry(self) -> None:
        """Something has changed: place what is held, and let the acceptors go on if there is room."""
        self.refresh()
        for _ in range(len(self._homeless)):
            self._place(self._homeless.popleft())
        self.flush()

    def close(self) -> None:
        """Close every descriptor that is still the master's. Idempotent."""
        if self._settle_timer is not None:
            self._settle_timer.cancel()
        for handoff in self._homeless:
            self._recovery.free(handoff.crash_slot)
            release(handoff.fd)
        self._homeless.clear()

    def _place(self, handoff: Handoff) -> None:
        bound = self._bound.get(handoff.socket)
        if bound is None:
            self._on_stray(handoff)
            return
        candidates = self._candidates
        if self.is_mixed:
            candidates = [view for view in candidates if self._entries[view].serves(handoff.socket)]
        if not candidates:
            self._homeless.append(handoff)
            return
        listener = bound.listener
        if handoff.origin:
            others = [view for view in candidates if view.pid != handoff.origin]
            candidates = others or candidates
        arrived = _Arrived(listener.name, bound.transport, handoff.peer, handoff.fd)
        try:
            # From a listener whose workers accept, only connections that move come here.
            pick = _least_loaded if listener.dispatcher.worker_accepts else listener.dispatcher.pick
            view = pick(candidates, arrived)
            if view is not None and view not in candidates:
                raise LookupError(f"{view!r} is none of the workers that it was offered")
            entry = None if view is None else self._entries[view]
        except HOOK_ERRORS as error:  # a strategy's bug must not cost a connection
            self._rate_limited.warn(
                "dispatcher %s failed: %r; using the least loaded worker", listener.dispatcher_name, error
            )
            view = _least_loaded(candidates, arrived)
            entry = self._entries[view]
        if view is None or entry is None:
            self._homeless.append(handoff)
            return
        if not handoff.crash_slot and listener.settings.keep_on_crash:
            handoff = self._recovery.admit(handoff)
        entry.outbox.append(handoff)
        self._in_transit += 1
        view.connections += 1
        view.handed_over += 1
        view.in_flight += 1
        if view.connections >= entry.configuration.pool.max_connections or view.in_flight >= IN_FLIGHT_LIMIT:
            self._candidates.remove(view)

    def _send_outbox(self, entry: WorkerEntry) -> None:
        outbox, entry.outbox = entry.outbox, []
        now = self._loop.time()
        while outbox:
            _, same = next(groupby(outbox, key=lambda handoff: (handoff.socket, handoff.frozen is None)))
            batch, message = _message_of(list(same)[:MAX_FDS])
            try:
                entry.channel.send(message, [handoff.fd for handoff in batch])
            except (ChannelFullError, PeerGoneError):
                # Not this worker, not now. It is no candidate until the next refresh; a dead one not even then,
                # for its exit is noticed first.
                entry.view.connections -= len(outbox)
                entry.view.handed_over -= len(outbox)
                entry.view.in_flight -= len(outbox)
                if entry.view in self._candidates:
                    self._candidates.remove(entry.view)
                for handoff in outbox:
                    self._place(handoff)
                return
            entry.ledger.sent(batch, now)
            del outbox[: len(batch)]

    def _settle(self, entry: WorkerEntry, now: float) -> bool:
        """Close what a worker has taken; False: what it says can't be true, so it takes nothing more."""
        cells, view = entry.row.cells, entry.view
        received = cells[Cell.RECEIVED]
        try:
            settled = entry.ledger.acknowledged(received, now)
        except FaultyCountError as error:
            self.on_faulty(entry, str(error))
            return False
        if settled:
            for handoff in settled:
                if handoff.crash_slot:
                    self._recovery.keep(handoff, entry.pid)
                else:
                    release(handoff.fd)
            cells[Cell.SETTLED] = received
            self._settle_delay_s = _SETTLE_FIRST_S
        view.in_flight = len(entry.ledger) + len(entry.outbox)
        # What it accepted by itself counts too; between its two counters it may seem to be one less.
        by_itself = max(0, cells[Cell.ACCEPTED] + cells[Cell.MOVED_IN] - received)
        view.connections = view.handed_over + by_itself - cells[Cell.CLOSED] - cells[Cell.MOVED_OUT]
        view.lag_s = cells[Cell.LAG_NS] / 1e9
        return True

    def _lose(self, handoffs: Sequence[Handoff], entry: WorkerEntry) -> None:
        """Close connections that a worker may have begun to serve: nobody knows."""
        if handoffs:
            log.error("connections lost worker=%s pid=%d count=%d", entry.name, entry.pid, len(handoffs))
        for handoff in handoffs:
            self._recovery.free(handoff.crash_slot)
            release(handoff.fd)

    def _pace(self) -> None:
        """Pause or resume the acceptors, and see to it that acknowledgements are read."""
        if self.has_room == self._paused:
            self._paused = not self._paused
            (self.on_full if self._paused else self.on_room)()
        pending = bool(self._homeless) or any(len(entry.ledger) for entry in self._workers)
        waits_for_room = self._paused and bool(self._entries)
        if (pending or waits_for_room) and self._settle_timer is None:
            self._settle_timer = self._loop.call_later(self._settle_delay_s, self._on_settle_timer)

    def _on_settle_timer(self) -> None:
        self._settle_timer = None
        self._settle_delay_s = min(self._settle_delay_s * 2, _SETTLE_LONGEST_S)
        self.retry()
