"""System calls of the store that fail, once or for a while: acknowledged writes stay, and all of it works again."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import hiredis
import pytest
from failing import ALWAYS, Failing, Kinds
from kv_client import Client, kv_toml

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.pools import Pools


class Store:
    """A pool of two workers, a client of each, and the writes that were acknowledged."""

    def __init__(self, failing: Failing, toml: str) -> None:
        self.failing = failing
        self.toml = toml
        self.running = PoolProcess.run(toml, environment=failing.environment)
        self.acknowledged: dict[str, bytes] = {}
        self._stack = ExitStack()
        self._count = 0
        self.clients: list[tuple[int, Client]] = []

    def __enter__(self) -> Self:
        self._stack.enter_context(self.running)
        self.clients = self.connected()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def connected(self) -> list[tuple[int, Client]]:
        """Return a client of each worker, and that worker's pid."""
        found: dict[int, Client] = {}
        while len(found) < 2:
            sock = self._stack.enter_context(connect(self.running.urls()[0]))
            client = Client(sock)
            lines = dict(line.split(":", 1) for line in client("INFO", "server").decode().splitlines() if ":" in line)
            found.setdefault(int(lines["process_id"]), client)
        return list(found.items())

    @contextmanager
    def failing_store(self, what: str, error: int, pid: int, times: int) -> Iterator[Callable[[], int]]:
        """Have calls fail on the files of one worker; yield the number of failures until now."""
        with ExitStack() as stack:
            faults = [
                stack.enter_context(
                    self.failing(
                        call,
                        error,
                        pid=pid,
                        kinds=Kinds.REGULAR,
                        times=times,
                        operation=0 if what == "the first pages" else -1,
                    )
                )
                for call in CALLS[what]
            ]
            yield lambda: sum(fault.hits for fault in faults)

    def write(self, client: Client, size: int = 10) -> object:
        """Write another key; return the reply."""
        self._count += 1
        key, value = f"key-{self._count}", os.urandom(size // 2).hex().encode()
        reply = client("SET", key, value)
        if reply == b"OK":
            self.acknowledged[key] = value
        else:
            assert isinstance(reply, hiredis.ReplyError), reply
            assert "the store has failed" in str(reply)
        return reply

    def check(self) -> None:
        """Check that each worker reads and writes, and has all that was acknowledged."""
        for _, client in self.clients:
            assert self.write(client) == b"OK"
        for _, client in self.clients:
            assert {key: client("GET", key) for key in self.acknowledged} == self.acknowledged


@pytest.fixture(scope="module", params=["always", "everysec"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("store")
    toml = kv_toml(store=f"lmdb:{folder}/data", durability=request.param)
    with Failing(folder) as failing, Store(failing, toml) as started:
        yield started


CALLS = {
    "a page": ("pwrite", "pwrite64"),
    "the first pages": ("pwrite", "pwrite64"),
    "several pages": ("writev", "pwritev"),
    "the disk": ("fdatasync",),
    "a map": ("mmap", "mmap64"),
}
"""The calls that LMDB may have been compiled to use. Its first pages say which others count."""


@pytest.mark.parametrize(
    ("error", "times"),
    [
        *itertools.product((errno.ENOSPC, errno.EIO), (1, 2, ALWAYS)),
        *((errno.EINTR, times) for times in (1, 2)),  # LMDB tries again for as long as it is interrupted
    ],
)
@pytest.mark.parametrize("what", [what for what in CALLS if what != "a map"])
def test_a_write_that_fails_costs_itself(store: Store, what: str, error: int, times: int) -> None:
    (pid, client), (_, other) = store.clients
    with store.failing_store(what, error, pid, times) as hits:
        for size in (10, 20_000, 10, 3000, 10):
            store.write(client, size)
            assert store.write(other) == b"OK"
        if what != "the disk":  # with "everysec" that is written to once a second
            assert hits()
    store.check()


@pytest.mark.parametrize("times", [1, 2, ALWAYS])
def test_a_panic_while_the_file_can_not_be_opened(store: Store, times: int) -> None:
    (pid, client), (_, other) = store.clients
    # The sweeper of a worker opens the store again, too: the fault is there before the store breaks.
    with store.failing("open", errno.EMFILE, pid=pid, times=times) as fault:
        with store.failing_store("the first pages", errno.EIO, pid, 1):
            assert store.write(client) != b"OK"
        for _ in range(3):
            store.write(client)
            client("GET", "nothing")
            assert store.write(other) == b"OK"
        assert fault.hits
    store.check()


def test_all_clients_of_a_worker_go_on(store: Store) -> None:
    (pid, client), _ = store.clients
    same = [each for _ in range(2) for number, each in store.connected() if number == pid]
    with store.failing_store("the first pages", errno.ENOSPC, pid, ALWAYS):
        for each in (client, *same):
            each.send_all([("MULTI",), ("SET", "in-multi", "1"), ("INCR", "counter"), ("EXEC",), ("GET", "a")])
        for each in (client, *same):
            replies = [each.receive() for _ in range(5)]
            assert replies[:3] == [b"OK", b"QUEUED", b"QUEUED"]
            assert "the store has failed" in str(replies[3])
    for each in (client, *same):
        assert each("EXISTS", "in-multi", "counter") == 0
    store.check()


@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_acknowledged_writes_outlive_the_pool(tmp_path: Path, durability: str) -> None:
    toml = kv_toml(store=f"lmdb:{tmp_path}/data", durability=durability)
    with Failing(tmp_path) as failing, Store(failing, toml) as store:
        (pid, client), _ = store.clients
        for times in (1, 2, 3):
            with store.failing_store("the first pages", errno.EIO, pid, times):
                assert store.write(client) != b"OK"
                for _ in range(3):
                    store.write(client)
        for number in (store.running.pid, *store.running.workers()):
            os.kill(number, signal.SIGKILL)
        wait_until(lambda: not store.running.left_over(), what="every process gone")
        with PoolProcess.run(toml) as again, connect(again.urls()[0]) as sock:
            keys = list(store.acknowledged)
            assert Client(sock)("MGET", *keys) == list(store.acknowledged.values())


@pytest.mark.parametrize("times", [1, ALWAYS])
def test_a_file_that_has_grown_and_can_not_be_mapped(tmp_path: Path, times: int) -> None:
    with Failing(tmp_path) as failing, Store(failing, kv_toml(store=f"lmdb:{tmp_path}/data")) as store:
        pids = sorted(store.running.workers())
        (_, client), (_, other) = store.clients
        with store.failing_store("a map", errno.ENOMEM, 0, times) as hits:
            for _ in range(8):
                store.write(client, 20_000_000)
                if hits() >= min(times, 5):
                    break
                other("STRLEN", "key-1")
        assert hits()
        store.check()
        assert sorted(store.running.workers()) == pids


def test_a_view_takes_the_slot_of_a_reader_that_was_killed(tmp_path: Path) -> None:
    with Failing(tmp_path) as failing, Store(failing, kv_toml(store=f"lmdb:{tmp_path}/data")) as store:
        subprocess.run([sys.executable, "-c", FILL_THE_TABLE, f"{tmp_path}/data"], check=True)  # noqa: S603
        for _, client in store.clients:
            assert client("DBSIZE") == 0
        store.check()


FILL_THE_TABLE = """
import lmdb, os, signal, sys
env = lmdb.open(sys.argv[1], max_dbs=2, max_readers=1024)
views = []
try:
    while True:
        views.append(env.begin())
except lmdb.ReadersFullError:
    os._exit(0)
"""
"""It leaves all slots of the table taken, as if it had been killed."""


def test_a_full_disk_at_the_start_is_told() -> None:
    script = (
        "mkdir disk && mount -t tmpfs -o size=1m tmpfs disk && mkdir disk/data; "
        'head -c 2000000 /dev/zero >disk/ballast; exec "$@"'
    )
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh")
    with PoolProcess.run(kv_toml(store="lmdb:disk/data"), wrapper=wrapper, wait=False) as refused:
        assert refused.wait() != 0
        assert "store lmdb:disk/data can't be opened: " in refused.stderr
        assert "No space left on device" in refused.stderr


@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_workers_that_are_killed_while_the_disk_is_full_come_back(pool: Pools, durability: str) -> None:
    script = 'mkdir disk && mount -t tmpfs -o size=2m tmpfs disk && head -c 1200000 /dev/zero >disk/ballast; exec "$@"'
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh")
    running = pool(kv_toml(store="lmdb:disk/data", durability=durability), wrapper=wrapper)
    disk = Path(f"/proc/{running.pid}/root{running.directory}/disk")
    with connect(running.urls()[0]) as sock:
        written = 0
        client = Client(sock)
        while client("SET", written, "x" * 3000) == b"OK":
            written += 1
    with contextlib.suppress(OSError), (disk / "more").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    pids = set(running.workers())
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(now := running.workers()) == 2 and not pids & set(now), what="both replaced")
    with connect(running.urls()[0]) as sock, connect(running.urls()[0]) as second:
        clients = [Client(sock), Client(second)]
        assert [client("DBSIZE") for client in clients] == [written] * 2
        assert all("No space left" in str(client("SET", "more", "x" * 3000)) for client in clients)
        for name in ("ballast", "more"):
            (disk / name).unlink()
        assert [client("SET", "more", "x" * 3000) for client in clients] == [b"OK"] * 2
        assert [client("DBSIZE") for client in clients] == [written + 1] * 2
