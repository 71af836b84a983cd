"""The memory that a client can make the kv protocol use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, compile_preload, encode, kv_toml

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def small() -> Iterator[PoolProcess]:
    """Low limits."""
    toml = kv_toml(workers=1, max_line=64, max_arguments=20, max_request=50_000, max_reply=50_000)
    with PoolProcess.run(toml) as running:
        yield running


@pytest.fixture(scope="module")
def with_password() -> Iterator[PoolProcess]:
    with PoolProcess.run(kv_toml(workers=1, password="sesame")) as running:  # noqa: S106
        yield running


class SlowDisk:
    """A pool whose commits wait until the test lets them go on."""

    def __init__(self, folder: Path) -> None:
        self._fifo = folder / "slow"
        environment = {"LD_PRELOAD": str(compile_preload("disk", folder)), "TEST_DISK_WAITS": str(self._fifo)}
        self.running = PoolProcess.run(kv_toml(workers=1, durability="always"), environment=environment)

    def __enter__(self) -> SlowDisk:  # noqa: PYI034
        self.running.__enter__()
        os.mkfifo(self._fifo)
        self._fd = os.open(self._fifo, os.O_RDWR)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        os.close(self._fd)
        self.running.__exit__(None, None, None)

    def release(self) -> None:
        os.write(self._fd, bytes(1000))


def refusal(running: PoolProcess, stream: bytes) -> bytes:
    """Send a stream, and return what comes back until the connection is closed."""
    with connect(running.urls()[0]) as sock:
        sock.sendall(stream)
        return receive_all(sock)


def resident_bytes(running: PoolProcess) -> int:
    pages = Path(f"/proc/{running.workers()[0]}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def send_until_it_is_not_read(sock: socket.socket, data: bytes, ping: Callable[[], object]) -> int:
    """Send until nothing more is taken however often the worker turns its loop; return how much was."""
    view = memoryview(data)
    sent = refused = 0
    sock.setblocking(False)
    while sent < len(view) and refused < 20:
        try:
            sent += sock.send(view[sent : sent + MEGABYTE])
            refused = 0
        except BlockingIOError:
            refused += 1
            ping()
    return sent


def test_before_the_password(with_password: PoolProcess) -> None:
    assert b"unauthenticated multibulk length" in refusal(with_password, b"*11\r\n")
    assert b"unauthenticated bulk length" in refusal(with_password, b"*1\r\n$16385\r\n")
    assert b"request of more than 16384 bytes" in refusal(
        with_password, b"*2\r\n$9000\r\n" + b"x" * 9000 + b"\r\n$9000\r\n"
    )
    assert b"too big inline request" in refusal(with_password, b"x" * 65_537)


def test_line(small: PoolProcess) -> None:
    assert refusal(small, b"ECHO " + b"x" * 60) == b"-ERR Protocol error: too big inline request\r\n"
    assert refusal(small, b"ECHO " + b"x" * 59 + b"\nQUIT\n").endswith(b"+OK\r\n")


def test_header_of_an_array_or_a_word(small: PoolProcess) -> None:
    assert refusal(small, b"*" + b"1" * 64) == b"-ERR Protocol error: too big mbulk count string\r\n"
    assert refusal(small, b"*1\r\n$" + b"1" * 64) == b"-ERR Protocol error: too big bulk count string\r\n"


def test_words_of_an_array(small: PoolProcess) -> None:
    assert refusal(small, b"*21\r\n") == b"-ERR Protocol error: invalid multibulk length\r\n"
    assert refusal(small, b"*2\r\n$4\r\nECHO\r\n$50001\r\n") == (
        b"-ERR Protocol error: request of more than 50000 bytes\r\n"
    )


def test_pipeline_of_reads(pool_with_value: PoolProcess) -> None:
    check_replies_are_bounded(pool_with_value, b"GET big\r\n" * 2000)


def test_replies_that_are_not_read(pool_with_value: PoolProcess) -> None:
    check_replies_are_bounded(pool_with_value, b"MGET big big big big\r\n" * 500)


@pytest.fixture(scope="module")
def pool_with_value() -> Iterator[PoolProcess]:
    with PoolProcess.run(kv_toml(workers=1)) as running:
        with connect(running.urls()[0]) as sock:
            assert Client(sock)("SET", "big", "x" * MEGABYTE) == b"OK"
        yield running


def check_replies_are_bounded(running: PoolProcess, requests: bytes) -> None:
    """Ask for 2 GB and read nothing: the worker keeps a little of it, and serves others."""
    with connect(running.urls()[0]) as greedy, connect(running.urls()[0]) as sock:
        other = Client(sock)
        before = resident_bytes(running)
        greedy.sendall(requests)
        for _ in range(50):
            assert other("PING") == b"PONG"
        assert resident_bytes(running) - before < 60 * MEGABYTE


def test_commands_that_wait_for_a_commit(tmp_path: Path) -> None:
    with SlowDisk(tmp_path) as slow, connect(slow.running.urls()[0]) as sock, connect(slow.running.urls()[0]) as second:
        other = Client(second)
        sock.sendall(encode(("SET", "a", "x")))
        stream = encode(("SET", "a", "x" * 10_000)) * 10_000
        assert send_until_it_is_not_read(sock, stream, lambda: other("PING")) < 30 * MEGABYTE


def test_transaction(small: PoolProcess) -> None:
    with connect(small.urls()[0]) as sock:
        client = Client(sock)
        client("MULTI")
        replies = [client("SET", "a", "x" * 10_000) for _ in range(6)]
        assert replies[0] == b"QUEUED"
        assert "more than 50000 bytes in a transaction" in str(replies[-1])
        assert str(client("EXEC")).startswith("EXECABORT")


def test_watched_keys(pool_with_value: PoolProcess, small: PoolProcess) -> None:
    with connect(pool_with_value.urls()[0]) as sock:
        client = Client(sock)
        assert client("WATCH", *range(10_000)) == b"OK"
        assert "more than 10000 watched keys" in str(client("WATCH", "another"))
        client("UNWATCH")
        assert client("WATCH", "another") == b"OK"
    with connect(small.urls()[0]) as sock:
        client = Client(sock)
        replies = [client("WATCH", f"{number:0500}") for number in range(100)]
        assert "more than 50000 bytes of watched keys" in str(replies[-1])


def test_name_and_library(small: PoolProcess) -> None:
    with connect(small.urls()[0]) as sock:
        client = Client(sock)
        for words in (("SETNAME",), ("SETINFO", "lib-name"), ("SETINFO", "lib-ver")):
            assert client("CLIENT", *words, "x" * 256) == b"OK"
            assert "a name of more than 256 bytes" in str(client("CLIENT", *words, "x" * 257))


def test_subscriptions(small: PoolProcess) -> None:
    with connect(small.urls()[0]) as sock:
        client = Client(sock)
        before = resident_bytes(small)
        pattern = b"[a]" * 1300
        refused = ""
        for number in range(10_001):
            refused = str(client("PSUBSCRIBE", pattern + b"%d" % number))
            if "bytes of subscriptions" in refused:
                break
        assert "more than 4194304 bytes of subscriptions" in refused
        assert resident_bytes(small) - before < 20 * MEGABYTE
        assert client("PUNSUBSCRIBE", pattern + b"0")[0] == b"punsubscribe"


def test_messages_that_are_not_read(small: PoolProcess) -> None:
    with ExitStack() as stack:
        slow, publisher = (Client(stack.enter_context(connect(small.urls()[0]))) for _ in range(2))
        assert slow("SUBSCRIBE", "much") == [b"subscribe", b"much", 1]
        before = resident_bytes(small)
        while publisher("PUBLISH", "much", b"x" * 45_000):
            assert resident_bytes(small) - before < 80 * MEGABYTE
        with pytest.raises((EOFError, ConnectionResetError)):
            receive_messages(slow)


def receive_messages(client: Client) -> None:
    while client.receive():
        pass


def test_idle_client() -> None:
    toml = kv_toml(workers=1).replace('protocol = "kv"', 'protocol = "kv"\nidle_timeout = "50ms"')
    with PoolProcess.run(toml) as running, connect(running.urls()[0]) as sock:
        assert receive_all(sock) == b""


@pytest.mark.parametrize("last", [b"QUIT\r\n", b"*x\r\n", b"POST / HTTP/1.1\r\n"])
def test_after_the_last_command(tmp_path: Path, last: bytes) -> None:
    with SlowDisk(tmp_path) as slow, connect(slow.running.urls()[0]) as sock, connect(slow.running.urls()[0]) as second:
        other = Client(second)
        before = resident_bytes(slow.running)
        sock.sendall(encode(("SET", "a", "x")) + last)
        sock.sendall(bytes(100 * MEGABYTE))
        for _ in range(20):
            assert other("PING") == b"PONG"
        assert resident_bytes(slow.running) - before < 30 * MEGABYTE
        assert other("EXISTS", "a") == 0
        slow.release()
        wait_until(lambda: other("EXISTS", "a") == 1)


def test_each_row_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## kv\n")[2].partition("\n## ")[0]
    states = re.findall(r"^\| ([a-z][^|]*) \| [^-]", section, re.MULTILINE)[1:]

    assert len(states) == 14
    for state in states:
        assert callable(getattr(sys.modules[__name__], "test_" + state.replace(" ", "_")))
