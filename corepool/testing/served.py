"""A worker's service in this process: real connections over real descriptors, without a master and without a fork."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from corepool.config.settings import ListenerSettings
from corepool.hot.deadlines import Deadlines
from corepool.hot.leaving import close_now
from corepool.hot.reactor import Reactor
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.scoreboard import ListenerPlace, Scoreboard
from corepool.ipc.shapes import SocketIndex
from corepool.plugins.chain import Chain
from corepool.plugins.listener import BoundSocket, Listener, Served
from corepool.plugins.renewal import Renewal
from corepool.spec.dispatcher import Dispatcher
from corepool.spec.transport import Endpoint, Transport
from corepool.spec.types import Address
from corepool.testing.loop import SteppedLoop
from corepool.worker.counts import ConnectionCounts
from corepool.worker.service import Service, connections_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from corepool.hot.connection import Connection
    from corepool.spec.dispatcher import Incoming, WorkerView

_MAX_CONNECTIONS = 10_000


class _First(Dispatcher):
    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> WorkerView | None:  # noqa: ARG002
        return workers[0]


class Plain(Transport):
    """Socket pairs: nothing is listened on, and addresses have no names."""

    def check(self, endpoint: Endpoint) -> None:
        """Accept anything."""

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:  # noqa: ARG002
        """Refuse: there is nothing to listen on."""
        raise OSError("socket pairs are not listened on")

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Return the URL as it is."""
        return endpoint.url

    def address(self, sockaddr: object) -> Address:  # noqa: ARG002
        """Return an address without a port."""
        return Address("memory")


class ServedHere:
    """One service, and the reactor that serves it. `turn` is one turn of the worker's loop without asyncio's part."""

    def __init__(
        self,
        protocol: object,
        *,
        extensions: Sequence[object] = (),
        chain: Chain | None = None,
        deadlines: Callable[[asyncio.AbstractEventLoop], Deadlines] = Deadlines,
        local: Address | None = None,
        transport: Transport | None = None,
        family: int = socket.AF_UNIX,
        others: Mapping[str, object] | None = None,
        **settings: object,
    ) -> None:
        """Serve connections of `transport` with these plugins; nothing has arrived yet.

        :param chain: of the hooks of these plugins; made if it is not given.
        :param deadlines: makes the deadlines of connections for the worker's loop.
        :param others: more protocols, by name, after the first one, which is called `test`.
        :param local: the address that clients connect to.
        :param settings: of the listener, as in the configuration.
        """
        self.reactor = Reactor()
        self.loop = SteppedLoop(self.reactor)
        self.deadlines = deadlines(self.loop)
        self.crash_slots = CrashSlots()
        self.row = Scoreboard(2 + len(others or ())).claim(pool=0)
        self.counts = ConnectionCounts(self.row, _MAX_CONNECTIONS, self.reactor)
        given = {"name": "test", "bind": ["tcp://127.0.0.1:0"], **settings}
        served: tuple[Served, ...] = (Served("test", protocol, chain or Chain(protocol, extensions), ListenerPlace(0)),)
        entrance = None
        if others is not None:
            every = {"test": protocol, **others}
            served = tuple(
                Served(name, each, Chain(each, extensions, [each]), ListenerPlace(place))
                for place, (name, each) in enumerate(every.items(), 1)
            )
            entrance = Chain(None, extensions)
        given |= {"protocol": None, "protocols": [each.name for each in served]}
        checked = ListenerSettings.model_validate(given)
        listener = Listener(ListenerPlace(0), 0, checked, "first", _First(), served, (), entrance=entrance)
        self._socket = socket.socket(family)  # known by its family only
        endpoint = Endpoint("memory:", "memory")
        address = local or Address("memory", 1)
        transport = transport or Plain()
        renewal = Renewal(transport, endpoint)
        bound = BoundSocket(SocketIndex(0), listener, endpoint, transport, self._socket, "memory:", address, renewal)
        self.service = Service(bound, self.loop, self.reactor, self.deadlines, self.counts, self.crash_slots)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, crash_slot: int = 0) -> socket.socket:
        """Return the client's end of a new connection, which has begun."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.service.take_handed_over(ours.detach(), crash_slot)
        return theirs

    def connection(self, fd: int) -> Connection | None:
        """Return the open connection with this descriptor."""
        return next((conn for conn in self.connections() if conn.fileno() == fd), None)

    def connections(self) -> list[Connection]:
        """List the open connections."""
        return connections_of(self.reactor, [self.service])

    def turn(self, timeout: float = 0.0) -> None:
        """Serve the descriptors that are ready, once."""
        self.reactor.poll(timeout)

    def turn_until(self, condition: Callable[[], bool], turns: int = 100_000) -> None:
        """Serve until a condition holds.

        :raises AssertionError: it doesn't, after so many turns in which nothing was ready for a millisecond.
        """
        for _ in range(turns):
            if condition():
                return
            self.turn(0.001)
        raise AssertionError("the condition does not come true")

    def close(self) -> None:
        """Close the connections as a worker does whose drain deadline has passed, and everything else."""
        for conn in self.connections():
            close_now(conn)
        self.turn()
        self.turn()
        self.loop.close()
        self._socket.close()
