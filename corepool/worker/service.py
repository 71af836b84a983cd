"""What the connections of one bound socket share in a worker: its hooks, limits, counters, and their end."""

from __future__ import annotations

import logging
import socket
from array import array
from typing import TYPE_CHECKING

from corepool.errors import ThawRefusedError
from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.ipc.crash_slots import Status
from corepool.ipc.frozen import Frozen
from corepool.ipc.scoreboard import COLUMNS, PER_LISTENER, Cell
from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.counters import OF_SERVICES
from corepool.spec.types import Address, CloseReason
from corepool.worker.connection import Connection
from corepool.worker.journal import CrashRecords, Journal
from corepool.worker.lingering import Lingerings
from corepool.worker.wire import wire_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.frozen import State
    from corepool.ipc.scoreboard import ListenerPlace, Row
    from corepool.plugins.listener import BoundSocket
    from corepool.worker.deadlines import Deadlines
    from corepool.worker.reactor import Reactor
    from corepool.worker.wire import Handle

log = logging.getLogger(__name__)

_RECEIVED, _ACCEPTED, _CLOSED, _SETTLED = (
    int(cell) for cell in (Cell.RECEIVED, Cell.ACCEPTED, Cell.CLOSED, Cell.SETTLED)
)  # plain numbers: looking up a member of an enumeration takes twice as long as writing the counter

_BEGAN, _ENDED, _CAME, _LEFT = (COLUMNS[name] for name in ("accepted", "closed", "moved", "moved_out"))

_GRACEFUL = frozenset({CloseReason.CLOSED, CloseReason.TIMEOUT, CloseReason.DRAIN})

_WILDCARDS = frozenset({"0.0.0.0", "::"})

_SPINS = 10_000
"""Calls of `on_readable` between two heartbeats, a second at the most, without a byte read: more than clients that come
and go without a word cause (each takes 30 us or more, besides the client's own time), less than a hook that never reads
causes."""


class ConnectionCounts:
    """How many connections the worker has, and whom to tell when one has gone."""

    def __init__(self, row: Row, limit: int, reactor: Reactor) -> None:
        self._cells = row.cells
        self._reactor = reactor
        self._limit = limit
        self._received = 0
        self._accepted = 0
        self._closed = 0
        self._moved_in = 0
        self._moved_out = 0
        self._per_listener = array("Q", row.cells[Cell.COUNT :])
        self._is_published = True
        self.on_room: list[Callable[[], None]] = []

    @property
    def full(self) -> bool:
        """True when the worker may hold no more connections."""
        return self._accepted + self._moved_in - self._closed - self._moved_out >= self._limit

    def received(self) -> int:
        """Count a connection that the master handed over, and give its number, counting from 1.

        This is the acknowledgement: from now on the connection is this process's, whatever happens to it.
        """
        self._received = self._cells[_RECEIVED] = self._received + 1
        return self._received

    def is_shared(self, number: int) -> bool:
        """True while the master may still hold its copy of connection `number`."""
        return number > self._cells[_SETTLED]

    def began(self, place: ListenerPlace) -> None:
        """Count a connection that begins."""
        self._accepted += 1
        self._per_listener[PER_LISTENER * place + _BEGAN] += 1
        self._publish_later()

    def moved_in(self, place: ListenerPlace) -> None:
        """Count a connection that began in another process."""
        self._moved_in += 1
        self._per_listener[PER_LISTENER * place + _CAME] += 1
        self._publish_later()

    def refused(self) -> None:
        """Count a connection from another process that could not go on here."""
        self._cells[Cell.REFUSED] += 1

    def moved_out(self, place: ListenerPlace) -> None:
        """Count a connection that goes on in another process."""
        was_full = self.full
        self._moved_out += 1
        self._per_listener[PER_LISTENER * place + _LEFT] += 1
        self._publish_later()
        self._tell_of_room(was_full)

    def own_number(self) -> int:
        """Return a number for a connection that this worker has accepted by itself.

        It is negative: the master never held a copy of it, and numbers must not collide.
        """
        return -self._accepted - 1

    def ended(self, place: ListenerPlace) -> None:
        """Count a connection that has ended."""
        was_full = self.full
        self._closed += 1
        self._per_listener[PER_LISTENER * place + _ENDED] += 1
        self._publish_later()
        self._tell_of_room(was_full)

    def publish(self, services: Sequence[Service]) -> None:
        """Write the counters of services, with those of connections. To be called at each heartbeat."""
        for counter in OF_SERVICES:
            column, sums = COLUMNS[counter.name], dict.fromkeys((each.listener.place for each in services), 0)
            for each in services:
                sums[each.listener.place] += getattr(each, counter.name)
            for place, count in sums.items():
                self._per_listener[PER_LISTENER * place + column] = count
        self._publish()

    def _tell_of_room(self, was_full: bool) -> None:  # noqa: FBT001
        if was_full and not self.full:
            for tell in self.on_room:
                tell()

    def _publish_later(self) -> None:
        if self._is_published:
            self._is_published = False
            self._reactor.at_batch_end(self._publish)

    def _publish(self) -> None:
        self._cells[Cell.COUNT :] = memoryview(self._per_listener)
        # `closed` last: read in between, the worker seems to hold more than it does, never less.
        self._cells[_ACCEPTED] = self._accepted
        if self._moved_in or self._moved_out:
            self._cells[Cell.MOVED_IN] = self._moved_in
            self._cells[Cell.MOVED_OUT] = self._moved_out
        self._cells[_CLOSED] = self._closed
        self._is_published = True


