"""What the connections of one bound socket share in a worker: its hooks, limits, counters, and their end."""

from __future__ import annotations

import logging
import socket
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.ipc.scoreboard import Cell, listener_cell
from corepool.spec.types import Address, CloseReason
from corepool.worker.connection import Connection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool.ipc.scoreboard import Row
    from corepool.listener import BoundSocket
    from corepool.spec.transport import ByteStream
    from corepool.worker.deadlines import Deadlines
    from corepool.worker.reactor import Reactor

log = logging.getLogger(__name__)

_LINGER_S = 2.0
"""How long a closed connection may go on sending to nobody before it is reset (nginx's lingering_timeout is 5 s)."""

_LINGER_READS = 64
"""And how often it is read from: 4 MiB at the most."""


class Tally:
    """How many connections the worker has open, and whom to tell when one has gone."""

    def __init__(self, row: Row, limit: int) -> None:
        self.cells = row.cells
        self.limit = limit
        self.open = 0
        self.next_id = 0
        self.on_room: list[Callable[[], None]] = []

    @property
    def full(self) -> bool:
        return self.open >= self.limit


class Service:
    """One bound socket as a worker serves it. Plain attributes: connections read them on the hot path."""

    def __init__(
        self,
        bound: BoundSocket,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        deadlines: Deadlines,
        tally: Tally,
    ) -> None:
        settings = bound.listener.settings
        assert bound.listener.chain.on_readable is not None
        self.listener = bound.listener
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
        self.requests = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.errors = 0
        self._transport = bound.transport
        self._family = bound.socket.family
        self._loop = loop
        self._tally = tally
        self._accepted_cell = listener_cell(bound.listener.index)
        self._shared = not bound.listener.dispatcher.worker_accepts

    def take(self, fd: int) -> None:
        """Begin a connection on the accepted descriptor `fd`, and own it."""
        tally = self._tally
        # Family and type are given, or the constructor would ask the kernel for them. The protocol is TCP's
        # or 0, and nothing here depends on it: TCP_NODELAY was inherited from the listening socket.
        sock = socket.socket(self._family, socket.SOCK_STREAM, 0, fd)
        tally.open += 1
        tally.next_id += 1
        cells = tally.cells
        cells[Cell.ACCEPTED] += 1
        cells[self._accepted_cell] += 1
        try:
            sock.setblocking(False)
            Connection(self, self._transport.wrap(sock), fd, tally.next_id).begin()
        except OSError as error:
            # The peer is gone already, or epoll's watches are used up.
            log.warning("connection refused listener=%s reason=%s", self.listener.name, error)
            self._drop(sock)
        except Exception:
            log.exception("connection refused listener=%s: its transport failed", self.listener.name)
            self._drop(sock)

    def release(self, conn: Connection, stream: ByteStream, reason: CloseReason, *, ended: bool) -> None:
        """Deal with a connection that has just left epoll: tell its hooks, count it, close its stream.

        :param ended: the peer has ended its side, so nothing more can arrive.
        """
        self.deadlines.forget(conn)
        self._close(stream, reason, ended=ended)
        self._count_closed()
        on_close = self.chain.on_close
        if on_close is not None:
            try:
                on_close(conn, reason)
            except Exception:  # noqa: BLE001  # a hook's bug costs nobody else
                self.failed(conn)

    def failed(self, conn: Connection) -> None:
        """Log the exception of a hook that is being handled."""
        self.errors += 1
        log.exception("hook failed listener=%s conn=%d peer=%s", self.listener.name, conn.id, conn.peer)

    def overflowed(self, conn: Connection) -> None:
        """Log that a peer let too much output pile up."""
        log.warning(
            "connection aborted listener=%s conn=%d peer=%s reason=output_limit buffered=%d limit=%d",
            self.listener.name,
            conn.id,
            conn.peer,
            conn.buffered,
            self.output_limit,
        )

    def address_of(self, stream: ByteStream, *, peer: bool) -> Address:
        """Give an address of `stream`; Address("unknown") once it is gone."""
        try:
            return self._transport.address(stream.getpeername() if peer else stream.getsockname())
        except OSError:
            return Address("unknown")

    def _drop(self, sock: socket.socket) -> None:
        self._count_closed()
        sock.close()

    def _count_closed(self) -> None:
        tally = self._tally
        tally.open -= 1
        cells = tally.cells
        cells[Cell.CLOSED] += 1
        cells[self._accepted_cell + 1] += 1
        if tally.open + 1 == tally.limit:
            for tell in tally.on_room:
                tell()

    def _close(self, stream: ByteStream, reason: CloseReason, *, ended: bool) -> None:
        gracefully = reason in (CloseReason.CLOSED, CloseReason.TIMEOUT, CloseReason.DRAIN)
        try:
            if gracefully and not ended and self._linger(stream):
                return
            if self._shared:
                # The master may still hold its copy, and close(2) alone would keep the FIN back until it goes.
                stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was faster: there is nobody left to be told
        self.reactor.close_later(stream)

    def _linger(self, stream: ByteStream) -> bool:
        """Keep a stream whose peer is still sending; False when it isn't.

        A close with unread input sends RST, which destroys what the peer has not read of our last words.
        """
        try:
            if not stream.recv(65536):
                return False
        except BlockingIOError:
            return False
        stream.shutdown(socket.SHUT_WR)
        Lingering(stream, self.reactor, self._loop)
        return True


class Lingering:
    """A stream that is closed for us: reads and forgets until the peer has ended too."""

    def __init__(self, stream: ByteStream, reactor: Reactor, loop: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._reactor = reactor
        self._fd = stream.fileno()
        self._reads_left = _LINGER_READS
        reactor.add(self._fd, self, EPOLLIN)
        self._timer = loop.call_later(_LINGER_S, self._finish)

    def on_event(self, mask: int) -> None:  # noqa: ARG002  # whatever it is, recv tells
        self._reads_left -= 1
        try:
            if self._reads_left and self._stream.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # reset: it is over, which is what we wait for
        self._finish()

    def on_failure(self) -> None:
        log.exception("lingering close failed")
        self._finish()

    def flush(self) -> None:
        """Nothing is ever buffered."""

    def _finish(self) -> None:
        self._timer.cancel()
        self._reactor.remove(self._fd)
        self._reactor.close_later(self._stream)
