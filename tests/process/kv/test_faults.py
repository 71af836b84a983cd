"""Workers that are killed, disks that fail: nothing that was acknowledged is lost, and the rest goes on."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import struct
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hiredis
import lmdb
import pytest
from kv_client import Client, compile_preload, encode, kv_toml

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

    Clients = Callable[[PoolProcess], Client]

BIG = "x" * 100_000


class Writer(threading.Thread):
    """Writes rising numbers under its name; connects again whenever its worker dies."""

    def __init__(self, url: str, name: str, over: threading.Event) -> None:
        super().__init__()
        self.name = name
        self.acknowledged = 0
        self.failures: list[object] = []
        self._url = url
        self._over = over

    def run(self) -> None:
        number = 0
        while not self._over.is_set():
            try:
                with connect(self._url) as sock:
                    client = Client(sock)
                    while not self._over.is_set():
                        number += 1
                        reply = client("SET", self.name, number)
                        if reply != b"OK":
                            self.failures.append(reply)
                        self.acknowledged = number
            except (OSError, EOFError):
                continue


def test_every_acknowledged_write_survives_the_deaths_of_workers(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=3))
    over = threading.Event()
    writers = [Writer(running.urls()[0], f"writer-{number}", over) for number in range(6)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(25):
            restarts = running.status()["totals"]["restarts"]
            os.kill(random.choice(running.workers()), signal.SIGKILL)  # noqa: S311
            acknowledged = [writer.acknowledged for writer in writers]
            wait_until(lambda restarts=restarts: running.status()["totals"]["restarts"] > restarts)
            wait_until(lambda: len(running.workers()) == 3)
            # A lock that the dead worker has held, and that isn't recovered, stops all of them.
            wait_until(
                lambda before=acknowledged: all(
                    writer.acknowledged > number for writer, number in zip(writers, before, strict=True)
                ),
                what="every writer goes on",
            )
    finally:
        over.set()
        for writer in writers:
            writer.join()

    assert [writer.failures for writer in writers] == [[]] * 6
    client = clients(running)
    for writer in writers:
        # Unacknowledged values may be there as well: the last one of each writer.
        assert int(client("GET", writer.name)) >= writer.acknowledged


def test_readers_killed_inside_a_transaction_do_not_pin_freed_pages(
    pool: Pools, clients: Clients, tmp_path: Path
) -> None:
    running = pool(kv_toml(workers=2, store=f"lmdb:{tmp_path}/data"))
    client = clients(running)
    for number in range(2000):  # a read of all keys takes long enough to be stopped in
        client("SET", f"kept-{number}", "x" * 64)
    with lmdb.open(str(tmp_path / "data"), readonly=True, max_dbs=2) as store:
        pages = store.info()["last_pgno"]
        for _ in range(6):
            reader = clients(running)
            victim = int(dict(line.split(":") for line in words_of(reader("INFO", "server")))["process_id"])
            stop_inside_a_read(store, reader, victim)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: len(pids := running.workers()) == 2 and victim not in pids)
        client = clients(running)
        for number in range(5000):  # of which each would take pages of its own
            assert client("SET", number % 100, "y" * 64) == b"OK"

        assert store.info()["last_pgno"] < pages + 64


def words_of(info: bytes) -> list[str]:
    return [line for line in info.decode().splitlines() if ":" in line]


def stop_inside_a_read(store: lmdb.Environment, reader: Client, pid: int) -> None:
    """Stop a worker while its slot in LMDB's table of readers says that it is in a transaction."""

    def is_reading() -> bool:
        rows = [row.split() for row in store.readers().splitlines()[1:]]
        return any(row[0] == str(pid) and row[2] != "-" for row in rows)

    def is_stopped_inside() -> bool:
        reader.sock.sendall(b"KEYS none*\n" * 50)
        while not select.select([reader.sock], [], [], 0)[0]:  # however late the worker gets a processor
            if is_reading():
                os.kill(pid, signal.SIGSTOP)
                if is_reading():
                    return True
                os.kill(pid, signal.SIGCONT)
        for _ in range(50):
            reader.receive()
        return False

    wait_until(is_stopped_inside, what="stopped in the middle of a read")


DURABILITIES = pytest.mark.parametrize("durability", ["always", "everysec"])


@DURABILITIES
def test_a_full_disk_refuses_writes_and_recovers_when_there_is_room(
    pool: Pools, clients: Clients, durability: str
) -> None:
    script = (
        'mkdir disk && mount -t tmpfs -o size=2m tmpfs disk && head -c 1200000 /dev/zero >disk/ballast && exec "$@"'
    )
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh")
    running = pool(kv_toml(store="lmdb:disk/data", durability=durability), wrapper=wrapper)
    client, other = clients(running), clients(running)
    written = 0
    while (reply := client("SET", written, "x" * 3000)) == b"OK":
        written += 1
        assert written < 1000
    assert "No space left on device" in str(reply)
    assert other("DBSIZE") == written
    assert other("STRLEN", written - 1) == 3000
    assert isinstance(other("SET", "n", "x" * 3000), hiredis.ReplyError)

    # The mount is seen by the pool's processes alone.
    Path(f"/proc/{running.pid}/root{running.directory}/disk/ballast").unlink()
    assert client("SET", written, "x" * 3000) == b"OK"
    assert other("INCR", "n") == 1
    assert other("DBSIZE") == written + 2
    assert all(other("STRLEN", number) == 3000 for number in range(written + 1))


