"""Protocols written as a coroutine, or in threads."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from extension_client import unix_url
from operated import reload_by_signal
from sources import metadata, source

from corepool.testing.sockets import receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SOURCE = source("plugins/lines.py")
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
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


def start(pool: Pools, protocol: str, more: str = "", drain_timeout: float = 300) -> PoolProcess:
    toml = TOML.format(protocol=protocol, more=more, drain_timeout=drain_timeout)
    return pool(toml, files=FILES, environment={"PYTHONDONTWRITEBYTECODE": "1"}, traceback=True)


both = pytest.mark.parametrize("protocol", ["lines", "threads"])


@both
def test_it_reads_and_writes(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect("it") as client:
        client.sendall(b"hel")
        client.sendall(b"lo\nexactly\n12345and more\nlast")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"hello\n12345and more\nlastbye\n"


def test_until_a_separator(pool: Pools) -> None:
    running = start(pool, "lines")
    with running.connect("it") as client:
        client.sendall(b"until\none;two\n")
        assert client.recv(100) == b"one;two\n"


@both
def test_a_deadline_passes(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect("it") as client:
        client.sendall(b"deadline\n")
        assert client.recv(100) == b"too late\n"
        client.sendall(b"again\n")
        assert client.recv(100) == b"again\n"


@both
def test_an_exception_costs_one_connection_and_is_logged(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect("it") as other, running.connect("it") as client:
        client.sendall(b"raise\n")
        assert receive_all(client) == b""
        other.sendall(b"still\n")
        assert other.recv(100) == b"still\n"
    running.wait_logged("ValueError: asked to raise")
    assert len(running.workers()) == 1


def test_a_handler_in_a_thread_that_is_cancelled_costs_its_connection(pool: Pools) -> None:
    """asyncio.run in a handler raises it, and it is no Exception."""
    running = start(pool, "threads")
    with running.connect("it") as client:
        client.sendall(b"cancelled\n")
        assert receive_all(client) == b""
    wait_until(lambda: running.status()["workers"][0]["threads_busy"] == 0)


@both
def test_a_client_that_does_not_read_makes_the_handler_wait(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    (worker,) = running.workers()
    before = psutil.Process(worker).memory_info().rss
    with running.connect("it") as client:
        client.sendall(b"much\nafter\n")
        received = len(client.recv(1000))
        with running.connect("echo") as other:  # while the handler waits, others are served
            for _ in range(20):
                other.sendall(b"x")
                assert other.recv(1) == b"x"
        assert psutil.Process(worker).memory_info().rss - before < 20_000_000
        while received < 500 * 100_000 + len(b"after\n"):
            received += len(client.recv(1_000_000))


@both
def test_a_handler_that_does_not_read_makes_the_client_wait(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    (worker,) = running.workers()
    before = psutil.Process(worker).memory_info().rss
    with running.connect("it") as client:
        client.sendall(b"slow\n")
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            send_for_ever(client)
        assert psutil.Process(worker).memory_info().rss - before < 5_000_000


def send_for_ever(client: socket.socket) -> None:
    sent = 0
    while sent < 100_000_000:
        sent += client.send(b"y" * 99 + b"\n")


@both
def test_a_begun_request_is_finished_at_a_reload(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect("it") as busy, running.connect("it") as idle:
        idle.sendall(b"pid\n")
        assert int(idle.recv(100)) in running.workers()
        busy.sendall(b"slow\n")
        wait_until((running.directory / "slow").exists)
        reload_by_signal(running)
        assert busy.recv(100) == b"slow done 1\n"
        assert receive_all(idle) == b""


@both
def test_a_message_of_which_the_handler_has_a_piece_is_begun(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect("it") as busy, running.connect("it") as idle:
        idle.sendall(b"pid\n")
        assert int(idle.recv(100)) in running.workers()
        busy.sendall(b"pieces\nabc")
        wait_until((running.directory / "begun").exists)
        running.send_signal(signal.SIGTERM)
        assert receive_all(idle) == b""
        busy.sendall(b"def")
        assert busy.makefile("rb").readline() == b"abcdef\n"


@both
def test_an_unfinished_request_keeps_no_worker(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol, drain_timeout=0.5)
    with running.connect("it") as client:
        client.sendall(b"forever\n")
        wait_until((running.directory / "forever").exists)
        running.stop()
        assert receive_all(client) == b""
    if protocol == "lines":
        assert (running.directory / "cancelled").read_text() == "the worker is leaving, and its drain is over"


@both
def test_clients_that_vanish_leave_nothing_behind(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol, "options = { threads = 4 }" if protocol == "threads" else "")
    (worker,) = running.workers()
    for _ in range(20):
        clients = [running.connect("it") for _ in range(5)]
        for number, client in enumerate(clients):
            client.sendall(b"much\n" if number % 2 else b"half a li")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
    wait_until(lambda: running.status()["workers"][0]["connections"] == 0)
    wait_until(lambda: running.status()["workers"][0]["threads_busy"] == 0)
    with running.connect("it") as client:
        client.sendall(b"alive\n")
        assert client.recv(10) == b"alive\n"
    assert psutil.Process(worker).num_fds() < 40


def test_a_client_that_hangs_up_after_its_handler_has_ended_is_noticed(pool: Pools) -> None:
    """More input waits than the handler would have read, and output that is not taken: there is nothing to wake up for.

    Over a UNIX socket, where a hang-up is no error.
    """
    toml = TOML.format(protocol="lines", more="", drain_timeout=10).replace("tcp://127.0.0.1:0", unix_url(), 1)
    running = pool(toml, files=FILES, environment={"PYTHONDONTWRITEBYTECODE": "1"})
    with running.connect("it") as client, running.connect("echo") as other:
        client.sendall(b"leave\n" + b"x" * 50_000)
        assert client.recv(1) == b"x"
        other.sendall(b"x")
        assert other.recv(1) == b"x", "the worker has sent as much as fits, and goes on"

        client.shutdown(socket.SHUT_RDWR)

        wait_until(lambda: running.status()["totals"]["closed"] == 1, what="the worker has noticed")


def test_the_status_tells_how_busy_the_threads_are(pool: Pools) -> None:
    running = start(pool, "threads", "options = { threads = 2 }")

    def gauges() -> tuple[int, int, int]:
        (worker,) = running.status()["workers"]
        return worker["threads"], worker["threads_busy"], worker["threads_waiting"]

    for client in [running.connect("it") for _ in range(2)]:
        client.sendall(b"served\n")
        assert client.recv(10) == b"served\n"
        client.sendall(b"forever\n")
    wait_until((running.directory / "forever").exists)
    wait_until(lambda: gauges() == (2, 2, 0))
    worker = psutil.Process(running.workers()[0])
    threads = worker.num_threads()

    for _ in range(3):
        running.connect("it")

    wait_until(lambda: gauges() == (2, 2, 3))
    assert worker.num_threads() == threads, "there are more than `threads` says"
    with running.connect("echo") as other:
        other.sendall(b"x")
        assert other.recv(1) == b"x", "the loop serves everybody else"
    os.kill(running.workers()[0], signal.SIGKILL)  # rather than wait for a thousand seconds
    wait_until(running.workers)


def test_the_examples_of_the_documentation(pool: Pools) -> None:
    text = (Path(__file__).parents[3] / "docs" / "protocols.md").read_text()
    blocks = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def handle" in block)
    shout, digest, _ = blocks  # the third one: test_starttls.py
    entries = "[corepool.protocols]\nlines = shout:Shout\nthreads = digest:Digest\n"
    files = {**FILES, "lines-1.dist-info/entry_points.txt": entries, "shout.py": shout, "digest.py": digest}
    for protocol, reply in (
        ("lines", b"HELLO\n"),
        ("threads", hashlib.sha256(b"hello\n").hexdigest().encode() + b"\n"),
    ):
        running = pool(TOML.format(protocol=protocol, more="", drain_timeout=5), files=files)
        with running.connect("it") as client:
            client.sendall(b"hello\n")
            assert client.recv(100) == reply
