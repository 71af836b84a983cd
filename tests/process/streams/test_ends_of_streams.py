"""The end as a handler meets it: of a client, of a worker, of their own patience. And the log of each fault."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from operated import reload_by_signal
from sources import metadata, source

from corepool.testing.sockets import receive_all, receive_exactly, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SOURCE = source("plugins/lines_that_end.py")
FILES = {
    **metadata("lines", "[corepool.protocols]\nlines = lines:Lines\nthreads = lines:Threads\n"),
    "lines.py": SOURCE,
}
TOML = """
[pool]
workers = 1
drain_timeout = {drain_timeout}
[[listener]]
name = "it"
bind = ["tcp://127.0.0.1:0"]
protocol = "{protocol}"
{more}
"""

both = pytest.mark.parametrize("protocol", ["lines", "threads"])


def start(pool: Pools, protocol: str, more: str = "", *, traceback: bool = False) -> PoolProcess:
    toml = TOML.format(protocol=protocol, more=more, drain_timeout=300)
    return pool(toml, files=FILES, environment={"PYTHONDONTWRITEBYTECODE": "1"}, traceback=traceback)


@both
@pytest.mark.parametrize("begin", [b"hel", b"exactly\n" + b"y" * 4000])
def test_a_worker_that_leaves_waits_for_the_rest_of_a_request(pool: Pools, protocol: str, begin: bytes) -> None:
    running = start(pool, protocol)
    with running.connect() as begun, running.connect() as idle:
        for client in (begun, idle):
            client.sendall(b"one\n")
            assert receive_exactly(client, 4) == b"one\n"
        begun.sendall(b"two\n" + begin)  # in one piece, so that it has come when the answer comes
        assert receive_exactly(begun, 4) == b"two\n"
        if begin.startswith(b"exactly"):
            assert receive_exactly(begun, 8) == b"exactly\n"
        reload_by_signal(running)
        assert receive_all(idle) == b"", "idle ones are closed, and this one is not"

        rest = b"lo\n" if begin == b"hel" else b"y" * 1000
        begun.sendall(rest)
        expected = b"hello\n" if begin == b"hel" else b"y" * 5000
        assert receive_exactly(begun, len(expected)) == expected


@both
def test_a_handler_has_its_last_words_when_its_worker_ends(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect() as client:
        client.sendall(b"one\n")
        assert receive_exactly(client, 4) == b"one\n"
        running.stop()
        assert receive_all(client) == b""
    assert (running.directory / "last").read_text() == "words"


@both
@pytest.mark.parametrize("sent", [b"z" * 5000, b"late\n", b"half a li", b"exactly\nfour"])
def test_what_a_client_does_wrong_is_no_traceback(pool: Pools, protocol: str, sent: bytes) -> None:
    running = start(pool, protocol)  # `pool` looks for tracebacks in the log
    with running.connect() as client:
        client.sendall(sent)
        if len(sent) < 50 and b"late" not in sent:
            reset(client)
        else:
            receive_all(client)
    wait_until(lambda: running.status()["totals"]["closed"] == 1)
    wait_until((running.directory / "last").exists)


@both
@pytest.mark.parametrize("command", ["refused", "slow database"])
def test_what_a_handlers_own_peers_do_is_logged(pool: Pools, protocol: str, command: str) -> None:
    running = start(pool, protocol, traceback=True)
    with running.connect() as client:
        client.sendall(command.encode() + b"\n")
        assert receive_all(client) == b""
    error = "ConnectionRefusedError" if command == "refused" else "TimeoutError: of the database"
    running.wait_logged("handler_failed listener=it", error)


@both
def test_a_handler_that_exits_costs_its_connection_and_not_the_worker(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol, traceback=True)
    workers = running.workers()
    with running.connect() as client:
        client.sendall(b"exit\n")
        assert receive_all(client) == b""
    with running.connect() as client:
        client.sendall(b"one\n")
        assert receive_exactly(client, 4) == b"one\n"
    assert running.workers() == workers


@both
def test_one_side_may_end_before_the_other(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect() as client:
        client.sendall(b"end\n")
        assert receive_all(client) == b"no more\n"
        client.sendall(b"but I do\n")
        client.shutdown(socket.SHUT_WR)
        after = running.directory / "after"
        wait_until(lambda: after.exists() and after.read_bytes() == b"but I do\n")


def test_large_pieces_are_no_overflow_of_a_small_limit(pool: Pools) -> None:
    running = start(pool, "threads", "output_high_water = 16384\noutput_limit = 65536")
    with running.connect() as client:
        client.sendall(b"much\n")
        assert len(receive_exactly(client, 4_000_000)) == 4_000_000


@both
def test_a_client_that_waits_for_a_thread_in_silence_does_not_hold_a_worker_that_leaves(
    pool: Pools, protocol: str
) -> None:
    running = start(pool, protocol, "options = { threads = 1 }" if protocol == "threads" else "")
    with running.connect() as served, running.connect() as silent:
        served.sendall(b"one\n")
        assert receive_exactly(served, 4) == b"one\n"
        running.stop()
        assert receive_all(silent) == b""


def test_a_handle_of_the_wrong_kind_is_refused_when_it_is_written() -> None:
    from corepool.streams import BlockingProtocol, BlockingStream, Stream, StreamProtocol  # noqa: PLC0415

    with pytest.raises(TypeError, match=r"Wrong\.handle must be `async def`"):

        class Wrong(StreamProtocol):
            def handle(self, stream: Stream) -> None:  # type: ignore[override]
                """Never run."""

    with pytest.raises(TypeError, match=r"AlsoWrong\.handle must be `def`"):

        class AlsoWrong(BlockingProtocol):
            async def handle(self, stream: BlockingStream) -> None:  # type: ignore[override]
                """Never run."""

    with pytest.raises(TypeError, match=r"NoStream\.handle must take the stream"):

        class NoStream(StreamProtocol):
            async def handle(self) -> None:  # type: ignore[override]
                """Never run."""

    with pytest.raises(TypeError, match=r"Yields\.handle must be `def` without `yield`"):

        class Yields(BlockingProtocol):
            def handle(self, stream: BlockingStream) -> Iterator[bytes]:  # type: ignore[override]
                """Never run."""
                yield stream.readline()

    class Static(BlockingProtocol):
        @staticmethod
        def handle(stream: BlockingStream) -> None:  # type: ignore[override]
            """As good as a method."""
