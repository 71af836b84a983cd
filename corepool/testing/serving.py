"""A listener's plugins in a worker of the test's process, which is run until nothing is left to be done."""

from __future__ import annotations

import math
import select
from typing import TYPE_CHECKING

from corepool.hot.deadlines import Deadlines
from corepool.hot.ending import break_off
from corepool.hot.leaving import close_if_idle, close_now, notify_drain
from corepool.plugins.chain import Chain
from corepool.spec.types import Address, CloseReason, ListenerInfo
from corepool.testing.failures import Failures
from corepool.testing.served import Plain, ServedHere
from corepool.testing.worker_here import WorkerHere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.hot.connection import Connection
    from corepool.hot.deadlines import Timed
    from corepool.testing.client_end import ClientEnd

LOCAL = Address("192.0.2.2", 7000)  # RFC 5737: an address for documentation, assigned to no host

_MAX_CALLS = 1000
"""Of on_readable, without a byte received; a protocol that answers needs a handful."""

_MAX_TURNS = 1000
"""Of the loop, without a byte received; each takes a coroutine one await further."""


class Peers(Plain):
    """Socket pairs whose clients have the addresses that the test says."""

    def __init__(self) -> None:
        self.of_names: dict[object, Address] = {}

    def address(self, sockaddr: object) -> Address:
        """Return the address of a client."""
        return self.of_names.get(sockaddr, Address("unknown"))


class _TimelessDeadlines(Deadlines):
    """Deadlines that do not pass by themselves, however slow the test is."""

    def watch(self, connection: Timed) -> None:
        """Do nothing."""


class Serving:
    """One listener, served in this process."""

    def __init__(self, protocol: object, extensions: Sequence[object], listener: str, peers: Peers) -> None:
        """Start the plugins.

        :raises PluginError: an unknown hook, or one with the wrong arguments.
        :raises BaseException: of an on_worker_start.
        """
        self.plugins = (protocol, *extensions)  # held, so that no other object gets their id
        self.chain = Chain(protocol, extensions)
        self.failures = Failures()
        self.failures.listen(self.chain)
        self.served = ServedHere(
            protocol, chain=self.chain, deadlines=_TimelessDeadlines, local=LOCAL, transport=peers, name=listener
        )
        self.served.loop.set_exception_handler(self.failures.on_loop_exception)
        info = ListenerInfo(listener, type(protocol).__name__, ("memory:",))
        self.worker = WorkerHere(
            self.served.loop, info, self.failures, lambda: len(self.served.connections()), self.chain.on_message
        )
        self._ends: dict[Connection, ClientEnd] = {}
        # Plugins that never saw the loop can have begun nothing in it; so protocols of plain callbacks work in a test
        # that is a coroutine itself, where no second loop may run.
        self._has_loop = self.chain.on_worker_start is not None
        if self.chain.on_worker_start is not None:
            try:
                self.chain.on_worker_start(self.worker)
            except BaseException:
                self.served.close()
                raise

    def accept(self, end: ClientEnd, high_water: int) -> Connection:
        """Begin a new connection."""
        fd = end.other_fd
        self.served.service.site.high_water = high_water
        self.served.service.take_handed_over(fd)
        return self._taken(fd, end)

    def thaw(self, fd: int, record: bytes, end: ClientEnd) -> Connection:
        """Go on with a connection of another worker."""
        self.served.service.take_frozen(fd, record)
        return self._taken(fd, end)

    def let_go(self, conn: Connection) -> None:
        """Forget a connection that goes on in another worker."""
        self.settle(conn)
        del self._ends[conn]

    def settle(self, conn: Connection) -> None:
        """Serve until nothing is left to be done.

        :param conn: the connection that something has happened to.
        :raises BaseException: of a plugin.
        :raises AssertionError: a protocol does not receive its input.
        """
        service, turns = self.served.service, 0
        received, called = service.bytes_in, service.events
        while self._turn() and turns < _MAX_TURNS:
            turns += 1
            if service.bytes_in != received:
                received, called, turns = service.bytes_in, service.events, 0
            if service.events - called >= _MAX_CALLS:
                break_off(conn, CloseReason.ERROR)
                self._turn()
                raise AssertionError(
                    f"on_readable has left input for {_MAX_CALLS} calls; a worker would call it for ever"
                )
        self.failures.raise_first()

    def drain(self, conn: Connection, end: ClientEnd) -> None:
        """Leave, as far as this connection is concerned."""
        notify_drain(conn)
        self.settle(conn)
        close_if_idle(conn, math.inf)
        end.read_on()
        self.settle(conn)
        if conn.fileno() >= 0:
            close_now(conn)
            self.settle(conn)

    def stop(self) -> None:
        """End open connections, as a worker that leaves does, then the worker."""
        try:
            for conn, end in self._ends.items():
                if conn.fileno() >= 0:
                    self.drain(conn, end)
            if self.chain.on_worker_stop is not None:
                self.chain.on_worker_stop(self.worker)
            for _ in range(_MAX_TURNS):
                if not self._turn():
                    break
            self.failures.raise_first()
        finally:
            self.worker.end_bus()
            for end in self._ends.values():
                end.close()
            self.served.close()

    def _taken(self, fd: int, end: ClientEnd) -> Connection:
        self.worker.accepted += 1
        conn = self.served.connection(fd)
        if conn is None:
            self.failures.raise_first()
            raise AssertionError("the connection could not begin; the log says why")
        self._ends[conn] = end
        return conn

    def _turn(self) -> bool:
        """Serve, and do the clients' part, once; False: nothing was left to be done."""
        loop, reactor = self.served.loop, self.served.reactor
        has_moved = self._move()
        callbacks = loop.callbacks + self.worker.batch_calls
        if self._has_loop:
            loop.turn()
        else:
            reactor.poll(0)
        has_moved |= self._move()
        assert isinstance(reactor.epoll, select.epoll)
        is_ready = bool(select.select([reactor.epoll], [], [], 0)[0])
        return has_moved or is_ready or bool(reactor.unsent) or loop.callbacks + self.worker.batch_calls != callbacks

    def _move(self) -> bool:
        return sum(end.move() for end in self._ends.values()) > 0