@DURABILITIES
def test_a_disk_that_fails_refuses_writes_until_it_works_again(
    pool: Pools, clients: Clients, tmp_path: Path, durability: str
) -> None:
    failing = tmp_path / "failing"
    environment = {"LD_PRELOAD": str(compile_preload("disk", tmp_path)), "TEST_DISK_FAILS": str(failing)}
    running = pool(kv_toml(workers=2, durability=durability), environment=environment)
    client, other = clients(running), clients(running)
    assert client("SET", "a", "acknowledged") == b"OK"
    failing.touch()

    def is_refused() -> bool:
        return isinstance(client("SET", "a", "refused"), hiredis.ReplyError)

    wait_until(is_refused, what="a write refused")
    assert is_refused()
    if durability == "always":
        assert other("GET", "a") == b"acknowledged"
    assert other("DBSIZE") == 1
    failing.unlink()
    assert client("SET", "a", "again") == b"OK"
    assert other("GET", "a") == b"again"


def test_reads_go_on_while_a_commit_waits_for_the_disk(pool: Pools, clients: Clients, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    environment = {"LD_PRELOAD": str(compile_preload("disk", tmp_path)), "TEST_DISK_WAITS": str(slow)}
    running = pool(kv_toml(workers=1, durability="always"), environment=environment)
    writer, other_writer, reader = (clients(running) for _ in range(3))
    os.mkfifo(slow)
    writer.send("SET", "a", "x")
    with release_one(slow) as release:
        for _ in range(3):
            assert reader("GET", "a") is None
        other_writer.send("SET", "b", "x")
        assert reader("MGET", "a", "b") == [None, None]
        release(10)
        assert [writer.receive(), other_writer.receive()] == [b"OK", b"OK"]
        assert reader("MGET", "a", "b") == [b"x", b"x"]


@pytest.mark.parametrize(
    "commands",
    [[("SET", "a", BIG)], [("ECHO", BIG)], [("MULTI",), ("SET", "a", BIG), ("EXEC",)]],
    ids=lambda each: each[0][0],
)
def test_what_waits_for_the_disk_is_bounded(
    pool: Pools, clients: Clients, tmp_path: Path, commands: list[tuple[str, ...]]
) -> None:
    slow = tmp_path / "slow"
    environment = {"LD_PRELOAD": str(compile_preload("disk", tmp_path)), "TEST_DISK_WAITS": str(slow)}
    running = pool(kv_toml(workers=1, durability="always"), environment=environment)
    writer, reader = clients(running), clients(running)
    os.mkfifo(slow)
    writer.send("SET", "a", "x")
    with release_one(slow):
        stream = memoryview(b"".join(map(encode, commands)) * 600)
        sent = send_while_it_is_read(writer.sock, stream, lambda: reader("PING"))
        assert sent < 30_000_000


def test_what_waits_of_a_client_that_has_gone_is_forgotten(pool: Pools, clients: Clients, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    environment = {"LD_PRELOAD": str(compile_preload("disk", tmp_path)), "TEST_DISK_WAITS": str(slow)}
    running = pool(kv_toml(workers=1, durability="always"), environment=environment)
    writer, gone, reader = (clients(running) for _ in range(3))
    os.mkfifo(slow)
    writer.send("SET", "a", "x")
    with release_one(slow) as release:
        assert reader("GET", "a") is None  # so the commit has begun, or begins now
        gone.send("SET", "b", "x")
        assert reader("GET", "b") is None
        gone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.sock.close()
        wait_until(lambda: reader("CLIENT", "LIST").count(b" addr=") == 2)
        writer.send("SET", "c", "x")
        release(20)
        assert [writer.receive(), writer.receive()] == [b"OK", b"OK"]
        assert reader("MGET", "a", "b", "c") == [b"x", None, b"x"]


def send_while_it_is_read(sock: socket.socket, data: memoryview, ping: Callable[[], Any]) -> int:
    """Send until the worker reads no more, however often it turns its loop; say how much."""
    sent = refused = 0
    sock.setblocking(False)
    while sent < len(data) and refused < 20:
        try:
            sent += sock.send(data[sent : sent + 1_000_000])
            refused = 0
        except BlockingIOError:
            refused += 1
            ping()
    return sent


@contextmanager
def release_one(fifo: Path) -> Iterator[Callable[[int], Any]]:
    """Return a function that lets the disk finish so many times."""
    fd = os.open(fifo, os.O_RDWR)
    try:
        yield lambda count: os.write(fd, bytes(count))
    finally:
        fifo.unlink()
        os.write(fd, bytes(100))
        os.close(fd)


def test_a_stopping_pool_answers_what_it_is_committing(pool: Pools, clients: Clients, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    environment = {"LD_PRELOAD": str(compile_preload("disk", tmp_path)), "TEST_DISK_WAITS": str(slow)}
    toml = kv_toml(workers=1, durability="always", store=f"lmdb:{tmp_path}/data")
    running = pool(toml, environment=environment)
    first, second, idle = (clients(running) for _ in range(3))
    os.mkfifo(slow)
    with release_one(slow) as release:
        first.send("SET", "a", "x")
        assert idle("GET", "a") is None  # so the commit has begun, or begins now
        second.send("SET", "b", "x")
        assert idle("GET", "b") is None
        running.send_signal(signal.SIGTERM)
        with pytest.raises(EOFError):
            idle.receive()
        release(20)
        assert [first.receive(), second.receive()] == [b"OK", b"OK"]
    assert running.wait() == 0
    again = pool(toml)
    assert clients(again)("MGET", "a", "b") == [b"x", b"x"]
