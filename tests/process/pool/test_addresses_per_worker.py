"""`bind_per_worker`: each worker is reached at addresses of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 3
respawn_delay = "10ms"
[[listener]]
name = "own"
bind = ["tcp://127.0.0.1:0"]
bind_per_worker = true
protocol = "pids"
[[listener]]
name = "all"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


def start(pool: Pools, pool_lines: str = "") -> PoolProcess:
    files = {"pids.py": source("plugins/pids.py")}
    toml = TOML.replace("workers = 3\n", f"workers = 3\n{pool_lines}\n")
    return pool(toml, files=files | metadata("pids", "[corepool.protocols]\npids = pids:Pids\n"))


@pytest.fixture
def running(pool: Pools) -> PoolProcess:
    return start(pool)


def answered_by(client: socket.socket, question: bytes = b"?") -> int:
    client.sendall(question)
    return int(receive_exactly(client, 10))


def processes(running: PoolProcess) -> list[int]:
    """Ask at each worker's address which process answers."""
    told = []
    for url in running.urls("own"):
        with connect(url) as client:
            told.append(answered_by(client))
    return told


def test_each_address_is_one_worker(running: PoolProcess) -> None:
    for _ in range(5):
        assert processes(running) == running.workers()
    assert len(running.urls("all")) == 1


def test_a_replacement_has_the_address_of_the_worker_before_it(running: PoolProcess) -> None:
    first, second, third = running.workers()
    os.kill(second, signal.SIGKILL)
    told = processes(running)  # who comes meanwhile waits in the backlog

    assert (told[0], told[2]) == (first, third)
    assert told[1] not in (first, second, third)
    assert told == running.workers()


def test_open_connections_move_to_the_same_slot_at_a_reload(running: PoolProcess) -> None:
    clients = [connect(url) for url in running.urls("own")]
    before = [answered_by(client) for client in clients]
    assert running.request("reload")["ok"]
    wait_until(lambda: not set(before) & set(running.workers()))

    assert [answered_by(client) for client in clients] == running.workers()
    assert processes(running) == running.workers()
    for client in clients:
        client.close()


def test_a_worker_that_takes_nothing_holds_up_its_own_address_only(pool: Pools) -> None:
    running = start(pool, 'heartbeat_timeout = "1h"\ndrain_timeout = "1h"')
    before = running.workers()[1]
    with connect(running.urls("own")[1]) as one, connect(running.urls("own")[1]) as other:
        for client in (one, other):
            assert answered_by(client, b"busy") == before
        assert running.request("drain", slot=1)["ok"]
        wait_until(lambda: before not in running.workers() and len(running.workers()) == 3)
        stuck = running.workers()[1]
        os.kill(stuck, signal.SIGSTOP)
        assert answered_by(one) == before
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1)  # by then it has left untaken what it was sent for too long
        assert answered_by(other) == before
        wait_until(lambda: before not in [each["pid"] for each in running.status()["workers"]])

        with connect(running.urls("all")[0]) as third:
            third.sendall(b"hello")
            assert receive_exactly(third, 5) == b"hello"

        os.kill(stuck, signal.SIGCONT)
        assert {answered_by(client) for client in (one, other)} == {stuck}


def test_their_number_changes_by_a_reload_only(running: PoolProcess) -> None:
    reply = running.request("scale", workers=2)
    assert not reply["ok"]
    assert "'own' has an address for each worker" in str(reply["error"])
    running.send_signal(signal.SIGTTIN)
    running.wait_logged("order_refused")
    assert len(running.workers()) == 3

    (running.directory / "corepool.toml").write_text(TOML.replace("workers = 3", "workers = 2"))
    assert running.request("reload")["ok"]
    wait_until(lambda: len(running.urls("own")) == 2)
    assert processes(running) == running.workers()


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (("workers = 3", "workers = { min = 1, max = 3 }"), "their number is fixed"),
        (('protocol = "pids"', 'protocol = "echo"\ndispatcher = "round-robin"'), "'round-robin' has no choice"),
        (('bind = ["tcp://127.0.0.1:0"]\nbind_per', 'bind = ["unix:///tmp/x.sock"]\nbind_per'), "write {slot}"),
    ],
)
def test_check_says_what_can_not_be(change: tuple[str, str], mistake: str, tmp_path: Path) -> None:
    file = tmp_path / "corepool.toml"
    file.write_text(TOML.replace(*change).replace('"pids"', '"echo"'))
    command = [sys.executable, "-m", "corepool", "check", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the test's own

    assert done.returncode == 2
    assert "bind" in done.stderr
    assert mistake in done.stderr