class Service:
    """One bound socket as a worker serves it. Plain attributes: connections read them on the hot path."""

    def __init__(
        self,
        bound: BoundSocket,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        deadlines: Deadlines,
        counts: ConnectionCounts,
        crash_slots: CrashSlots,
    ) -> None:
        self.crash_slots = crash_slots
        settings = bound.listener.settings
        assert bound.listener.chain.on_readable is not None
        self.listener = bound.listener
        self.bound_index = bound.index
        self.chain = bound.listener.chain
        self.on_readable = bound.listener.chain.on_readable
        self.reactor = reactor
        self.unsent = reactor.unsent
        self.deadlines = deadlines
        self.idle_timeout = settings.idle_timeout
        self.write_timeout = settings.write_timeout
        self.high_water = settings.output_high_water
        self.output_limit = settings.output_limit
        self.parked: set[Connection] = set()
        self.events = 0
        """Events that brought data, or the peer's end."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.hook_errors = 0
        self.wire = wire_of(bound.transport, bound.socket.family)
        self.can_move = bound.listener.chain.freezer.can_freeze and self.wire.can_move
        self._unmet: set[int] = set()
        """Connections whose plugins are not to be told of their end: they have refused to go on with them."""
        self.read = self.wire.read
        self.write = self.wire.write
        ask = bound.listener.chain.freezer.ask if self.can_move else _never
        self._records = CrashRecords(crash_slots, ask, Connection.freeze, self.failed)
        self._transport = bound.transport
        # Saves two system calls per connection, where a socket is not bound to every address of the machine.
        self._local = None if bound.address.host in _WILDCARDS else bound.address
        self._loop = loop
        self._rate_limited = RateLimitedLog(log)
        self._lingering = Lingerings(self.wire, reactor, loop)
        self._looked_at = (0, 0)
        self._has_spun = False
        self._counts = counts

    def look_for_spin(self) -> None:
        """Warn, once, of a protocol that is called and called and never reads. To be called at each heartbeat."""
        events, received = self._looked_at
        self._looked_at = self.events, self.bytes_in
        if self.bytes_in == received and self.events - events >= _SPINS and not self._has_spun:
            self._has_spun = True
            log.warning(
                "listener=%s: on_readable was called %d times since the last heartbeat and read nothing; "
                "it has to call conn.recv() or conn.pause(), or it is called for ever",
                self.listener.name,
                self.events - events,
            )

    def take_handed_over(self, fd: int, crash_slot: int = 0) -> None:
        """Begin a connection that the master has handed over, and own it."""
        self._begin(fd, self._counts.received(), crash_slot)

    def take_accepted(self, fd: int) -> None:
        """Begin a connection that this worker has accepted by itself, and own it."""
        self._begin(fd, self._counts.own_number(), 0)

    def _make(self, fd: int, number: int, crash_slot: int) -> Connection:
        journal = Journal(self._records, crash_slot) if crash_slot else None
        return Connection(self, self.wire.open(fd), fd, number, journal)

    def take_frozen(self, fd: int, record: bytes) -> None:
        """Go on with a connection of another worker, and own it."""
        try:
            frozen = Frozen.decode(record)
        except ValueError as error:  # a master of another version has frozen it
            self._take_moved()
            self._lose(fd, 0, None, error)
            return
        crash_slot = frozen.crash_slot
        # Before it is acknowledged: if this process is killed after that, it is still idle, until its first hook runs.
        if crash_slot and not frozen.is_lost and self.crash_slots.write(crash_slot, record):
            self.crash_slots.statuses[crash_slot] = Status.IDLE
        number = self._take_moved()
        conn: Connection | None = None
        try:
            conn = self._make(fd, number, crash_slot)
            if frozen.is_lost:
                self._unmet.add(conn.id)
                conn.notify_lost()
            else:
                conn.thaw(frozen)
        except OSError as error:
            self._lose(fd, crash_slot, conn, error)
        except HOOK_ERRORS:
            self._rate_limited.exception("connection lost listener=%s: its transport failed", self.listener.name)
            self._drop(fd, crash_slot, conn)

    def _take_moved(self) -> int:
        number = self._counts.received()
        self._counts.moved_in(self.listener.place)
        return number

    def _lose(self, fd: int, crash_slot: int, conn: Connection | None, error: Exception) -> None:
        self._rate_limited.warn("connection lost listener=%s: it can't be restored: %s", self.listener.name, error)
        self._drop(fd, crash_slot, conn)

    def thaw(self, conn: Connection, states: Sequence[State]) -> None:
        """Have its plugins go on with a connection, or close it if they can't."""
        try:
            self.chain.freezer.thaw(conn, states)
        except ThawRefusedError as error:
            self._rate_limited.warn("connection refused listener=%s peer=%s: %s", self.listener.name, conn.peer, error)
        except HOOK_ERRORS:  # a hook's bug costs this connection alone
            self.failed(conn)
        else:
            return
        self._counts.refused()
        self._unmet.add(conn.id)
        conn.close()

    def let_go(self, conn: Connection, handle: Handle) -> None:
        """Deal with a connection that goes on in another process: tell its hooks, count it, close our descriptor."""
        if conn.entry is not None:
            self.deadlines.forget(conn)
        self.reactor.close_later(self.wire.close, handle)
        self._counts.moved_out(self.listener.place)
        self._tell_the_end(conn, CloseReason.MOVED)

    def _begin(self, fd: int, number: int, crash_slot: int) -> None:
        self._counts.began(self.listener.place)
        conn: Connection | None = None
        try:
            conn = self._make(fd, number, crash_slot)
            conn.begin()
        except OSError as error:
            # The peer is gone already, or epoll's watches are used up.
            self._rate_limited.warn("connection refused listener=%s reason=%s", self.listener.name, error)
            self._drop(fd, crash_slot, conn)
        except HOOK_ERRORS:
            self._rate_limited.exception("connection refused listener=%s: its transport failed", self.listener.name)
            self._drop(fd, crash_slot, conn)

    def release(self, conn: Connection, handle: Handle, reason: CloseReason, *, ended: bool) -> None:
        """Deal with a connection that has just left epoll: tell its hooks, count it, close its handle.

        :param ended: the peer has ended its side, so nothing more can arrive.
        """
        if conn.entry is not None:
            self.deadlines.forget(conn)
        if ended or reason not in _GRACEFUL or not self._linger(handle):
            if conn.crash_slot or self._counts.is_shared(conn.id):
                # close(2) alone would keep the FIN back until the master's copy goes as well.
                self._shutdown(handle, socket.SHUT_RDWR)
            self.reactor.close_later(self.wire.close, handle)
        if conn.crash_slot:
            self.crash_slots.statuses[conn.crash_slot] = Status.CLOSED
        self._counts.ended(self.listener.place)
        self._tell_the_end(conn, reason)

    def _tell_the_end(self, conn: Connection, reason: CloseReason) -> None:
        on_close = self.chain.on_close
        if self._unmet and conn.id in self._unmet:
            self._unmet.discard(conn.id)
        elif on_close is not None:
            try:
                on_close(conn, reason)
            except HOOK_ERRORS:  # a hook's bug costs no other connection
                self.failed(conn)
        # Most sessions know their connection: such a cycle would wait for the garbage collector.
        conn.session = None

    def failed(self, conn: Connection) -> None:
        """Log the exception of a hook that is being handled."""
        self.hook_errors += 1
        log.exception("hook failed listener=%s conn=%d peer=%s", self.listener.name, conn.id, conn.peer)

    def cannot_watch(self, conn: Connection, error: OSError) -> None:
        """Log that a connection is closed since epoll has no room for it."""
        self._rate_limited.warn("connection closed listener=%s peer=%s reason=%s", self.listener.name, conn.peer, error)

    def overflowed(self, conn: Connection) -> None:
        """Log that a peer let too much output pile up."""
        self._rate_limited.warn(
            "connection aborted listener=%s conn=%d peer=%s reason=output_limit buffered=%d limit=%d",
            self.listener.name,
            conn.id,
            conn.peer,
            conn.buffered,
            self.output_limit,
        )

    def address_of(self, handle: Handle, *, peer: bool) -> Address:
        """Return an address of a connection; that of the peer is Address("unknown") once it is gone."""
        if not peer and self._local is not None:
            return self._local
        if handle is None:
            return Address("unknown")
        try:
            return self._transport.address(self.wire.sockaddr(handle, peer=peer))
        except OSError:
            return Address("unknown")
        except HOOK_ERRORS:  # of a transport: an address is asked for in log lines, too, where nothing may fail
            self._rate_limited.exception("listener=%s: its transport can't tell an address", self.listener.name)
            return Address("unknown")

    def _drop(self, fd: int, crash_slot: int, conn: Connection | None) -> None:
        self._counts.ended(self.listener.place)
        if crash_slot:
            self.crash_slots.statuses[crash_slot] = Status.CLOSED
        if conn is None:
            release(fd)
        else:
            conn.give_up()  # a stream, if it is one, owns the descriptor

    def end_output(self, handle: Handle) -> None:
        """End this side of the connection."""
        self._shutdown(handle, socket.SHUT_WR)

    def _shutdown(self, handle: Handle, how: int) -> None:
        try:
            self.wire.shutdown(handle, how)
        except OSError:
            pass  # the peer was faster
        except HOOK_ERRORS:  # of a transport's stream, which is closed all the same
            self._rate_limited.exception(
                "listener=%s: a stream of its transport can't be shut down", self.listener.name
            )

    def _linger(self, handle: Handle) -> bool:
        """Keep a connection whose peer is still sending; False when it isn't.

        A close with unread input sends RST, which destroys what the peer has not read of our last words.
        """
        try:
            if not self.read(handle, 65536):
                return False
        except OSError:  # nothing there, or gone
            return False
        except HOOK_ERRORS:
            self._rate_limited.exception("listener=%s: a stream of its transport can't be read", self.listener.name)
            return False
        self._shutdown(handle, socket.SHUT_WR)
        return self._lingering.add(handle)


def _never(_: Connection) -> None:
    """Return None: it can't be moved."""
