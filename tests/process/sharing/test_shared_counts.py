"""What workers share in a pool of four: exact over all of them, and over reloads, upgrades and deaths."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from beside import beside
from operated import corepool
from probe import ask
from sources import metadata, source

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

FILES = {
    "sharer.py": source("plugins/sharer.py"),
    **metadata("sharer", "[corepool.protocols]\nsharer = sharer:Sharer\n"),
}
TOML = """
[pool]
workers = 4
dispatcher = "round-robin"
respawn_delay = "1ms"
respawn_delay_max = "1ms"
drain_timeout = "1ms"
[[listener]]
name = "sharer"
bind = ["tcp://127.0.0.1:0"]
protocol = "sharer"
"""
KILLS = int(os.environ.get("TEST_KILLS", "12"))


@pytest.fixture
def running(pool: Pools) -> PoolProcess:
    return pool(TOML, files=FILES)


@pytest.fixture
def upgraded(pool: Pools) -> Iterator[PoolProcess]:
    """Start a pool whose master is replaced by the test; the last one is stopped at the end."""
    running = pool(TOML, files=FILES)
    yield running
    master = running.status()["pid"]
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not psutil.pid_exists(master) and not running.left_over())


def say(running: PoolProcess, *lines: str) -> list[str]:
    """Send lines to a worker, on a connection of their own."""
    with connect(running.urls()[0]) as client:
        return [ask(client, line) for line in lines]


def clients_of_each(running: PoolProcess, workers: int = 4) -> list[socket.socket]:
    """Connect to each worker."""
    found: dict[str, socket.socket] = {}
    while len(found) < workers:
        client = running.connect()
        found.setdefault(ask(client, "pid"), client)
    return list(found.values())


def held(running: PoolProcess, key: str) -> str:
    return say(running, f"held {key}")[0]


def test_a_counter_is_the_sum_of_all_workers(running: PoolProcess) -> None:
    clients = clients_of_each(running)
    for amount, client in enumerate(clients, 1):
        ask(client, f"add {amount}")

    assert [ask(client, "get") for client in clients] == ["10"] * 4
    ask(clients[0], "add -20")
    assert ask(clients[1], "get") == "-10"


def test_buckets_give_what_is_in_them_and_no_more_to_all_workers_at_once(running: PoolProcess) -> None:
    clients = [client for _ in range(5) for client in clients_of_each(running)]

    for client in clients:
        client.sendall(b"take one\n" * 10)
    answers = []
    for client in clients:
        file = client.makefile()
        answers += [file.readline() for _ in range(10)]

    assert answers.count("taken\n") == 25
    assert answers.count("empty\n") == 175
    assert say(running, "take other") == ["taken"]


def test_semaphores_are_held_so_often_by_all_workers_and_released_by_the_dead(running: PoolProcess) -> None:
    clients = [client for _ in range(5) for client in clients_of_each(running)]
    for client in clients:
        client.sendall(b"hold one 10\n")
    answers = [client.makefile().readline() for client in clients]
    assert answers.count("holds\n") == 10
    assert answers.count("full\n") == 10

    holder = clients[answers.index("holds\n")]
    pid = ask(holder, "pid")
    its = sum(ask(client, "pid") == pid for client, answer in zip(clients, answers, strict=True) if answer == "holds\n")
    os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: held(running, "one") == str(10 - its))
    for client in clients:
        client.close()
    wait_until(lambda: held(running, "one") == "0")


def test_what_one_worker_puts_into_a_map_the_others_find(running: PoolProcess) -> None:
    clients = clients_of_each(running)
    for number, client in enumerate(clients):
        assert ask(client, f"put key-{number} {number}") == "put"

    assert [[ask(client, f"look key-{number}") for number in range(5)] for client in clients] == [
        ["0", "1", "2", "3", "nothing"]
    ] * 4
    assert [ask(client, "pop key-0") for client in clients] == ["0", "nothing", "nothing", "nothing"]
    os.kill(int(ask(clients[1], "pid")), signal.SIGKILL)
    assert ask(clients[2], "look key-1") == "1"


def test_a_reload_takes_nothing_away(running: PoolProcess) -> None:
    first = clients_of_each(running)
    say(running, "add 5", "put key value", *["take one"] * 25)
    before = {ask(client, "pid") for client in first}

    assert corepool(running, "reload").returncode == 0

    assert before.isdisjoint({ask(client, "pid") for client in clients_of_each(running)})
    assert say(running, "get", "mapped", "look key", "take one", "take other") == ["5", "5", "value", "empty", "taken"]


def test_masters_follow_each_other_and_go_on_with_the_counts(upgraded: PoolProcess) -> None:
    say(upgraded, "add 5", *["take one"] * 25)
    for total in (10, 15):
        assert corepool(upgraded, "upgrade").returncode == 0
        assert say(upgraded, "add 5", "get", "mapped", "take one") == ["added", str(total), str(total), "empty"]
    assert "shared_counts" not in upgraded.stderr


def test_the_workers_of_an_old_master_that_was_killed_hold_nothing(pool: Pools) -> None:
    upgraded = pool(TOML.replace('"1ms"\n[[', '"600s"\n[['), files=FILES, exit_status=-signal.SIGKILL)
    held_by_old = upgraded.connect()
    assert ask(held_by_old, "hold one 1") == "holds"
    assert ask(held_by_old, "stay") == "stays"
    old = int(ask(held_by_old, "pid"))
    master = upgraded.pid
    assert corepool(upgraded, "upgrade").returncode == 0
    wait_until(lambda: int(say(upgraded, "pid")[0]) != old)
    assert say(upgraded, "hold one 1") == ["full"], "by both masters' workers"

    os.kill(master, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(old))
    upgraded_pid = upgraded.status()["pid"]
    [victim, *_] = upgraded.workers()
    os.kill(victim, signal.SIGKILL)  # its replacement looks whose workers there are
    wait_until(lambda: say(upgraded, "hold one 1") == ["holds"])

    assert corepool(upgraded, "stop").returncode == 0
    wait_until(lambda: not psutil.pid_exists(upgraded_pid) and not upgraded.left_over())


def test_workers_killed_at_any_moment_lose_no_addition_and_leave_no_lock(running: PoolProcess) -> None:
    """Each worker takes locks most of the time. Additions with an answer are counted, others at most once."""
    url = running.urls()[0]
    answered, unanswered = [0] * 4, [0] * 4

    def add(number: int, is_over: threading.Event) -> None:
        while not is_over.is_set():
            try:
                with connect(url) as client:
                    assert ask(client, "churn") in ("churns", "")
                    while not is_over.is_set():
                        unanswered[number] += 1
                        if ask(client, "add 1") != "added":
                            break
                        unanswered[number] -= 1
                        answered[number] += 1
            except OSError:
                pass

    with beside(add, threads=4):
        for _ in range(KILLS):
            before = sum(answered)
            for client in clients_of_each(running):
                assert ask(client, "churn") in ("churns", "")
            victims = running.workers()
            wait_until(lambda before=before: sum(answered) > before + 20)
            for victim in victims[:2]:
                os.kill(victim, signal.SIGKILL)
            wait_until(lambda victims=victims: len(now := running.workers()) == 4 and not {*victims[:2]} & {*now})

    assert [ask(client, "walk") for client in clients_of_each(running)] == ["walked"] * 4
    for total in map(int, say(running, "get", "mapped")):
        assert sum(answered) <= total <= sum(answered) + sum(unanswered)
    assert "TimeoutError" not in running.stderr
