"""Clients that wait for elements, over reloads, crashes and the ends of clients."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

    Clients = Callable[[PoolProcess], Client]


def blocked(client: Client) -> int:
    """Count the blocked clients of all workers."""
    text: bytes = client("CLIENT", "LIST")
    return text.count(b" flags=b")


def watchers(running: PoolProcess, clients: Clients) -> list[Client]:
    """Return a client of each worker."""
    found: dict[int, Client] = {}
    while len(found) < len(running.workers()):
        client = clients(running)
        found[process(client)] = client
    return list(found.values())


def process(client: Client) -> int:
    """Return the process of this client's worker."""
    return int(client("INFO", "server").split(b"process_id:")[1].split(b"\r\n")[0])


def wait_blocked(watching: list[Client], count: int) -> None:
    wait_until(lambda: blocked(watching[0]) == count, what=f"{count} clients blocked")


@pytest.mark.parametrize("store", ["lmdb:", "memory:"])
def test_a_client_that_leaves_takes_nothing(pool: Pools, clients: Clients, store: str) -> None:
    running = pool(kv_toml(workers=1 if store == "memory:" else 2, store=store))
    watching = watchers(running, clients)
    leaving, staying = clients(running), clients(running)
    leaving.send("BLPOP", "k", 0)
    wait_blocked(watching, 1)
    staying.send("BLPOP", "k", 0)
    wait_blocked(watching, 2)
    leaving.sock.close()
    wait_blocked(watching, 1)

    assert watching[0]("RPUSH", "k", "first", "second") == 2
    assert staying.receive() == [b"k", b"first"]
    assert watching[0]("LRANGE", "k", 0, -1) == [b"second"]


def test_requests_behind_one_that_waits_are_served_after_it(kv: PoolProcess, clients: Clients) -> None:
    client, other = clients(kv), clients(kv)
    client.send_all([("SET", "a", 1), ("BLPOP", "k", 0), ("GET", "a"), ("BLPOP", "k", 0), ("INCR", "a")])
    assert client.receive() == b"OK"
    wait_blocked(watchers(kv, clients), 1)
    assert other("INCR", "a") == 2

    other("RPUSH", "k", "x", "y")

    assert [client.receive() for _ in range(4)] == [[b"k", b"x"], b"2", [b"k", b"y"], 3]


def test_a_client_that_sends_without_end_while_it_waits_is_not_read(kv: PoolProcess, clients: Clients) -> None:
    client, other = clients(kv), clients(kv)
    client.send("BLPOP", "k", 0)
    wait_blocked(watchers(kv, clients), 1)
    client.sock.settimeout(1)
    with pytest.raises(TimeoutError):
        client.sock.sendall(b"PING\r\n" * 10_000_000)

    other("RPUSH", "k", "x")

    assert client.receive() == [b"k", b"x"]
    assert client.receive() == b"PONG"


def test_clients_that_wait_move_at_a_reload_and_keep_their_order(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=3))
    group = [clients(running) for _ in range(9)]
    for number, client in enumerate(group):
        client.send(*[("BRPOP", "j", "k", 0), ("BLMOVE", "k", "done", "LEFT", "RIGHT", 0)][number % 2])
        wait_blocked(watchers(running, clients), number + 1)
    for _ in range(2):
        before = set(running.workers())
        assert running.request("reload")["ok"]
        wait_until(lambda before=before: not before & set(running.workers()), what="a new generation")
    other = clients(running)

    other("RPUSH", "k", *range(9))

    # From both ends, in turn: the oldest client has the first choice.
    left = list(range(9))
    for number, client in enumerate(group):
        value = b"%d" % left.pop(0 if number % 2 else -1)
        assert client.receive() == (value if number % 2 else [b"k", value])
    assert other("LLEN", "k") == 0
    wait_blocked(watchers(running, clients), 0)


def test_what_a_killed_worker_has_not_fetched_goes_to_the_next_client(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=2))
    one, two = watchers(running, clients)
    beside_one = next(client for client in watchers(running, clients) if process(client) == process(one))
    victim = process(one)
    one.send("BLPOP", "k", 0)
    wait_blocked([beside_one], 1)
    os.kill(victim, signal.SIGSTOP)
    try:
        assert two("RPUSH", "k", "x") == 1
        assert two("LLEN", "k") == 0  # it is for the client whose worker does not come to fetch it
    finally:
        os.kill(victim, signal.SIGKILL)
    two.send("BLPOP", "k", 0)

    assert two.receive() == [b"k", b"x"]


class Worker(threading.Thread):
    """Moves elements from one list to another, each to its own, over and over."""

    def __init__(self, url: str, target: str) -> None:
        super().__init__()
        self.got: list[bytes] = []
        self.failures: list[object] = []
        self.is_needed = True
        self._url = url
        self._target = target

    def run(self) -> None:
        while self.is_needed:
            try:
                with connect(self._url) as sock:
                    client = Client(sock)
                    while True:
                        value = client("BLMOVE", "jobs", self._target, "LEFT", "RIGHT", 0)
                        if value == b"end":
                            return
                        if not isinstance(value, bytes):
                            self.failures.append(value)
                        self.got.append(value)
            except (OSError, EOFError):
                continue


def push_while_workers_are_killed(running: PoolProcess) -> list[bytes]:
    """Push numbers to "jobs" until twelve workers have died, and return them."""
    pushed: list[bytes] = []
    number = 0
    for _ in range(12):
        wait_until(running.workers)
        restarts = running.status()["totals"]["restarts"]
        victim = random.choice(running.workers())  # noqa: S311
        while running.status()["totals"]["restarts"] == restarts:
            try:
                with connect(running.urls()[0]) as sock:
                    client = Client(sock)
                    for _ in range(20):
                        number += 1
                        client("RPUSH", "jobs", number)
                        pushed.append(b"%d" % number)
                        if len(pushed) % 37 == 0 and victim:
                            os.kill(victim, signal.SIGKILL)
                            victim = 0
            except (OSError, EOFError):
                continue
    return pushed


def test_each_element_is_moved_once_whichever_worker_is_killed(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=3))
    movers = [Worker(running.urls()[0], f"done{number}") for number in range(6)]
    for mover in movers:
        mover.start()
    try:
        pushed = push_while_workers_are_killed(running)
        last = clients(running)
        wait_until(lambda: last("LLEN", "jobs") == 0, what="all are moved")
        for mover in movers:
            while mover.is_alive():
                last("RPUSH", "jobs", "end")
                mover.join(0.2)
    finally:
        for mover in movers:
            mover.is_needed = False
    done = [value for number in range(6) for value in last("LRANGE", f"done{number}", 0, -1) if value != b"end"]

    assert not [mover.failures for mover in movers if mover.failures]
    assert len(done) == len(set(done)), "moved twice"
    assert set(pushed) <= set(done), "lost"
    for position, mover in enumerate(movers):
        assert set(mover.got) <= set(last("LRANGE", f"done{position}", 0, -1))
