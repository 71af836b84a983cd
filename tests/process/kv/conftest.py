"""A kv pool, clients of it, and a redis-server to compare it with."""

from __future__ import annotations

import mmap
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, compile_preload, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
        """The time that it shows."""
        return self._now_ns // 10**6

    def advance(self, seconds: float) -> None:
        """Move it, in one step."""
        self._now_ns += int(seconds * 10**9)
        self._shared[:] = self._now_ns.to_bytes(8, sys.byteorder)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that the test moves."""
    return Clock(tmp_path / "clock", compile_preload("clock", tmp_path))


@pytest.fixture
def redis_server(tmp_path: Path, clock: Clock) -> Iterator[Client]:
    """Yield a client of a real redis-server, on a UNIX socket of its own, that lives by the test's clock."""
    with (
        running_redis(tmp_path, environment=clock.environment) as path,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock,
    ):
        sock.settimeout(DEADLINE_S)
        sock.connect(str(path))
        yield Client(sock)


class Pair:
    """A redis-server and a pool, which get the same bytes."""

    def __init__(self, redis: Path, ours: PoolProcess) -> None:
        self.redis = redis
        self.ours = ours

    def ask(self, stream: bytes) -> tuple[bytes, bytes]:
        """Send a stream to each on a new connection, end it, and return all that Redis and the pool send back."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as redis, connect(self.ours.urls()[0]) as ours:
            redis.settimeout(DEADLINE_S)
            redis.connect(str(self.redis))
            for sock in (redis, ours):
                sock.sendall(stream)
                sock.shutdown(socket.SHUT_WR)
            return receive_all(redis), receive_all(ours)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A redis-server and a pool without a password."""
    with running_redis(tmp_path_factory.mktemp("redis")) as redis, PoolProcess.run(kv_toml()) as ours:
        with connect(ours.urls()[0]) as sock:  # on a busy machine any command may be slow
            Client(sock)("CONFIG", "SET", "slowlog-log-slower-than", -1)
        yield Pair(redis, ours)


@pytest.fixture(scope="session")
def pair_with_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A redis-server and a pool whose password is "sesame"."""
    with (
        running_redis(tmp_path_factory.mktemp("redis"), "--requirepass", "sesame") as redis,
        PoolProcess.run(kv_toml(password="sesame")) as ours,  # noqa: S106
    ):
        yield Pair(redis, ours)
