"""A bound socket as a worker serves it: makes, begins and ends its connections.

It owns, from the moment a descriptor arrives until it is closed:

========================  =======================  ==========================================================
a connection that         ends by                  then
========================  =======================  ==========================================================
could not begin           `_drop`                  closed, no hook is called
goes on elsewhere         `ended`, reason "moved"  closed here; the master has a copy
was closed by us          `ended`                  lingers while its client is still sending, then closed
broke, or was ended by    `ended`                  shut down where another process may have a copy, and closed
the client
========================  =======================  ==========================================================

Each of them is counted once, and its plugins hear of the end of a connection that they met.
"""

from __future__ import annotations

import logging
import os
import sys
from socket import SHUT_RDWR
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.hot.beginning import begin, begin_lost, begin_new
from corepool.hot.connection import Connection
from corepool.hot.entering import enter, enter_opening
from corepool.hot.layer_errors import LayerError, LayerOutputError
from corepool.hot.layers import Layers
from corepool.hot.leaving import give_up
from corepool.hot.proxy_protocol import parse
from corepool.hot.sockets import shut_down
from corepool.hot.states import NEW
from corepool.ipc.crash_slots import Status
from corepool.ipc.frozen import Frozen
from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.types import Address, CloseReason
from corepool.worker import events
from corepool.worker.addresses import Addresses
from corepool.worker.handshakes import Handshakes
from corepool.worker.journal import CrashRecords, Journal
from corepool.worker.lingering import Lingerings
from corepool.worker.moving import Moving
from corepool.worker.proxied import Proxied
from corepool.worker.securing import tls_layers
from corepool.worker.sites import Sites
from corepool.worker.threshold import threshold_of

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Iterable, Sequence

    from corepool.hot.deadlines import Deadlines
    from corepool.hot.reactor import Reactor
    from corepool.hot.site import Held
    from corepool.ipc.crash_slots import CrashSlots
    from corepool.plugins.listener import BoundSocket
    from corepool.spec.layer import Layer
    from corepool.worker.counts import ConnectionCounts, Counting

log = logging.getLogger(__name__)

_GRACEFUL = (CloseReason.CLOSED, CloseReason.TIMEOUT, CloseReason.DRAIN, CloseReason.LAYER)
"""No set: the hash of a member is a function in Python."""
_MOVED = CloseReason.MOVED  # looking up a member is another, in Python 3.11

_SPINS = 10_000
"""Calls of `on_readable` between two heartbeats, a second at the most, without a byte read: more than clients that come
and go without a word cause (each takes 20 us or more), less than a hook that never reads causes."""


