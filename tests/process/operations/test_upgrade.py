"""An upgrade in place: another master takes over the sockets while no client notices, or nothing happens at all."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from http_client import get
from http_load import Load
from operated import APPLICATION, CONFIG, about, corepool, start, write

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


@pytest.fixture
def upgraded(pool: Pools) -> Iterator[PoolProcess]:
    """Start a pool whose master is replaced by the test; the last one is stopped at the end."""
    running = start(pool)
    yield running
    master = running.status()["pid"]
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not psutil.pid_exists(master) and not running.left_over())
    assert not running.control.exists()


def test_masters_follow_each_other_under_load(upgraded: PoolProcess) -> None:
    url = upgraded.urls()
    pids = {upgraded.pid}
    with Load(url[0]) as load:
        for number in range(int(os.environ.get("TEST_UPGRADES", "3"))):
            write(upgraded, APPLICATION % f"version {number}")
            done = corepool(upgraded, "upgrade")
            assert done.returncode == 0, done.stderr
            pid = upgraded.status()["pid"]
            assert done.stdout == f"{about(upgraded, pid)}: upgraded: the master is pid {pid} now\n"
            assert pid not in pids
            pids.add(pid)
            assert get(upgraded, "/").body == f"version {number}".encode()
            wait_until(lambda: len(upgraded.left_over()) == 3, what="one master and two workers")
    assert load.failures == []
    assert upgraded.urls() == url
    assert upgraded.wait() == 0, "the first master has left as one that was stopped"


def test_by_signal_the_service_manager_is_told(upgraded: PoolProcess) -> None:
    upgraded.send_signal(signal.SIGUSR2)
    wait_until(lambda: upgraded.status()["upgrade"]["pid"])
    pid = upgraded.status()["upgrade"]["pid"]
    upgraded.wait_notified(f"MAINPID={pid}")
    wait_until(lambda: upgraded.status()["pid"] == pid)
    assert upgraded.wait() == 0


def test_an_upgrade_that_fails_changes_nothing(pool: Pools) -> None:
    running = start(pool)
    pids = running.workers()
    with Load(running.urls()[0]) as load:
        write(running, "1 // 0\n")
        failed = corepool(running, "upgrade")
        assert failed.returncode == 1
        assert "upgrade failed; the old master keeps serving: it ended with status 3" in failed.stderr
        running.wait_logged("ZeroDivisionError")

        (running.directory / "corepool.toml").write_text("no TOML")
        assert "it ended with status" in corepool(running, "upgrade").stderr
    assert load.failures == []
    assert (running.status()["pid"], running.workers()) == (running.pid, pids)
    wait_until(lambda: len(running.left_over()) == 3)


def test_a_new_master_that_is_killed_changes_nothing(pool: Pools) -> None:
    running = start(pool)
    write(running, "import time\ntime.sleep(60)\n")
    running.send_signal(signal.SIGUSR2)
    wait_until(lambda: running.status()["upgrade"]["state"] == "running")
    again = corepool(running, "upgrade")
    assert "an upgrade is under way" in again.stderr
    beside = running.control.with_name("control.sock~")
    wait_until(lambda: len(running.left_over()) == 6, what="its workers begin to boot")
    assert beside.exists()
    os.kill(running.status()["upgrade"]["pid"], signal.SIGKILL)
    wait_until(lambda: running.status()["upgrade"]["error"] == "it was ended by signal 9")
    assert not beside.exists()
    wait_until(lambda: len(running.left_over()) == 3)
    assert get(running, "/").body == b"one"


def test_what_the_new_master_would_not_know_is_refused(pool: Pools) -> None:
    running = start(pool)
    write(running, "import time\ntime.sleep(60)\n")
    running.send_signal(signal.SIGUSR2)
    wait_until(lambda: running.status()["upgrade"]["state"] == "running")

    for order in (["scale", "3"], ["pause", "http"], ["resume", "http"], ["log-level", "error"], ["reload"]):
        refused = corepool(running, *order)
        assert (refused.returncode, "an upgrade is under way" in refused.stderr) == (1, True), order
    running.send_signal(signal.SIGTTIN)
    running.wait_logged('order_refused order="one worker more" reason="an upgrade is under way')

    assert (running.status()["wanted"], len(running.workers())) == (2, 2)
    running.stop()


def test_a_pool_that_stops_takes_its_new_master_with_it(pool: Pools) -> None:
    running = start(pool)
    write(running, "import time\ntime.sleep(60)\n")
    running.send_signal(signal.SIGUSR2)
    wait_until(running.control.with_name("control.sock~").exists)
    running.stop()
    wait_until(lambda: not running.left_over())
    assert not list(running.directory.glob("*.sock~"))


def test_a_socket_file_stays_until_the_last_master_ends(pool: Pools) -> None:
    path = "unix://{folder}/http.sock"
    running = start(pool)
    toml = CONFIG.format(workers=1, dispatcher="kernel", pool="")
    folder = running.directory
    (folder / "corepool.toml").write_text(toml.replace("tcp://127.0.0.1:0", path.format(folder=folder)))
    assert corepool(running, "reload").returncode == 0
    write(running, "1 // 0\n")
    assert corepool(running, "upgrade").returncode == 1
    assert get(running, "/").body == b"one"
    write(running, APPLICATION % "two")
    assert corepool(running, "upgrade").returncode == 0
    assert running.wait() == 0
    assert get(running, "/").body == b"two"
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())
    assert not (folder / "http.sock").exists()


WHO = """
import os, time
try:
    os.unlink("gate")
