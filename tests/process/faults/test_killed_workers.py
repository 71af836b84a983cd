"""Workers are killed at any moment of their lives: others go on, replacements come, and nothing of the dead one stays.

TEST_SEED and TEST_ORDERS choose the schedules, and how long they are.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import probe
import pytest

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SEEDS = [int(seed) for seed in os.environ.get("TEST_SEED", "1,2").split(",")]
ORDERS = int(os.environ.get("TEST_ORDERS", "30"))
WORKERS = 3

APPLICATION = """
import os, time
time.sleep(0.03)  # so that some are killed while they boot
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
TOML = """
[pool]
workers = 3
dispatcher = "{dispatcher}"
respawn_delay = "1ms"
respawn_delay_max = "1ms"
drain_timeout = "60s"
[[listener]]
name = "http"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
keep_on_crash = {kept}
[listener.options]
target = "application:app"
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LOST = b"HTTP/1.1 502 "


def uptime(running: PoolProcess, pid: int) -> float:
    return next(each["uptime"] for each in running.status()["workers"] if each["pid"] == pid)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_replacement_of_a_worker_that_has_served_does_not_wait(pool: Pools, workers: int) -> None:
    """The only one need not have served longer than it took to start, others a second."""
    running = pool(probe.config(workers=workers).replace('"1ms"', '"10m"'), files=probe.files())
    for _ in range(2):
        victim = running.workers()[0]
        since = uptime(running, victim)
        enough = 2 * since if workers == 1 else since + 1.1
        wait_until(lambda victim=victim, enough=enough: uptime(running, victim) >= enough)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: len(pids := running.workers()) == workers and victim not in pids)


def test_connections_handed_to_a_dead_worker_do_not_wait_for_its_replacement(pool: Pools) -> None:
    """The other one serves it, once the kernel has told of the death."""
    toml = probe.config('dispatcher = "round-robin"').replace('"1ms"', '"10m"')
    running = pool(toml, files=probe.files())
    victim, other = running.workers()
    os.kill(victim, signal.SIGSTOP)
    clients = [running.connect() for _ in range(20)]
    for client in clients:
        client.sendall(b"pid\n")
    wait_until(lambda: running.status()["listeners"][0]["accepted"] >= 1)
    os.kill(victim, signal.SIGKILL)
    answers = {int(client.recv(100)) for client in clients}

    assert victim not in answers
    assert other in answers


class Kills:
    """Their number until now. While one is under way nothing is counted: a request may not be told apart from it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def kill(self, pid: int) -> None:
        with self._lock, suppress(ProcessLookupError):
            self._count += 1
            os.kill(pid, signal.SIGKILL)

    def count(self) -> int:
        with self._lock:
            return self._count


class Client(threading.Thread):
    """Keeps its connection as long as it may. A loss is excused if a worker was killed since the last answer."""

    def __init__(self, url: str, kills: Kills, over: threading.Event) -> None:
        super().__init__()
        self._url = url
        self._kills = kills
        self._over = over
        self.answers = 0
        self.failures: list[str] = []

    def run(self) -> None:
        sock: socket.socket | None = None
        since = 0
        while not self._over.is_set():
            before = self._kills.count()
            try:
                sock = sock or connect(self._url)
                answer = self._ask(sock)
            except OSError as error:
                answer = repr(error).encode()
            if answer.startswith(b"HTTP/1.1 200"):
                self.answers += 1
                since = before
            elif self._kills.count() == since:
                self.failures.append(answer.decode())
            if not answer.startswith(b"HTTP/1.1 200") or b"Connection: close" in answer:
                if sock is not None:
                    sock.close()
                sock = None
            self._over.wait(0.002)
        if sock is not None:
            sock.close()

    def _ask(self, sock: socket.socket) -> bytes:
        sock.sendall(REQUEST)
        received = b""
        while not received.endswith(b"\r\n\r\nok"):
            piece = sock.recv(65536)
            received += piece
            if not piece or received.startswith(LOST):
                break
        return received