class Service:
    """One bound socket in a worker. Implements `corepool.hot.site.Owner`."""

    def __init__(
        self,
        bound: BoundSocket,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        deadlines: Deadlines,
        counts: ConnectionCounts,
        crash_slots: CrashSlots,
    ) -> None:
        self.listener, self.place = bound.listener, bound.listener.place
        self.has_layers = bound.transport.has_layers
        settings = bound.listener.settings
        self.sites = Sites(self, bound, reactor, deadlines, counts)
        self.site = self.sites.entry
        self._proxied = Proxied(settings, self.sites, self._go_on) if settings.accept_proxy else None
        self._begins_at_once = not self.has_layers and self._proxied is None
        self._threshold = threshold_of(bound, self.sites, self._open_or_enter)
        self.moving = Moving(self.sites, self._refuse)
        self.hook_errors = self.layer_failures = 0
        self.handshakes = Handshakes(bound.listener.name)
        self._records = CrashRecords(crash_slots, self.sites.ask, self.moving.freeze, self.failed)
        self._crash_slots = crash_slots
        self._transport = bound.transport
        self._reactor, self._counts = reactor, counts
        self._rate_limited = RateLimitedLog(log)
        self._addresses = Addresses(bound, self._rate_limited)
        self._lingering = Lingerings(reactor, loop)
        self._looked_at, self._has_spun = (0, 0), False

    # --- counters: attributes that counts.py publishes

    @property
    def counting(self) -> list[Counting]:
        """The service, and the sites of its protocols if there are several: all with a place on the scoreboard."""
        return [self, *self.sites.counting]

    @property
    def events(self) -> int:
        """Events that brought data, or the peer's end."""
        return self.sites.events

    @property
    def bytes_in(self) -> int:
        """Bytes received."""
        return self.sites.bytes_in

    @property
    def bytes_out(self) -> int:
        """Bytes sent."""
        return self.sites.bytes_out

    @property
    def proxy_failures(self) -> int:
        """Connections without the PROXY header that they need."""
        return 0 if self._proxied is None else self._proxied.failures

    @property
    def unmatched(self) -> int:
        """Connections that no protocol has recognised."""
        return 0 if self.sites.sniffing is None else self.sites.sniffing.unmatched

    def look_for_spin(self) -> None:
        """Warn, once, of a protocol that is called and called and never reads. To be called at each heartbeat."""
        before, read = self._looked_at
        self._looked_at = self.events, self.sites.bytes_read
        if self._looked_at[1] == read and self.events - before >= _SPINS and not self._has_spun:
            self._has_spun = True
            events.input_never_read(log, listener=self.listener.name, calls=self.events - before)

    # --- the beginning

    def take_handed_over(self, fd: int, crash_slot: int = 0) -> None:
        """Begin a connection that the master has handed over, and own it; it does not block."""
        self._begin(fd, self._counts.received(), crash_slot)

    def take_accepted(self, fd: int) -> None:
        """Begin a connection that this worker has accepted by itself, and own it; it does not block."""
        self._begin(fd, self._counts.own_number(), 0)

    def _begin(self, fd: int, number: int, crash_slot: int) -> None:
        self._counts.began(self.place)
        conn: Connection | None = None
        try:
            if self._begins_at_once:
                conn = Connection(self.site, fd, number, self._journal(crash_slot))
            else:
                conn = self._make(fd, number, crash_slot)
            if conn.layers is None and conn.journal is None and not conn.site.trigger:
                begin_new(conn, conn.site.on_accept)
            else:
                begin(conn, conn.site.on_accept)
        except OSError as error:  # the peer is gone already, or epoll's watches are used up
            events.connection_not_begun(self._rate_limited, listener=self.listener.name, reason=error)
            self._drop(fd, crash_slot, conn)
        except HOOK_ERRORS as error:
            events.connection_failed_at_begin.exception(self._rate_limited, error, listener=self.listener.name)
            self._drop(fd, crash_slot, conn)

    def _make(self, fd: int, number: int, crash_slot: int) -> Connection:
        """Make a connection that the plugins may meet later: when its PROXY header was read, and its layers are open.

        :raises BaseException: of the transport.
        """
        peer = self.address(fd, peer=True)
        if self._proxied is not None and self._proxied.sends_header(peer):
            conn = Connection(self._proxied.site, fd, number, self._journal(crash_slot))
            self._proxied.prepare(conn)
            return conn
        if self._threshold is not None:
            return Connection(self._threshold.site, fd, number, None)
        stack = self._transport.layers(peer) if self.has_layers else ()
        if stack:
            return Connection(self.sites.opening, fd, number, None, Layers(stack))
        return Connection(self.site, fd, number, self._journal(crash_slot))

    def _go_on(self, conn: Connection) -> None:
        """Go on with a connection whose PROXY header was read."""
        if self._threshold is None:
            self._open_or_enter(conn, self.has_layers)
        else:
            enter(conn, self._threshold.site)

    def _open_or_enter(self, conn: Connection, is_layered: bool) -> None:  # noqa: FBT001
        stack = self._transport.layers(conn.peer) if is_layered else ()
        if stack:
            enter_opening(conn, self.sites.opening, Layers(stack))
        else:
            enter(conn, self.site)

    def take_frozen(self, fd: int, record: bytes) -> None:
        """Go on with a connection of another worker, and own it."""
        crash_slot, conn = 0, None
        try:
            frozen = Frozen.decode(record)
            crash_slot = frozen.crash_slot
            header = parse(frozen.header) if frozen.header else None
        except ValueError as error:  # a master of another version has frozen it
            self._counts.received_moved(self.place)
            self._lose(fd, crash_slot, conn, error)
            return
        # Before it is acknowledged: if this process is killed after that, it is still idle, until its first hook runs.
        if crash_slot and not frozen.is_lost and self._crash_slots.write(crash_slot, record):
            self._crash_slots.statuses[crash_slot] = Status.IDLE
        number = self._counts.received_moved(self.place)
        try:
            os.set_blocking(fd, False)
            site = self.sites.of_moved(frozen.protocol)
            conn = Connection(site, fd, number, self._journal(crash_slot))
            conn.header = header
            if frozen.is_lost:
                conn.site = self.sites.of_lost(frozen.protocol)
                begin_lost(conn)
            else:
                if site.place != self.place:
                    self._counts.came(site.place)
                if crash_slot:  # it was idle on its way; a hook that kills its worker runs once
                    self._crash_slots.statuses[crash_slot] = Status.BUSY
                self.moving.thaw(conn, frozen)
        except OSError as error:
            self._lose(fd, crash_slot, conn, error)
        except HOOK_ERRORS as error:
            events.connection_failed_at_restore.exception(self._rate_limited, error, listener=self.listener.name)
            self._drop(fd, crash_slot, conn)

    def _journal(self, crash_slot: int) -> Journal | None:
        return Journal(self._records, crash_slot) if crash_slot else None

    def _refuse(self, conn: Held) -> None:
        self._counts.refused()
        self._leave_protocol(conn)
        conn.site = self.sites.unmet

    def _leave_protocol(self, conn: Held, goes_on: bool = False) -> None:  # noqa: FBT001, FBT002  # in C there are no keywords
        if conn.site.place != self.place:
            self._counts.left(conn.site.place, goes_on=goes_on)

    def _lose(self, fd: int, crash_slot: int, conn: Connection | None, error: Exception) -> None:
        events.connection_not_restored(self._rate_limited, listener=self.listener.name, reason=error)
        self._drop(fd, crash_slot, conn)

    def _drop(self, fd: int, crash_slot: int, conn: Connection | None) -> None:
        self._counts.ended(self.place)
        if crash_slot:
            self._crash_slots.statuses[crash_slot] = Status.CLOSED
        if conn is None:
            release(fd)
        else:
            self._leave_protocol(conn)
            self._reactor.close_later(give_up(conn))

    # --- the end

    def ended(self, conn: Held, fd: int, reason: CloseReason) -> None:
        """Deal with a connection that has just left epoll: close `fd`, count it, call its hooks."""
        if conn.entry is not None:
            conn.site.deadlines.forget(conn)
        if reason is _MOVED:
            self._reactor.close_later(fd)
            self._counts.moved_out(self.place)
            self._leave_protocol(conn, True)
        else:
            # After the end of input nothing more can arrive.
            if conn.eof or reason not in _GRACEFUL or not self._lingering.take(conn, fd):
                if conn.crash_slot or self._counts.is_shared(conn.id):
                    # close(2) alone would keep the FIN back until the master's copy goes as well.
                    shut_down(fd, SHUT_RDWR)
                self._reactor.close_later(fd)
            if conn.crash_slot:
                self._crash_slots.statuses[conn.crash_slot] = Status.CLOSED
            if conn.layers is not None:
                self.layer_failures += self.handshakes.end(conn, conn.layers, reason)
            self._counts.ended(self.place)
            self._leave_protocol(conn)
        on_close = conn.site.on_close
        if on_close is not None:
            try:
                on_close(conn, reason)
            except HOOK_ERRORS:  # a hook's bug costs this connection alone
                self.failed(conn)
        # Most sessions know their connection: such a cycle would wait for the garbage collector.
        conn.session = None

    # --- log lines, and addresses

    def failed(self, conn: Held) -> None:
        """Log the exception of a hook that is being handled."""
        self.hook_errors += 1
        conn.site.hook_errors += 1
        events.hook_failed.exception(log, sys.exception(), listener=self.listener.name, conn=conn.id, peer=conn.peer)

    def closing(self, conn: Held, cause: BaseException | None) -> None:
        """Log why a connection is about to be closed by us."""
        name = self.listener.name
        if cause is None:
            events.output_limit_exceeded(
                self._rate_limited,
                listener=name,
                conn=conn.id,
                peer=conn.peer,
                buffered=conn.buffered,
                limit=conn.site.output_limit,
            )
        elif not isinstance(cause, LayerError):  # epoll has no room for it
            events.connection_not_watched(self._rate_limited, listener=name, peer=conn.peer, reason=cause)
        elif conn.layers is not None and not conn.layers.is_open and self.handshakes.fail(conn, cause.cause):
            pass  # logged
        elif isinstance(cause.cause, ValueError):
            events.layer_refused(self._rate_limited, listener=name, peer=conn.peer, reason=cause.cause)
        else:
            self.hook_errors += 1
            if isinstance(cause, LayerOutputError):  # as seldom as mistakes of the protocol that has met it
                events.layer_failed.exception(log, cause.cause, listener=name, peer=conn.peer)
            else:
                events.layer_failed.exception(self._rate_limited, cause.cause, listener=name, peer=conn.peer)

    def tls_layers(self, conn: Held, context: ssl.SSLContext | None) -> Sequence[Layer]:
        """Make the layers of `start_tls`."""
        return tls_layers(self._transport, conn, context)

    def address(self, fd: int, *, peer: bool) -> Address:
        """Return an address of a connection; that of the peer is Address("unknown") once it is gone."""
        return self._addresses.of(fd, peer)


def connections_of(reactor: Reactor, services: Iterable[Service]) -> list[Connection]:
    """List the open connections of a worker."""
    sources = reactor.sources()
    for service in services:
        for site in service.sites:
            sources += site.parked
    sources += [source for source in reactor.unread if isinstance(source, Connection) and source.mask == NEW]
    return [source for source in sources if isinstance(source, Connection)]
