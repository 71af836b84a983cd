"""A kv pool, clients of it, and a redis-server to compare it with."""

from __future__ import annotations

import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from tests.conftest import Pools


@pytest.fixture
def kv(pool: Pools) -> PoolProcess:
    """Two workers on a temporary store."""
    return pool(kv_toml())


@pytest.fixture
def clients() -> Iterator[Callable[[PoolProcess], Client]]:
    """Make clients of a pool; they are closed at the end."""
    made: list[socket.socket] = []

    def make(running: PoolProcess) -> Client:
        sock = connect(running.urls()[0])
        made.append(sock)
        return Client(sock)

    yield make
    for sock in made:
        sock.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Client]:
    """Give a client of a real redis-server, on a UNIX socket of its own."""
    path = tmp_path / "r.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        wait_until(path.exists, what="redis-server listening")
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
            sock.settimeout(DEADLINE_S)
            sock.connect(str(path))
            yield Client(sock)
    finally:
        process.terminate()
        process.wait()