except FileNotFoundError:
    pass
else:
    time.sleep(60)
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_the_new_master_accepts_nothing_before_all_its_workers_are_ready(pool: Pools, dispatcher: str) -> None:
    """Its connections would be lost with it."""
    running = start(pool, dispatcher=dispatcher, application=WHO)
    old = {f"{pid}".encode() for pid in running.workers()}
    (running.directory / "gate").touch()  # one worker takes it, and hangs
    running.send_signal(signal.SIGUSR2)
    wait_until(lambda: running.stderr.count("worker_ready") == 3, what="the other one is ready")
    assert {get(running, "/").body for _ in range(50)} <= old
    os.kill(running.status()["upgrade"]["pid"], signal.SIGKILL)
    wait_until(lambda: running.status()["upgrade"]["state"] == "failed")
    assert get(running, "/").body in old


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_what_an_operator_has_said_holds_over_an_upgrade(pool: Pools, dispatcher: str) -> None:
    running = start(pool, dispatcher=dispatcher)
    url = running.urls()[0]
    assert corepool(running, "pause", "http").returncode == 0
    assert corepool(running, "scale", "3").returncode == 0
    assert corepool(running, "upgrade").returncode == 0
    assert running.wait() == 0

    with connect(url) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        status = running.status()
        assert (status["wanted"], status["listeners"][0]["paused"]) == (3, True)
        assert status["listeners"][0]["accepted"] == 0
        assert corepool(running, "resume", "http").returncode == 0
        assert receive_all(waiting).endswith(b"one")

    # What the file says of its workers is newer, if it has changed.
    (running.directory / "corepool.toml").write_text(CONFIG.format(workers=1, dispatcher=dispatcher, pool=""))
    assert corepool(running, "upgrade").returncode == 0
    assert running.status()["wanted"] == 1
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())


def test_a_log_level_holds_over_an_upgrade(upgraded: PoolProcess) -> None:
    def logged() -> int:
        return upgraded.stderr.count("worker_ready")

    before = logged()
    assert corepool(upgraded, "log-level", "error").returncode == 0
    assert corepool(upgraded, "upgrade").returncode == 0
    assert upgraded.wait() == 0
    assert logged() == before

    toml = (upgraded.directory / "corepool.toml").read_text()
    (upgraded.directory / "corepool.toml").write_text(f'{toml}\n[log]\nlevel = "debug"\n')
    assert corepool(upgraded, "upgrade").returncode == 0
    assert logged() > before, "what the file says is newer, if it has changed"
