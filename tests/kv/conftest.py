"""A kv pool, clients of it, and a redis-server to compare it with."""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


@pytest.fixture
def kv(pool: Pools) -> PoolProcess:
    """Two workers on a temporary store."""
    return pool(kv_toml())


@pytest.fixture
def kv_by_the_clock(pool: Pools, clock: Clock) -> PoolProcess:
    """Two workers on a temporary store, whose time of day is the test's clock."""
    return pool(kv_toml(), environment=clock.environment)


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


class Clock:
    """The time of day of the processes that get its environment; it stands still unless it is moved."""

    def __init__(self, path: Path, library: Path) -> None:
        self.environment = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(path)}
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)
        self._now_ns = 1_800_000_000 * 10**9
        self.advance(0)

    @property
    def now_ms(self) -> int:
        """What it shows."""
        return self._now_ns // 10**6

    def advance(self, seconds: float) -> None:
        """Move it, in one step."""
        self._now_ns += int(seconds * 10**9)
        self._shared[:] = self._now_ns.to_bytes(8, sys.byteorder)


def compile_preload(name: str, folder: Path) -> Path:
    """Compile a library to be loaded before all others."""
    source = Path(__file__).parent / "preload" / f"{name}.c"
    library = folder / f"{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)  # noqa: S603, S607
    return library


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Give a clock that the test moves."""
    return Clock(tmp_path / "clock", compile_preload("clock", tmp_path))


@pytest.fixture
def redis_server(tmp_path: Path, clock: Clock) -> Iterator[Client]:
    """Give a client of a real redis-server, on a UNIX socket of its own, that lives by the test's clock."""
    path = tmp_path / "r.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | clock.environment)  # noqa: S603
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
            sock.settimeout(DEADLINE_S)
            # Its file is there a moment before it listens.
            wait_until(lambda: sock.connect_ex(str(path)) == 0, what="redis-server listening")
            yield Client(sock)
    finally:
        process.terminate()
        process.wait()