class Killer:
    """Sends orders and kills, without waiting for any to be carried out."""

    def __init__(self, running: PoolProcess, seed: int, kills: Kills) -> None:
        self._running = running
        self._chance = random.Random(seed)  # noqa: S311 - always the same
        self._kills = kills
        self._acts: list[Callable[[], object]] = [
            self._kill,
            self._kill,
            self._kill_a_young_one,
            self._stop_then_kill,
            lambda: self._signal(signal.SIGTERM),
            lambda: self._order("drain", slot=self._chance.randrange(WORKERS)),
            lambda: self._order("scale", workers=self._chance.randint(2, 5)),
            lambda: self._order("rebalance"),
            lambda: self._order("reload"),
        ]
        self.given: list[str] = []

    def act(self) -> None:
        self._chance.choice(self._acts)()

    def _order(self, command: str, **arguments: object) -> None:
        self.given.append(f"{command} {arguments}")
        self._running.request(command, **arguments)

    def _signal(self, signum: int, *states: str) -> int:
        """Send a signal to any worker, or any in one of these states."""
        pids = [each["pid"] for each in self._running.status()["workers"] if not states or each["state"] in states]
        if not pids:
            return 0
        pid = self._chance.choice(pids)
        self._note(pid, signum)
        return pid

    def _note(self, pid: int, signum: int) -> None:
        self.given.append(f"{signal.Signals(signum).name} {pid}")
        if signum == signal.SIGKILL:
            self._kills.kill(pid)
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signum)

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _kill_a_young_one(self) -> None:
        self._signal(signal.SIGKILL, "starting", "draining")

    def _stop_then_kill(self) -> None:
        pid = self._signal(signal.SIGSTOP)
        accepted = self._running.status()["totals"]["accepted"]
        for _ in range(4):  # one of them may be handed to it
            with suppress(OSError):
                connect(self._running.urls()[0]).close()
        if pid:
            wait_until(lambda: self._running.status()["totals"]["accepted"] >= accepted)
            self._note(pid, signal.SIGKILL)


def open_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("dispatcher", "kept"), [("least-connections", "false"), ("round-robin", "true"), ("kernel", "false")]
)
def test_kills_at_any_moment(pool: Pools, dispatcher: str, kept: str, seed: int) -> None:
    toml = TOML.format(dispatcher=dispatcher, kept=kept)
    running = pool(toml, files={"application.py": APPLICATION}, environment={"PYTHONDONTWRITEBYTECODE": "1"})
    descriptors = open_descriptors(running.pid)
    kills = Kills()
    over = threading.Event()
    clients = [Client(running.urls()[0], kills, over) for _ in range(8)]
    killer = Killer(running, seed, kills)
    for client in clients:
        client.start()
    try:
        for _ in range(ORDERS):
            answers = sum(client.answers for client in clients)
            killer.act()
            wait_until(lambda answers=answers: sum(client.answers for client in clients) > answers + 10)
        # A kill is dealt with in a moment: what comes after that must be answered.
        running.request("scale", workers=WORKERS)
        wait_until(lambda: running.status()["reload"]["state"] != "running")
        wait_until(lambda: [each["state"] for each in running.status()["workers"]] == ["ready"] * WORKERS)
        answers = [client.answers for client in clients]
        wait_until(lambda: all(now.answers > then for now, then in zip(clients, answers, strict=True)))
    finally:
        over.set()
        for client in clients:
            client.join()

    assert [failure for client in clients for failure in client.failures] == [], killer.given

    def is_settled() -> bool:
        status = running.status()
        return (
            not any(each["connections"] for each in status["workers"])
            and not any(each["active"] for each in status["listeners"])
            and status["totals"]["accepted"] == status["totals"]["closed"]
            and open_descriptors(running.pid) <= descriptors
        )

    try:
        wait_until(is_settled, what=f"settled after {killer.given}")
    except AssertionError as error:
        error.add_note(f"{open_descriptors(running.pid)} descriptors, {descriptors} before; {running.status()}")
        raise
