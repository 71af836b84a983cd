"""A protocol in the test's process behaves as one in a worker: the same protocol tells the same story in both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from extension_client import plugin_files
from sources import source

from corepool import CloseReason, TimeoutKind, hookimpl
from corepool.errors import PluginError
from corepool.streams import Stream, StreamProtocol
from corepool.testing.sockets import receive_exactly, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.conversation import Conversation, Conversations
    from corepool.testing.pools import Pools

# Of each line a word: "story.txt" records what the protocol has seen.
STORYTELLER = source("plugins/storyteller.py")

Step = tuple[str, bytes]
STORIES = {
    "the client ends": [("send", b"one two\n"), ("expect", b"hello\none\ntwo\n"), ("end", b"")],
    "the protocol closes": [("send", b"one close three\n"), ("expect", b"hello\none\nbye\n")],
    "the protocol aborts": [("expect", b"hello\n"), ("send", b"abort\n")],
    "the client ends its side, the protocol later": [
        ("send", b"half\n"),
        ("expect", b"hello\n"),
        ("end", b""),
        ("expect", b"last\n"),
    ],
    "there is more than one event may read": [
        ("send", b"sip\n"),
        ("expect", b"hello\ncheers\n"),
        ("send", b"0123456789"),
        ("expect", b"4\n4\n2\n"),
        ("reset", b""),
    ],
    "the protocol ends its side, and sends nevertheless": [
        ("send", b"eof\n"),
        ("expect", b"hello\nno more\n"),
        ("expect the end", b""),
        ("send", b"more\n"),
    ],
    "the client breaks off": [("send", b"one\n"), ("expect", b"hello\none\n"), ("reset", b"")],
    "the protocol sends what is no buffer": [("send", b"mistakes\n"), ("expect", b"hello\nmv")],
    "much output, and a file": [
        ("send", b"big file\n"),
        ("expect", b"hello\n" + b"x" * 100_000 + b"\ncorepool\n"),
        ("end", b""),
    ],
}


@pytest.fixture(autouse=True)
def in_the_tests_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stay in that folder until the connections have ended, too: the story has their ends."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def storyteller(tmp_path: Path) -> Any:
    """Make one whose story goes to the test's folder."""
    source = tmp_path / "storyteller.py"
    source.write_text(STORYTELLER)
    names: dict[str, Any] = {"__file__": str(source)}
    exec(compile(STORYTELLER, source, "exec"), names)  # noqa: S102 - our own words, above
    return names["Storyteller"]()


@pytest.mark.parametrize("story", STORIES)
def test_a_protocol_in_memory_and_in_a_worker_have_the_same_story(
    connection: Conversations, pool: Pools, storyteller: Any, tmp_path: Path, story: str
) -> None:
    in_memory = connection(storyteller, listener="storyteller")
    for step, data in STORIES[story]:
        match step:
            case "send":
                in_memory.send(data)
            case "expect":
                assert in_memory.receive() == data
            case "expect the end":
                assert in_memory.has_met_the_end
            case "end":
                in_memory.end()
            case "reset":
                in_memory.reset()

    files = plugin_files("storyteller", "Storyteller", STORYTELLER)
    running = pool.serve("storyteller", "-b", "tcp://127.0.0.1:0", "-w", "1", files=files)
    told = running.directory / "story.txt"
    client = running.connect()
    for step, data in STORIES[story]:
        match step:
            case "send":
                client.sendall(data)
            case "expect":
                assert receive_exactly(client, len(data)) == data
            case "expect the end":
                assert client.recv(1) == b""
            case "end":
                client.shutdown(1)
            case "reset":
                reset(client)

    assert in_memory.reason is not None
    assert in_memory.receive() == b""
    wait_until(lambda: told.exists() and "close " in told.read_text(), what="the connection's end")
    assert (tmp_path / "story.txt").read_text() == told.read_text()


def test_output_that_is_not_taken_is_congested_and_on_writable_goes_on(connection: Conversations) -> None:
    class Producer:
        left = 5

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.recv()
            self.on_writable(conn)

        @hookimpl
        def on_writable(self, conn: Any) -> None:
            while self.left and not conn.congested:
                conn.send(b"x" * 60)
                self.left -= 1

    client = connection(Producer(), high_water=100)
    client.stop_reading()

    client.send(b"go")
    assert (client.receive(), client.conn.buffered, client.conn.congested) == (b"", 120, True)
    client.read_on()

    assert client.receive() == b"x" * 300


def test_a_protocol_that_never_reads_is_found_out(connection: Conversations) -> None:
    class Deaf:
        @hookimpl
        def on_readable(self, conn: Any) -> None: ...

    with pytest.raises(AssertionError, match="on_readable has left input for 1000 calls"):
        connection(Deaf()).send(b"anybody there?")


def test_a_callback_of_the_loop_reads_as_much_as_it_likes(connection: Conversations) -> None:
    class Later:
        @hookimpl
        def on_worker_start(self, worker: Any) -> None:
            self.loop = worker.loop

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.pause()
            self.loop.call_soon(self.read, conn)

        def read(self, conn: Any) -> None:
            conn.send(b"".join(conn.recv(1) for _ in range(6)))
            conn.close()

    client = connection(Later())
    client.send(b"abcdef")

    assert client.receive() == b"abcdef"
    assert client.reason is CloseReason.CLOSED


