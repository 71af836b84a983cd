"""The reactor alone: what must hold within one batch of events."""

from __future__ import annotations

import asyncio
import os
from select import EPOLLIN
from typing import TYPE_CHECKING

import pytest

from corepool.hot.asyncio_selector import ReactorSelector
from corepool.hot.reactor import PythonReactor, Reactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Tap:
    """A source that calls what it was given."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        self.events = 0
        self.failures = 0

    def on_event(self, mask: int) -> None:  # noqa: ARG002
        self.events += 1
        self.call()

    def on_failure(self) -> None:
        self.failures += 1

    def flush(self) -> None:
        self.call()


@pytest.fixture(params=dict.fromkeys([PythonReactor, Reactor]), ids=lambda each: each.__module__)
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    reactor: Reactor = request.param()
    yield reactor
    reactor.close()


def readable() -> int:
    """Return a descriptor that has a byte to be read; the test closes it."""
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.close(writing)
    return reading


def test_a_number_closed_in_a_batch_has_no_new_owner_within_it(reactor: Reactor) -> None:
    ready = [readable(), readable()]
    opened: list[int] = []

    def close_both_and_open_another() -> None:
        for fd in ready:
            reactor.remove(fd)
            reactor.close_later(fd)
        opened.append(readable())

    sources = [Tap(close_both_and_open_another) for _ in ready]
    for fd, source in zip(ready, sources, strict=True):
        reactor.add(fd, source, EPOLLIN)
    reactor.poll(1)

    assert sum(source.events for source in sources) == 1  # the first took the other out
    assert opened[0] not in ready
    reused = os.dup(opened[0])
    assert reused in ready  # closed when the batch was over
    os.close(opened[0])
    os.close(reused)


def test_an_exception_costs_its_own_source_and_no_event_of_the_others(reactor: Reactor) -> None:
    def fail() -> None:
        raise ValueError("as asked")

    sources = {readable(): Tap(fail), readable(): Tap(lambda: None)}
    for fd, source in sources.items():
        reactor.add(fd, source, EPOLLIN)

    assert reactor.poll(1) == []
    assert [(source.events, source.failures) for source in sources.values()] == [(1, 1), (1, 0)]
    for fd in sources:
        reactor.remove(fd)
        os.close(fd)


def test_two_that_feed_each_other_do_not_keep_the_reactor(reactor: Reactor) -> None:
    flushed: list[str] = []

    def feed(name: str) -> None:
        flushed.append(name)
        if len(flushed) < 100:
            reactor.unsent.append(pair[name])

    pair = {"first": Tap(lambda: feed("second")), "second": Tap(lambda: feed("first"))}
    reactor.unsent.append(pair["first"])
    reactor.poll(10)  # which doesn't wait either, while something is unsent

    assert len(flushed) == 2


def test_asyncio_runs_beside_our_sources(reactor: Reactor) -> None:
    loop = asyncio.SelectorEventLoop(ReactorSelector(reactor))
    fd = readable()
    tap = Tap(lambda: os.read(fd, 1))
    reactor.add(fd, tap, EPOLLIN)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(5))
        writer.close()

    async def talk() -> bytes:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        answered = await reader.readexactly(5)
        writer.close()
        server.close()
        return answered

    assert loop.run_until_complete(talk()) == b"hello"
    assert tap.events > 0
    reactor.remove(fd)
    os.close(fd)
    loop.close()


@pytest.mark.parametrize("way", ["at_batch_end", "unsent"])
def test_callbacks_made_ready_just_before_the_poll_do_not_wait_for_it(reactor: Reactor, way: str) -> None:
    loop = asyncio.SelectorEventLoop(ReactorSelector(reactor))

    async def wait_for_it() -> None:
        done = loop.create_future()

        def make_ready() -> None:
            loop.call_soon(done.set_result, None)

        if way == "unsent":
            reactor.unsent.append(Tap(make_ready))
        else:
            reactor.at_batch_end(make_ready)
        await asyncio.wait_for(done, 10)

    began = loop.time()
    loop.run_until_complete(wait_for_it())
    assert loop.time() - began < 10
    loop.close()
