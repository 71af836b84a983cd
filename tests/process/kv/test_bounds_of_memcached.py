"""The memory that a client can make the memcached protocol use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import re
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from running_memcached import Client, memcached_toml

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
MEGABYTE = 1_000_000


@pytest.fixture
def small() -> Iterator[PoolProcess]:
    """Low limits."""
    with PoolProcess.run(memcached_toml(workers=1, max_line=1000, max_item=100_000)) as running:
        yield running


def memory(running: PoolProcess) -> int:
    with connect(running.urls()[0]) as sock:  # everything before was taken
        Client(sock).ask()
    return int(psutil.Process(running.workers()[0]).memory_info().rss)


def test_line_of_a_command(small: PoolProcess) -> None:
    with connect(small.urls()[0]) as sock:
        sock.sendall(b"get " + b"x" * 997)
        assert receive_all(sock) == b"CLIENT_ERROR line of more than 1000 bytes\r\n"


def test_value_that_is_received(small: PoolProcess) -> None:
    before = memory(small)
    with ExitStack() as stack:
        for _ in range(20):
            sock = stack.enter_context(connect(small.urls()[0]))
            sock.sendall(b"set a 0 0 2000000000\r\n" + b"x" * MEGABYTE)
        for _ in range(20):
            sock = stack.enter_context(connect(small.urls()[0]))
            sock.sendall(b"set a 0 0 100000\r\n" + b"x" * 99_000)
        assert memory(small) - before < 8 * MEGABYTE


def test_get_of_many_keys(small: PoolProcess) -> None:
    with connect(small.urls()[0]) as sock:
        Client(sock).ask(b"set a 0 0 100000\r\n" + b"x" * 100_000 + b"\r\n")
    before = memory(small)
    with ExitStack() as stack:
        for _ in range(10):
            sock = stack.enter_context(connect(small.urls()[0]))
            sock.sendall(b"get" + b" a" * 490 + b"\r\n")
        assert memory(small) - before < 20 * MEGABYTE  # all of it would be 490 MB


def test_items_that_wait_for_a_commit(small: PoolProcess) -> None:
    before = memory(small)
    with ExitStack() as stack:
        for _ in range(10):
            sock = stack.enter_context(connect(small.urls()[0]))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10 * MEGABYTE)
            sock.sendall((b"set a 0 0 100000 noreply\r\n" + b"x" * 100_000 + b"\r\n") * 30)
        assert memory(small) - before < 40 * MEGABYTE


def test_each_row_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## memcached\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)[1:]
    assert len(rows) == 4
    for row in rows:
        assert f"test_{re.sub('[^a-z]+', '_', row)}" in vars(sys.modules[__name__])
