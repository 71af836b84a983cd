"""Each row of the tables for streams, hosting and closing in docs/explanation/bounds.md has a test here of its name."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

from corepool.spec.types import ThreadGauge
from corepool.streams import BlockingOptions, BlockingProtocol, BlockingStream, Stream, StreamProtocol
from corepool.streams.errors import TooLongError
from corepool.streams.inbox import Inbox
from corepool.streams.threads import Mailbox, Threads
from corepool.testing.pools import Pools
from corepool.testing.sockets import receive_all, receive_exactly, reset
from corepool.testing.waiting import wait_until
from corepool.worker.lingering import MAX_LINGERING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.conversation import Conversations
    from corepool.testing.pool import PoolProcess

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"

SOURCE = source("plugins/bounded.py")

FILES = {
    "bounded.py": SOURCE,
    **metadata(
        "bounded",
        "[corepool.protocols]\ncoroutines = bounded:Coroutines\nblocking = bounded:Blocking\ncloses = bounded:Closes\n",
    ),
}

LISTENER = """
[[listener]]
name = "{0}"
bind = ["tcp://127.0.0.1:0"]
protocol = "{1}"
output_limit = "4MiB"
write_timeout = "300ms"
{2}
"""

CONFIG = "[pool]\nworkers = 1\n" + "".join(
    LISTENER.format(*each)
    for each in (
        ("coroutines", "coroutines", ""),
        ("threads", "blocking", "options = { threads = 4 }"),
        ("asyncio", "asyncio", 'options = { target = "bounded:Hosted" }'),
        ("closes", "closes", ""),
    )
)


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    with Pools() as pools:
        yield pools(CONFIG, files=FILES)


def active(running: PoolProcess, listener: str) -> int:
    return next(line["active"] for line in running.status()["listeners"] if line["name"] == listener)


class Silent(StreamProtocol):
    input_limit = 1000

    async def handle(self, stream: Stream) -> None:  # noqa: ARG002
        await asyncio.Event().wait()


class SilentThread(BlockingProtocol):
    input_limit = 1000

    def __init__(self) -> None:
        super().__init__(BlockingOptions())
        self.may_end = threading.Event()

    def handle(self, stream: BlockingStream) -> None:  # noqa: ARG002
        self.may_end.wait(60)


@pytest.mark.parametrize("make", [Silent, SilentThread])
def test_input_waiting_for_the_handler(connection: Conversations, make: type[Silent | SilentThread]) -> None:
    protocol = make()
    client = connection(protocol)
    client.send(bytes(1_000_000))
    left = client.unread
    client.send(bytes(1_000_000))

    assert left >= 1_000_000 - 2 * 1000 - 65_536
    assert client.unread == left + 1_000_000
    if isinstance(protocol, SilentThread):
        protocol.may_end.set()


class Counting(bytearray):
    """Counts the bytes that are searched."""

    searched = 0

    def find(self, sought: bytes, start: int = 0, end: int = sys.maxsize) -> int:  # type: ignore[override]
        self.searched += max(0, min(len(self), end) - start)
        return super().find(sought, start, end)


@pytest.mark.parametrize(
    "take", [Inbox.take_line, lambda inbox: inbox.take_until(b"\r\n\r\n"), lambda inbox: inbox.take_line_of(5000)]
)
def test_a_line_or_what_comes_before_a_separator(take: Callable[[Inbox], bytes | None]) -> None:
    inbox = Inbox(5000)
    inbox.data = counting = Counting()
    with contextlib.suppress(TooLongError):
        for _ in range(5100):
            counting += b"\r"
            assert take(inbox) in (None, bytes(b"\r" * 5000))

    assert counting.searched <= 5 * 5100, "each byte is looked at a few times, however small the segments"


@pytest.mark.parametrize("listener", ["coroutines", "threads"])
def test_a_line_that_never_ends_ends_its_connection(running: PoolProcess, listener: str) -> None:
    with running.connect(listener) as client:
        client.sendall(b"line\n" + b"x" * 1001)
        assert receive_all(client) == b""


def test_connections_waiting_for_a_thread(running: PoolProcess) -> None:
    holders = [running.connect("threads") for _ in range(4)]
    for each in holders:
        each.sendall(b"silent\n")
    wait_until(lambda: running.status()["workers"][0]["threads_busy"] == 4)
    for count in range(250):
        client = running.connect("threads")
        if count % 2:
            client.sendall(b"x")
            with running.connect("closes") as other:  # the worker has read, or will in this turn
                other.sendall(b"x")
                assert receive_all(other) == b"closed"
        reset(client)
    wait_until(lambda: active(running, "threads") == 4)

    wait_until(lambda: running.status()["workers"][0]["threads_waiting"] == 100)
    (running.directory / "go on").touch()
    wait_until(lambda: active(running, "threads") == 0)
    wait_until(lambda: running.status()["workers"][0]["threads_busy"] == 0)
    (running.directory / "go on").unlink()


def test_a_queue_of_withdrawn_jobs_is_swept() -> None:
    loop = asyncio.new_event_loop()
    try:
        threads = Threads("Test", Mailbox(loop), ThreadGauge(1))
        may_end, done = threading.Event(), list[int]()
        threads.submit(lambda: (may_end.wait(60), None)[1])
        for number in range(10_000):
            job = threads.submit(lambda: done.append(-1))
            if number % 1000 == 0:
                threads.submit(partial(done.append, number))
            assert threads.withdraw(job)
            assert not threads.withdraw(job)
        assert threads._jobs.qsize() < 200  # noqa: SLF001
        may_end.set()
        assert threads.stop(20) == 0
    finally:
        loop.close()

    assert done == list(range(0, 10_000, 1000)), "those that wait keep their order"


@pytest.mark.parametrize(("listener", "command"), [("coroutines", b"drains\n"), ("threads", b"sends\n")])
def test_output_of_a_handler_that_waits(running: PoolProcess, listener: str, command: bytes) -> None:
    client = running.connect(listener)
    client.sendall(command)

    assert receive_exactly(client, 1) == bytes(1)
    wait_until(lambda: active(running, listener) == 0, what="a client that takes nothing is broken off")


@pytest.mark.parametrize("listener", ["coroutines", "asyncio"])
def test_output_of_a_handler_that_does_not_wait(running: PoolProcess, listener: str) -> None:
    ended = running.directory / "ended"
    ended.unlink(missing_ok=True)
    client = running.connect(listener)
    client.sendall(b"ignores\n")

    wait_until(ended.exists, what="the connection is broken off at output_limit")
    wait_until(lambda: active(running, listener) == 0)


@pytest.mark.parametrize("listener", ["coroutines", "threads", "asyncio"])
def test_after_the_clients_end(running: PoolProcess, listener: str) -> None:
    with running.connect(listener) as client:
        if listener != "asyncio":
            client.sendall(b"half open\n")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"later"


def test_reading_that_a_hosted_protocol_has_paused(running: PoolProcess) -> None:
    with running.connect("asyncio") as client:
        client.sendall(b"pauses\n")
        assert receive_exactly(client, 6) == b"paused"
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(bytes(65_536))
        with running.connect("asyncio") as other:  # the loop has seen those bytes
            other.shutdown(socket.SHUT_WR)
            assert receive_all(other) == b"later"
        assert not (running.directory / "read while paused").exists()
    (running.directory / "go on").touch()
    wait_until(lambda: active(running, "asyncio") == 0)
    (running.directory / "go on").unlink()


def test_output_that_is_unsent_when_the_connection_is_closed(running: PoolProcess) -> None:
    client = running.connect("asyncio")
    client.sendall(b"large\n")
    assert receive_exactly(client, 1) == bytes(1)

    wait_until(lambda: active(running, "asyncio") == 0, what="a client that takes nothing is broken off")
    assert b"never sent" not in read_rest(client)


def read_rest(client: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65_536):
            data = data[-20:] + piece
    return data


def test_input_after_the_close(running: PoolProcess) -> None:
    """It is dropped, as much as there is; tests/unit/worker/test_lingering.py has its end."""
    with running.connect("closes") as client:
        client.sendall(bytes(64 << 20))
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"closed"


def test_connections_that_are_closed_while_their_clients_send(running: PoolProcess) -> None:
    descriptors = Path(f"/proc/{running.workers()[0]}/fd")
    before = len(list(descriptors.iterdir()))
    closed = running.status()["totals"]["closed"]
    clients = [running.connect("closes") for _ in range(MAX_LINGERING + 50)]
    for each in clients:
        each.sendall(b"xx")
    wait_until(lambda: running.status()["totals"]["closed"] == closed + len(clients))
    for _ in range(2):  # descriptors are closed at the end of a batch of events: this one is over after another
        with running.connect("closes") as other:
            other.sendall(b"x")
            assert receive_all(other) == b"closed"

    assert len(list(descriptors.iterdir())) <= before + MAX_LINGERING + 1


def test_each_row_of_the_page_has_a_test() -> None:
    tables = PAGE.read_text().partition("## Streams and hosted servers")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", tables, re.MULTILINE)[1:]
    names = {"test_" + re.sub(r"[^a-z]+", "_", row.lower().replace("'", "")).strip("_") for row in rows}

    assert len(rows) == 9
    assert names <= globals().keys()
