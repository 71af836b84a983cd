"""Rude, slow, greedy and plentiful clients; and systems that run out of things."""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import probe
import psutil
import pytest
from beside import beside

from corepool.testing.sockets import connect, receive_all, receive_exactly, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

ECHO = """
[pool]
workers = {workers}
dispatcher = "{dispatcher}"
{pool}
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0", "unix:@corepool-{name}"]
protocol = "echo"
{listener}
"""


def echo(workers: int = 2, dispatcher: str = "least-connections", pool: str = "", listener: str = "") -> str:
    name = f"{os.getpid()}-{time.monotonic_ns()}"
    return ECHO.format(workers=workers, dispatcher=dispatcher, pool=pool, listener=listener, name=name)


def echoes(sock: socket.socket, data: bytes = b"hello\n") -> bool:
    sock.sendall(data)
    return receive_exactly(sock, len(data)) == data


def counts(pool_process: object) -> list[int]:
    return sorted(worker["connections"] for worker in pool_process.status()["workers"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_a_burst_of_500_connections_is_wholly_served(pool: Pools, dispatcher: str) -> None:
    running = pool(echo(dispatcher=dispatcher))
    url = running.urls()[0]
    clients = [connect(url) for _ in range(500)]
    for client in clients:
        client.sendall(b"x")
    assert [receive_exactly(client, 1) for client in clients] == [b"x"] * 500
    for client in clients:
        client.close()


def test_least_connections_never_lets_one_worker_hold_two_more_than_another(pool: Pools) -> None:
    running = pool(echo(workers=4))
    clients = []
    for total in range(1, 42):
        clients.append(running.connect())
        assert echoes(clients[-1])
        wait_until(lambda total=total: sum(counts(running)) == total)
        held = counts(running)
        assert held[-1] - held[0] <= 1
    for client in clients:
        client.close()


def test_round_robin_gives_each_worker_its_exact_share(pool: Pools) -> None:
    running = pool(echo(workers=4, dispatcher="round-robin"))
    clients = [running.connect() for _ in range(40)]
    assert all(echoes(client) for client in clients)

    wait_until(lambda: counts(running) == [10, 10, 10, 10])


def test_source_hash_keeps_a_peer_at_its_worker(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "source-hash"', workers=4), files=probe.files())
    port = int(running.urls()[0].rpartition(":")[2])
    seen: dict[str, set[bytes]] = {}
    for number in range(1, 17):
        for _ in range(3):
            source = f"127.0.0.{number}"
            with socket.create_connection(("127.0.0.1", port), 10, (source, 0)) as client:
                client.sendall(b"pid\n")
                seen.setdefault(source, set()).add(client.recv(100))

    assert all(len(pids) == 1 for pids in seen.values())
    assert len(set.union(*seen.values())) > 1


def test_power_of_two_spreads(pool: Pools) -> None:
    running = pool(echo(workers=4, dispatcher="power-of-two"))
    clients = [running.connect() for _ in range(80)]
    assert all(echoes(client) for client in clients)
    wait_until(lambda: sum(counts(running)) == 80)

    assert counts(running)[0] >= 14


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_connections_beyond_the_limit_wait_in_the_backlog_until_there_is_room(pool: Pools, dispatcher: str) -> None:
    running = pool(echo(dispatcher=dispatcher, pool="max_connections = 5"))
    url = running.urls()[0]
    clients = [connect(url) for _ in range(30)]
    for client in clients:
        client.sendall(b"x")
    wait_until(lambda: sum(counts(running)) == 10)
    assert max(counts(running)) == 5
    served = Counter[bool]()
    for client in list(clients):
        client.settimeout(60)
        # A served client leaves, and makes room for one that waits.
        served[receive_exactly(client, 1) == b"x"] += 1
        client.close()

    assert served == {True: 30}


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_running_out_of_descriptors_pauses_the_listener_and_passes(pool: Pools, dispatcher: str) -> None:
    running = pool(echo(workers=1, dispatcher=dispatcher), wrapper=("prlimit", "--nofile=64"))
    url = running.urls()[0]
    clients = [connect(url) for _ in range(400)]
    processes = [psutil.Process(running.pid), *psutil.Process(running.pid).children()]

    def cpu_s() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before, began = cpu_s(), time.monotonic()
    threading.Event().wait(5)  # the storm itself; there is nothing to wait for
    load = (cpu_s() - before) / (time.monotonic() - began)
    assert load < 0.05
    assert running.stderr.count("accept_paused") <= 7  # one a second, at either end of the five as well
    for client in clients:
        client.close()
    with running.connect() as client:
        assert echoes(client)


def test_a_worker_without_descriptors_gives_away_what_it_has(pool: Pools) -> None:
    running = pool(echo())
    idle = running.connect()
    assert echoes(idle)
    [poor] = [worker["pid"] for worker in running.status()["workers"] if worker["connections"]]
    lowest_free = min({*range(1000)} - {int(fd.name) for fd in Path(f"/proc/{poor}/fd").iterdir()})
    resource.prlimit(poor, resource.RLIMIT_NOFILE, (lowest_free, lowest_free))

    clients = [running.connect() for _ in range(6)]

    assert all(echoes(client) for client in clients)
    wait_until(lambda: not psutil.pid_exists(poor))
    assert echoes(idle), "it goes on in another worker"
    running.wait_logged("handoffs_not_received")


def test_idle_connections_are_closed_at_their_deadline(pool: Pools) -> None:
    running = pool(echo(listener='idle_timeout = "1s"'))
    with running.connect() as client:
        assert echoes(client)
        assert receive_all(client) == b""


def test_a_peer_that_never_reads_is_dropped_and_its_output_is_bounded(pool: Pools) -> None:
    running = pool(echo(workers=1, listener='write_timeout = "1s"\noutput_high_water = 65536'))
    (worker,) = running.workers()
    greedy = running.connect(timeout_s=0.3)
    rss = psutil.Process(worker).memory_info().rss
    sent = 0
    try:
        while sent < 200_000_000:
            sent += greedy.send(b"x" * 1_000_000)
    except TimeoutError:
        pass
    grown = psutil.Process(worker).memory_info().rss - rss
    with running.connect() as polite:
        assert echoes(polite)
    wait_until(lambda: sum(counts(running)) == 0, what="the greedy peer dropped")
    greedy.close()

    assert grown < 8_000_000
    assert sent < 200_000_000


def test_a_flood_does_not_starve_another_client_of_the_same_worker(pool: Pools) -> None:
    running = pool(echo(workers=1))
    flood = running.connect()

    def pump(_: int, is_over: threading.Event) -> None:
        while not is_over.is_set():
            flood.sendall(b"x" * 65536)
        flood.shutdown(socket.SHUT_WR)

    def swallow(*_: object) -> None:
        while flood.recv(1 << 20):
            pass

    with beside(swallow), beside(pump), running.connect() as client:
        for _ in range(50):
            assert echoes(client)
    flood.close()


def test_a_half_closed_client_still_gets_its_reply(pool: Pools) -> None:
    running = pool(echo())
    for url in running.urls():
        with connect(url) as client:
            client.sendall(b"x" * 300_000)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"x" * 300_000


def test_a_slow_reader_gets_everything_in_order(pool: Pools) -> None:
    running = pool(echo(workers=1))
    data = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(131_072))
    with running.connect() as client:
        # Far less than is on its way, and enough for a segment of the loopback: below that, each waits for a timer.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        received = b"".join(receive_exactly(client, 1024) for _ in range(len(data) // 1024))
        sender.join()

    assert received == data


def test_resets_end_nothing_but_their_connection(pool: Pools) -> None:
    running = pool(echo())
    pids = running.workers()
    for url in running.urls():
        for _ in range(50):
            client = connect(url)
            client.sendall(b"x" * 1000)
            reset(client)
    with running.connect() as client:
        assert echoes(client)

    assert running.workers() == pids
    wait_until(lambda: sum(counts(running)) == 0)


def test_many_short_connections_are_all_served(pool: Pools) -> None:
    running = pool(echo())
    url = running.urls()[0]

    def once(_: int) -> bool:
        with connect(url) as client:
            return echoes(client)

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(once, range(1000)))
    wait_until(lambda: running.status()["totals"]["closed"] == 1000)
    assert running.status()["listeners"][0]["active"] == 0