def test_an_exception_is_the_tests_and_the_connection_is_over(connection: Conversations) -> None:
    class Breaks:
        reasons: list[CloseReason]

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.send(b"lost")
            raise ValueError("as asked")

        @hookimpl
        def on_close(self, reason: CloseReason) -> None:
            self.reasons.append(reason)

    protocol = Breaks()
    protocol.reasons = []
    client = connection(protocol)
    with pytest.raises(ValueError, match="as asked"):
        client.send(b"x")

    assert (client.receive(), client.reason, protocol.reasons) == (b"", CloseReason.ERROR, [CloseReason.ERROR])


@pytest.mark.parametrize(
    ("happen", "reason"),
    [
        (lambda client: client.time_out(TimeoutKind.IDLE), CloseReason.TIMEOUT),
        (lambda client: client.time_out(TimeoutKind.WRITE), CloseReason.TIMEOUT),
        (lambda client: client.drain(), CloseReason.DRAIN),
        (lambda client: client.end(), CloseReason.EOF),
    ],
)
def test_a_connection_ends_for_its_reason(
    connection: Conversations, happen: Callable[[Conversation], None], reason: CloseReason
) -> None:
    class Silent:
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.recv()

    client = connection(Silent())
    assert client.reason is None
    happen(client)

    assert client.reason is reason


def test_a_stream_protocol_converses_in_memory(connection: Conversations) -> None:
    class Counts(StreamProtocol):
        async def handle(self, stream: Stream) -> None:
            count = 0
            async for line in stream:
                count += 1
                stream.write(b"%d %s" % (count, line))
                await stream.drain()
            stream.write(b"bye\n")

    client = connection(Counts())
    client.send(b"a\nb\n")
    assert client.receive() == b"1 a\n2 b\n"

    client.end()
    assert (client.receive(), client.reason) == (b"bye\n", CloseReason.CLOSED)


def test_the_plugins_are_started_once_and_stopped_at_the_end() -> None:
    from corepool.testing.conversation import Conversations  # noqa: PLC0415 - as the fixture does

    class Lives:
        def __init__(self) -> None:
            self.life: list[str] = []

        @hookimpl
        def on_worker_start(self, worker: Any) -> None:
            self.life.append(f"start {worker.slot}")
            worker.at_batch_end(lambda: self.life.append("batch end"))

        @hookimpl
        def on_readable(self, conn: Any) -> None: ...

        @hookimpl
        def on_close(self, reason: CloseReason) -> None:
            self.life.append(f"close {reason}")

        @hookimpl
        def on_worker_stop(self) -> None:
            self.life.append("stop")

    protocol = Lives()
    with Conversations() as connection:
        connection(protocol)
        connection(protocol)

    assert protocol.life == ["start 0", "batch end", "close drain", "close drain", "stop"]


def test_a_wrong_hook_is_refused_as_at_the_start_of_a_pool(connection: Conversations) -> None:
    class Wrong:
        @hookimpl
        def on_readable(self, connection: Any) -> None: ...

    with pytest.raises(PluginError, match="expected"):
        connection(Wrong())


def test_bytes_that_the_protocol_does_not_receive_are_counted_and_arrive_later(connection: Conversations) -> None:
    class Waits:
        received = 0

        @hookimpl
        def on_accept(self, conn: Any) -> None:
            conn.pause()

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            self.received += len(conn.recv())

        @hookimpl
        def on_timeout(self, conn: Any) -> bool:
            conn.resume()
            return True

    protocol = Waits()
    client = connection(protocol)
    client.send(b"x" * 1_000_000)
    client.send(b"y")
    assert (client.unread, protocol.received, client.conn.paused) == (1_000_001, 0, True)

    client.time_out(TimeoutKind.READ)

    assert (client.unread, protocol.received) == (0, 1_000_001)


def test_a_deadline_passes_only_when_the_test_says_so(connection: Conversations) -> None:
    class Hurries:
        @hookimpl
        def on_accept(self, conn: Any) -> None:
            conn.deadline(0.0)

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.send(conn.recv())

    client = connection(Hurries())
    for _ in range(10):
        client.send(b"x")
    assert (client.receive(), client.reason) == (b"x" * 10, None)

    client.time_out(TimeoutKind.READ)

    assert client.reason is CloseReason.TIMEOUT


class Busy(StreamProtocol):
    """Takes many turns of the loop for an answer; then it fails."""

    async def handle(self, stream: Stream) -> None:
        async for line in stream:
            for _ in range(40):
                await asyncio.sleep(0)
            if line == b"fail\n":
                raise KeyError("asked to fail")
            stream.write(line)


def test_a_coroutine_has_as_many_turns_as_it_needs(connection: Conversations) -> None:
    client = connection(Busy())
    client.send(b"one\n")
    assert client.receive() == b"one\n"


def test_what_a_coroutine_raises_is_the_tests(connection: Conversations) -> None:
    client = connection(Busy())
    with pytest.raises(KeyError, match="asked to fail"):
        client.send(b"fail\n")
    assert client.reason is CloseReason.ABORTED
    other = connection(Busy())
    other.send(b"one\n")
    assert other.receive() == b"one\n"


def test_an_attribute_that_connections_do_not_have_is_an_error(connection: Conversations) -> None:
    conn: Any = connection(Busy()).conn

    with pytest.raises(AttributeError, match="buzy"):
        conn.buzy = True
