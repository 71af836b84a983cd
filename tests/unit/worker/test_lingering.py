"""Closed connections whose peers still send: read and dropped, within bounds of time and of their number."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool.hot.reactor import Reactor
from corepool.worker.lingering import MAX_LINGERING, MAX_TIME_S, SILENCE_S, Lingerings

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator


class Timer:
    def __init__(self, due: float, call: Callable[[], object]) -> None:
        self.due = due
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """A loop with timers alone, whose time the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *_: object, **__: object) -> Any:
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def call_later(self, delay: float, callback: Callable[..., object], *_: object, **__: object) -> Any:
        return self.call_at(self.now + delay, callback)

    def go_to(self, seconds: float) -> None:
        """Call the timers up to a moment, each at its time."""
        while due := [each for each in self.timers if not each.is_cancelled and each.due <= seconds]:
            first = min(due, key=lambda each: each.due)
            self.timers.remove(first)
            self.now = max(self.now, first.due)
            first.call()
        self.now = seconds


class Lingerers:
    """Connections that linger, and their clients."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.reactor = Reactor()
        self.all = Lingerings(self.reactor, cast("asyncio.AbstractEventLoop", self.clock))
        self.clients: list[socket.socket] = []

    def add(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.clients.append(theirs)
        assert self.all.add(ours.detach())
        return theirs

    def is_reset(self, client: socket.socket) -> bool:
        """Report whether the client's connection is closed."""
        self.reactor.poll(0)
        try:
            client.send(b"more")
        except BrokenPipeError:
            return True
        self.reactor.poll(0)
        return False


@pytest.fixture
def lingering() -> Iterator[Lingerers]:
    lingerers = Lingerers()
    yield lingerers
    for each in list(lingerers.all.open):
        each.finish()
    lingerers.reactor.poll(0)
    for client in lingerers.clients:
        client.close()


def test_it_ends_with_the_client(lingering: Lingerers) -> None:
    client = lingering.add()
    client.send(b"more")
    lingering.reactor.poll(0)
    assert len(lingering.all.open) == 1
    client.shutdown(socket.SHUT_WR)
    lingering.reactor.poll(0)

    assert lingering.all.open == {}
    assert lingering.reactor.sources() == []
    assert all(timer.is_cancelled for timer in lingering.clock.timers)
    assert lingering.is_reset(client)


def test_a_silent_client_is_reset(lingering: Lingerers) -> None:
    client = lingering.add()
    began = lingering.clock.now
    lingering.clock.go_to(began + SILENCE_S - 0.1)
    assert not lingering.is_reset(client)

    lingering.clock.go_to(began + 2 * SILENCE_S - 0.2)
    assert len(lingering.all.open) == 1, "it has sent meanwhile"
    lingering.clock.go_to(began + 2 * SILENCE_S)
    assert lingering.all.open == {}
    assert lingering.is_reset(client)


def test_a_client_that_goes_on_sending_is_reset_in_the_end_and_no_earlier(lingering: Lingerers) -> None:
    client = lingering.add()
    began = lingering.clock.now
    step = SILENCE_S / 2
    for number in range(1, int(MAX_TIME_S / step)):
        lingering.clock.go_to(began + number * step)
        assert not lingering.is_reset(client), number * step
    lingering.clock.go_to(began + MAX_TIME_S)

    assert lingering.is_reset(client)


def test_any_number_of_bytes_is_dropped(lingering: Lingerers) -> None:
    """A bound on them would have the client of an upload lose the response that refuses it."""
    client = lingering.add()
    sent = 0
    while sent < 20 * 2**20:
        sent += client.send(bytes(65_536))
        lingering.reactor.poll(0)

    assert len(lingering.all.open) == 1


def test_the_oldest_is_reset_for_the_next(lingering: Lingerers) -> None:
    first, second, *_ = [lingering.add() for _ in range(MAX_LINGERING)]
    assert len(lingering.all.open) == MAX_LINGERING
    lingering.add()

    assert len(lingering.all.open) == MAX_LINGERING
    assert lingering.is_reset(first)
    assert not lingering.is_reset(second)


def test_a_descriptor_that_cannot_be_watched_stays_its_callers(lingering: Lingerers) -> None:
    fd = os.open("/dev/null", os.O_RDONLY)  # epoll refuses it with EPERM
    try:
        assert not lingering.all.add(fd)
        assert lingering.all.open == {}
        os.fstat(fd)
    finally:
        os.close(fd)
