"""Connections outlive their worker: clients that never reconnect, and check every reply, notice nothing.

TEST_CLIENTS, TEST_RELOADS and TEST_RECYCLES make it as long as one likes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
from operated import corepool, reload_by_signal
from steady import APPLICATION, TOML, Steady

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENTS = int(os.environ.get("TEST_CLIENTS", "100"))
RELOADS = int(os.environ.get("TEST_RELOADS", "4"))
RECYCLES = int(os.environ.get("TEST_RECYCLES", "4"))


def start(pool: Pools, workers: int = 2, lines: str = "") -> PoolProcess:
    toml = TOML.format(workers=workers, pool=lines, listener="", http="")
    return pool(toml, files={"application.py": APPLICATION}, environment={"PYTHONDONTWRITEBYTECODE": "1"})


def steady(running: PoolProcess) -> Steady:
    return Steady(*running.urls(), clients=CLIENTS, pause_s=0.1 + CLIENTS / 2000)


def assert_untouched(running: PoolProcess, load: Steady) -> None:
    """Every connection is still the one that it was."""
    load.wait_for_replies()
    assert load.failures == []
    totals = running.status()["totals"]
    assert (totals["closed"], totals["refused"]) == (0, 0)


def descriptors(pid: int) -> int:
    return psutil.Process(pid).num_fds()


def test_reloads(pool: Pools) -> None:
    running = start(pool)
    with steady(running) as load:
        load.wait_for_replies()
        wait_until(lambda: descriptors(running.pid) < CLIENTS / 2, what="the master has closed its copies")
        before = descriptors(running.pid)
        for _ in range(RELOADS):
            reload_by_signal(running)
        wait_until(lambda: len(running.workers()) == 2)
        assert_untouched(running, load)
        # A reload that comes before the last one's moves are over takes the rest of them with it.
        assert running.status()["totals"]["moved"] >= CLIENTS * RELOADS * 0.5
        wait_until(lambda: descriptors(running.pid) <= before)


def test_recycles(pool: Pools) -> None:
    running = start(pool)
    with steady(running) as load:
        for number in range(RECYCLES):
            before = set(running.workers())
            assert corepool(running, "drain", str(number % 2)).returncode == 0
            wait_until(lambda before=before: len(set(running.workers()) - before) == 1 and len(running.workers()) == 2)
        assert_untouched(running, load)


def test_recycles_by_requests(pool: Pools) -> None:
    running = start(pool, lines=f"recycle_requests = {CLIENTS * 2}")
    with steady(running) as load:
        first = set(running.workers())
        wait_until(lambda: not first & set(running.workers()))
        assert_untouched(running, load)


def test_scaling(pool: Pools) -> None:
    running = start(pool, workers=4)
    with steady(running) as load:
        for workers in (1, 4):
            assert corepool(running, "scale", str(workers)).returncode == 0
            wait_until(lambda workers=workers: len(running.workers()) == workers)
        assert corepool(running, "rebalance").returncode == 0
        wait_until(lambda: all(each["connections"] > CLIENTS / 8 for each in running.status()["workers"]))
        assert_untouched(running, load)


def test_an_upgrade(pool: Pools) -> None:
    running = start(pool)
    with steady(running) as load:
        for _ in range(2):
            assert corepool(running, "upgrade").returncode == 0
            wait_until(lambda: len(running.workers()) == 2)
            wait_until(lambda: sum(each["connections"] for each in running.status()["workers"]) == CLIENTS)
        load.wait_for_replies()
    assert load.failures == []
    assert corepool(running, "stop").returncode == 0
    assert running.wait() == 0


BUSY = """
import os
def app(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        open("waits-%d" % os.getpid(), "w").close()
        open("gate").close()  # a FIFO: until somebody opens its other end
    start_response("200 OK", [])
    return [b"%d" % os.getppid()]
"""


def test_a_connection_busy_during_two_upgrades_goes_to_the_last_master(pool: Pools) -> None:
    """The first master gives it to the second, which has nothing left to serve it with but an new_master."""
    toml = TOML.format(workers=1, pool="", listener="", http="")
    running = pool(toml, files={"application.py": BUSY})
    os.mkfifo(running.directory / "gate")
    masters, clients = [running.pid], []
    for _ in range(2):
        client = running.connect("http")
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        clients.append(client)
        wait_until(lambda: len(list(running.directory.glob("waits-*"))) == len(clients))
        assert corepool(running, "upgrade").returncode == 0
        masters.append(running.status()["pid"])
    gate = os.open(running.directory / "gate", os.O_RDWR)
    for client, master in zip(clients, masters, strict=False):
        assert client.recv(1000).endswith(b"%d" % master)
    wait_until(lambda: not any(map(psutil.pid_exists, masters[1:-1])) and running.wait() == 0)
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1000).endswith(b"%d" % masters[-1])
    os.close(gate)
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())


def test_a_busy_connection_goes_when_it_is_idle(pool: Pools) -> None:
    running = start(pool, workers=1)
    with running.connect("http") as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: running.status()["totals"]["accepted"] == 1)
        reload_by_signal(running)
        assert client.recv(1000).endswith(b"/slow")
        wait_until(lambda: running.status()["totals"]["moved"] == 1)
        client.sendall(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
        reply = client.recv(1000)
        assert reply.endswith(b"/again")
        assert b"Connection: close" not in reply


def test_slowly_by_itself(pool: Pools) -> None:
    """A new worker gets its share, though no client connects."""
    running = start(pool, workers=1)
    with steady(running) as load:
        assert corepool(running, "scale", "2").returncode == 0
        wait_until(lambda: [each["connections"] for each in running.status()["workers"]] == [CLIENTS / 2] * 2)
        moved = running.status()["totals"]["moved"]
        load.wait_for_replies()
        assert_untouched(running, load)
        assert running.status()["totals"]["moved"] == moved == CLIENTS / 2, "something went back and forth"
