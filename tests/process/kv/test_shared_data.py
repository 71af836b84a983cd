"""Data that all workers share: acknowledged writes are there, in every worker, after the death of any process."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import hiredis
import pytest
from kv_client import Client, kv_toml

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.pools import Pools

    Clients = Callable[[PoolProcess], Client]


def test_what_one_worker_acknowledged_every_other_one_knows(kv: PoolProcess, clients: Clients) -> None:
    first, second = clients(kv), clients(kv)  # round-robin: one worker each
    assert first("INFO", "server") != second("INFO", "server")
    for number in range(500):
        assert first("SET", "a", number) == b"OK"
        assert second("GET", "a") == b"%d" % number
        assert second("INCR", "b") == 2 * number + 1
        assert first("INCR", "b") == 2 * number + 2


def test_increments_of_many_clients_over_many_workers_sum_exactly(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=4))
    group = [clients(running) for _ in range(50)]

    def work(client: Client) -> None:
        for _ in range(20):
            client("INCR", "sum")

    with ThreadPoolExecutor(50) as executor:
        list(executor.map(work, group))

    assert group[0]("GET", "sum") == b"1000"


def test_a_watched_key_that_another_worker_changes_stops_exec(kv: PoolProcess, clients: Clients) -> None:
    ours, theirs = clients(kv), clients(kv)
    changes: list[tuple[object, ...]] = [("SET", "k", "same"), ("EXPIRE", "k", "100"), ("DEL", "k"), ("FLUSHALL",)]
    for change in changes:
        ours("SET", "k", "same")
        assert ours("WATCH", "k") == b"OK"
        theirs(*change)
        ours("MULTI")
        ours("SET", "k", "mine")
        assert ours("EXEC") is None, change
    ours("WATCH", "k")
    ours("MULTI")
    ours("SET", "k", "mine")
    assert ours("EXEC") == [b"OK"]
    assert theirs("GET", "k") == b"mine"


def test_a_transaction_is_seen_wholly_or_not_at_all(kv: PoolProcess, clients: Clients) -> None:
    writer, reader = clients(kv), clients(kv)
    over = threading.Event()

    def write() -> None:
        for number in range(500):
            for words in (("MULTI",), ("SET", "x", number), ("SET", "y", number), ("EXEC",)):
                writer.send(*words)
            assert [writer.receive() for _ in range(4)][-1] == [b"OK", b"OK"]
        over.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not over.is_set():
        x, y = reader("MGET", "x", "y")
        assert x == y
        seen.add(x)
    thread.join()
    assert len(seen) > 10


def test_an_expired_key_is_gone_everywhere_and_swept(kv: PoolProcess, clients: Clients) -> None:
    first, second = clients(kv), clients(kv)
    for number in range(1000):
        first("SET", number, "x", "PX", 200)
    first("SET", "stays", "x", "EX", 1000)
    assert second("GET", "999") == b"x"
    wait_until(lambda: second("EXISTS", *range(1000)) == 0)
    wait_until(lambda: second("DBSIZE") == 1, what="expired keys removed")
    assert second("SCAN", "0") == [b"0", [b"stays"]]


@pytest.mark.parametrize("durability", ["always", "everysec", "never"])
def test_a_pool_that_was_killed_comes_back_with_its_data(tmp_path: Path, durability: str) -> None:
    toml = kv_toml(store=f"lmdb:{tmp_path}/data", durability=durability)
    with PoolProcess.run(toml) as running:
        with connect(running.urls()[0]) as sock:
            client = Client(sock)
            for number in range(200):
                assert client("SET", number, "x") == b"OK"
        os.killpg(running.pid, signal.SIGKILL)
        wait_until(lambda: not running.left_over())
    with PoolProcess.run(toml) as running:
        with connect(running.urls()[0]) as sock:
            assert Client(sock)("DBSIZE") == 200
        running.stop()


def test_the_store_grows_and_the_other_workers_follow(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=2))
    first, second = clients(running), clients(running)
    value = "x" * 1_000_000
    for number in range(60):
        assert first("SET", f"first-{number}", value) == b"OK"
        assert second("SET", f"second-{number}", value) == b"OK"
    assert second("STRLEN", "first-59") == 1_000_000
    assert first("DBSIZE") == 120
    running.wait_logged("lmdb_store_grown")


def test_a_full_store_refuses_writes_and_loses_nothing(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=2, max_bytes=4 * 1024 * 1024))
    client, other = clients(running), clients(running)
    written = 0
    while isinstance(reply := client("SET", written, "x" * 50_000), bytes):
        written += 1
    assert isinstance(reply, hiredis.ReplyError)
    assert str(reply) == "OOM command not allowed when used memory > 'maxmemory'."
    assert client("EXPIRE", 0, 1000) == client("DEL", 0) == 1, "commands that don't grow are run"
    written -= 1
    assert other("DBSIZE") == written
    assert other("STRLEN", written) == 50_000
    assert other("FLUSHALL") == b"OK"
    assert client("SET", "again", "x" * 50_000) == b"OK"
