"""A worker's side of the moves that are hard to hit from outside: what another process would find at each step."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool import hookimpl
from corepool.hot.asyncio_selector import ReactorSelector
from corepool.hot.deadlines import Deadlines
from corepool.hot.reactor import Reactor
from corepool.ipc.crash_slots import CrashSlots, Status
from corepool.ipc.frozen import Frozen, State
from corepool.ipc.scoreboard import ListenerPlace, Scoreboard
from corepool.plugins.chain import Chain
from corepool.plugins.listener import Served
from corepool.spec.types import Address
from corepool.worker.counts import ConnectionCounts
from corepool.worker.service import Service
from corepool_tcp import Tcp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CRASH_SLOT = 7


class Protocol:
    frozen_version = 3

    def __init__(self, on_thaw: Callable[[], object]) -> None:
        self.call = on_thaw

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_freeze(self, conn: Any) -> bytes:  # noqa: ARG002
        return b"as it was"

    @hookimpl
    def on_thaw(self, conn: Any, state: bytes) -> None:  # noqa: ARG002
        self.call()


class Watched(ConnectionCounts):
    """Calls when a connection is acknowledged."""

    def __init__(self, row: Any, reactor: Reactor, call: Callable[[], object]) -> None:
        super().__init__(row, 10, reactor)
        self.call = call

    def received(self) -> int:
        self.call()
        return super().received()


class Worker:
    """A service of a listener with `keep_on_crash`, and what it needs; `seen` is told when a connection is taken."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.crash_slots = CrashSlots()
        self.reactor = Reactor()
        self.loop = asyncio.SelectorEventLoop(ReactorSelector(self.reactor))
        self.deadlines = Deadlines(self.loop)
        protocol = Protocol(self.look)
        self.state = State(f"{__name__}.Protocol", 3, b"as it was")
        settings = SimpleNamespace(
            accept_proxy=(), idle_timeout=0, write_timeout=0, output_high_water=1000, output_limit=2000
        )
        listener = SimpleNamespace(settings=settings, entrance=None, place=0, name="test")
        listener.served = (Served("test", protocol, Chain(protocol), ListenerPlace(0)),)
        bound = SimpleNamespace(
            listener=listener,
            index=0,
            transport=Tcp(),
            socket=SimpleNamespace(family=socket.AF_UNIX),
            address=Address("192.0.2.1", 7),
        )
        counts = Watched(Scoreboard(1).claim(pool=0), self.reactor, self.look)
        self.service = Service(cast("Any", bound), self.loop, self.reactor, self.deadlines, counts, self.crash_slots)

    @property
    def status(self) -> Status:
        return Status(self.crash_slots.statuses[CRASH_SLOT])

    def look(self) -> None:
        self.seen.append(self.status)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.loop.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def frozen(state: State) -> bytes:
    return Frozen(
        CRASH_SLOT, 1.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, protocol="test", states=(state,)
    ).encode()


def test_a_kept_connection_that_moves_is_idle_until_its_first_hook(
    worker: Worker, pair: tuple[socket.socket, socket.socket]
) -> None:
    record = frozen(worker.state)
    worker.crash_slots.statuses[CRASH_SLOT] = Status.BUSY  # as the master leaves it
    worker.service.take_frozen(pair[0].detach(), record)

    # Killed at the acknowledgement, it goes on elsewhere; killed by its own hook, it is not served again and again.
    assert worker.seen == [Status.IDLE, Status.BUSY]
    assert worker.status == Status.IDLE


def test_a_connection_to_be_sent_an_error_is_not_idle(
    worker: Worker, pair: tuple[socket.socket, socket.socket]
) -> None:
    worker.crash_slots.statuses[CRASH_SLOT] = Status.BUSY
    record = Frozen.decode(frozen(worker.state))._replace(is_lost=True, states=()).encode()
    worker.service.take_frozen(pair[0].detach(), record)

    assert worker.seen == [Status.BUSY]
    worker.loop.run_until_complete(asyncio.sleep(0))
    assert worker.status == Status.CLOSED
    assert pair[1].recv(10) == b""


def test_what_cannot_begin_leaves_epoll_before_it_is_closed(
    worker: Worker, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Deadlines):
        def watch(self, connection: object) -> None:  # noqa: ARG002
            raise RuntimeError("as asked")

    fd = pair[0].detach()
    worker.service.site.idle_timeout = 1.0
    monkeypatch.setattr(worker.service.site, "deadlines", Failing(worker.loop))
    worker.service.take_handed_over(fd)

    assert worker.reactor.sources() == []
    worker.loop.run_until_complete(asyncio.sleep(0))
    assert pair[1].recv(10) == b""
