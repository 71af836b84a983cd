"""A reload replaces every worker while no client notices; one that can't succeed changes nothing."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from http_load import Load
from operated import APPLICATION, about, corepool, in_flight, reload_by_signal, start, told, write

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


SLOW = """
import os, time
def app(environ, start_response):
    open("begun", "w").close()
    while not os.path.exists("go on"):
        time.sleep(0.01)
    start_response("200 OK", [])
    return [b"%s"]
"""


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_nothing_is_lost_while_the_application_changes(pool: Pools, dispatcher: str) -> None:
    running = start(pool, dispatcher=dispatcher)
    first = running.workers()
    with Load(running.urls()[0]) as load:
        for number in range(10):
            write(running, APPLICATION % f"version {number}")
            reload_by_signal(running)
            assert running.status()["reload"]["state"] == "done"
            count = load.requests
            wait_until(lambda count=count: load.requests > count + 20)
            wait_until(lambda: {worker["state"] for worker in running.status()["workers"]} == {"ready"})
    assert load.failures == []
    assert b"version 9" in load.bodies
    assert not set(first) & set(running.workers())
    assert running.status()["generation"] == 10
    assert running.status()["totals"]["restarts"] == 0


def test_many_reloads_leave_nothing_behind(pool: Pools) -> None:
    running = start(pool)
    reload_by_signal(running)
    wait_until(lambda: len(running.status()["workers"]) == 2)
    master = psutil.Process(running.pid)
    descriptors, memory = master.num_fds(), master.memory_info().rss
    before = running.status()["totals"]
    with Load(running.urls()[0], clients=3) as load:
        for _ in range(int(os.environ.get("TEST_RELOADS", "15"))):
            reload_by_signal(running)
            now = running.status()["totals"]
            assert all(now[key] >= before[key] for key in now), "a counter went backwards"
            before = now
    assert load.failures == []
    wait_until(lambda: len(running.status()["workers"]) == 2 and len(running.left_over()) == 3)
    wait_until(lambda: master.num_fds() <= descriptors)
    assert master.memory_info().rss - memory < 3 * 1024 * 1024
    assert all(child.status() != psutil.STATUS_ZOMBIE for child in master.children())


def test_a_broken_application_changes_nothing(pool: Pools) -> None:
    running = start(pool)
    pids = running.workers()
    with Load(running.urls()[0]) as load:
        write(running, "import nothing_of_this_name\n")
        done = corepool(running, "reload")
        assert done.returncode == 1
        assert "nothing_of_this_name" in done.stderr
        assert "reload failed; the old workers keep serving: " in done.stderr
        assert running.workers() == pids
        assert running.status()["reload"]["state"] == "failed"

        write(running, APPLICATION % "two")
        assert told(running, "reload") == "reloaded: every worker is of generation 2"
    assert load.failures == []
    assert b"two" in load.bodies


def test_a_reload_that_is_overtaken_by_another(pool: Pools) -> None:
    running = start(pool, workers=3)
    for _ in range(5):
        running.send_signal(signal.SIGHUP)
    wait_until(lambda: running.status()["generation"] > 0 and running.status()["reload"]["state"] == "done")
    last = running.status()["generation"]
    wait_until(lambda: {worker["generation"] for worker in running.status()["workers"]} == {last})
    assert len(running.workers()) == 3


def test_a_worker_that_crashes_during_a_reload(pool: Pools) -> None:
    running = start(pool, workers=3, lines='respawn_delay = "1ms"')
    running.send_signal(signal.SIGHUP)
    os.kill(running.workers()[2], signal.SIGKILL)
    wait_until(lambda: running.status()["reload"]["state"] == "done")
    wait_until(lambda: [worker["generation"] for worker in running.status()["workers"]] == [1, 1, 1])


def test_a_pool_that_is_stopped_during_a_reload_does_not_finish_it(pool: Pools) -> None:
    running = start(pool, application=SLOW % "one")
    url = running.urls()[0]
    with connect(url) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        wait_until((running.directory / "begun").exists)
        write(running, "import time\ntime.sleep(60)\n")
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: any(worker["state"] == "starting" for worker in running.status()["workers"]))

        running.send_signal(signal.SIGTERM)
        # The new master has left, and the worker that it was to follow still answers.
        wait_until(lambda: [worker["state"] for worker in running.status()["workers"]] == ["draining"])
        status = running.status()
        (running.directory / "go on").touch()
        assert receive_all(client).endswith(b"one")

    assert running.wait() == 0
    assert status["state"] == "stopping"
    assert status["reload"]["state"] == "failed"
    assert "reload_done" not in running.stderr


def test_a_replacement_that_is_killed_ends_the_reload(pool: Pools) -> None:
    running = start(pool)
    pids = running.workers()
    write(running, "import time\ntime.sleep(60)\n")
    running.send_signal(signal.SIGHUP)
    wait_until(lambda: any(worker["state"] == "starting" for worker in running.status()["workers"]))
    [replacement] = [worker["pid"] for worker in running.status()["workers"] if worker["state"] == "starting"]
    os.kill(replacement, signal.SIGKILL)
    wait_until(lambda: running.status()["reload"]["state"] == "failed")
    assert "SIGKILL" in running.status()["reload"]["error"]
    assert running.workers() == pids


def test_the_service_manager_is_told(pool: Pools) -> None:
    running = start(pool)
    running.send_signal(signal.SIGHUP)
    running.wait_notified("RELOADING=1")
    running.wait_notified("READY=1")


def test_scaling_up_and_down_loses_nothing(pool: Pools) -> None:
    running = start(pool)
    with Load(running.urls()[0]) as load:
        for number in (4, 1, 3, 2) * int(os.environ.get("TEST_SCALINGS", "2")):
            assert told(running, "scale", str(number)) == f"workers: {number}"
            wait_until(
                lambda number=number: [worker["slot"] for worker in running.status()["workers"]] == list(range(number))
            )
    assert load.failures == []


def test_a_worker_is_drained_and_replaced(pool: Pools) -> None:
    running = start(pool)
    first, second = running.workers()
    with Load(running.urls()[0]) as load:
        answer = json.loads(corepool(running, "drain", "1", "--json").stdout)
        assert answer.pop("pool")["name"] == running.directory.name
        assert answer == {"pid": second}
        wait_until(lambda: second not in running.workers() and len(running.workers()) == 2)
    assert load.failures == []
    assert running.workers()[0] == first
    none = corepool(running, "drain", "7")
    assert (none.returncode, "slot 7" in none.stderr) == (1, True)


def test_stop_names_the_workers_that_it_waits_for(pool: Pools) -> None:
    running = start(pool, workers=1)
    [pid] = running.workers()
    with connect(running.urls()[0]) as busy:
        busy.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
        wait_until(lambda: in_flight(running) == 1)
        assert running.status()["workers"][0]["requests"] == 0, "it counts when it is answered"
        stopping = subprocess.Popen(  # noqa: S603 - the command is the test's own
            [sys.executable, "-m", "corepool", "stop", "--control", str(running.control)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with stopping:
            assert stopping.stdout is not None
            assert stopping.stdout.readline() == f"waiting for connections of worker 0 (pid {pid}): 1\n"
            busy.sendall(b"x")
            assert receive_all(busy).endswith(b"one")
            assert stopping.stdout.readline().startswith(f"{about(running)}: stopped after ")
    assert stopping.returncode == 0
    assert running.wait() == 0
    assert not Path(running.control).exists()


def test_stop_has_a_bar_on_a_terminal(pool: Pools) -> None:
    running = start(pool, workers=1)
    ours, theirs = pty.openpty()
    with connect(running.urls()[0]) as busy:
        busy.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
        wait_until(lambda: in_flight(running) == 1)
        command = [sys.executable, "-m", "corepool", "stop", "--control", str(running.control)]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
        stopping = subprocess.Popen(command, stdout=theirs, env=environment)  # noqa: S603
        os.close(theirs)
        shown = b""
        while b"of 1 connections have ended" not in shown:
            shown += os.read(ours, 4096)
        busy.sendall(b"x")
        assert receive_all(busy).endswith(b"one")
        while b"stopped after" not in shown:
            shown += os.read(ours, 4096)
        assert stopping.wait(60) == 0
    os.close(ours)
    assert running.wait() == 0


def test_stop_now(pool: Pools) -> None:
    running = start(pool)
    client = running.connect()
    done = corepool(running, "stop", "--now", "--json")
    assert json.loads(done.stdout)["pid"] == running.pid
    assert client.recv(1) == b""
    gone = corepool(running, "reload")
    assert gone.returncode == 1
    assert "no pool answers" in gone.stderr


def test_stop_waits_for_a_pool_that_has_another_number_in_its_own_container(pool: Pools) -> None:
    wrapper = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    running = pool.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "1", wrapper=wrapper)
    assert running.status()["pid"] == 1  # which is another process here, and never ends

    assert corepool(running, "stop").returncode == 0
    assert running.wait() == 0


def test_workers_may_leave_before_their_replacements_are_ready(pool: Pools) -> None:
    running = start(pool, lines='max_unavailable = 1\nrespawn_delay = "1ms"\nrespawn_delay_max = "1ms"')
    with Load(running.urls()[0]) as load:
        for number in range(3):
            write(running, f"import time\ntime.sleep(0.2)\n{APPLICATION % number}")
            running.send_signal(signal.SIGHUP)
            wait_until(lambda: len(running.workers()) == 1, what="one is missing")
            wait_until(lambda: running.status()["reload"]["state"] == "done")
            assert len(running.workers()) == 2
    assert load.failures == []
    write(running, "1 // 0\n")
    assert corepool(running, "reload").returncode == 1
    write(running, APPLICATION % "mended")
    wait_until(lambda: len(running.workers()) == 2, what="the one that had left has a replacement")


def test_what_plugins_have_opened_stays_over_reloads(pool: Pools) -> None:
    """A temporary store is gone when the pool stops, and not before."""
    toml = '[pool]\nworkers = 2\n[[listener]]\nname = "kv"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "kv"\n'
    running = pool(toml)
    with running.connect() as client:
        client.sendall(b"SET greeting hello\r\n")
        assert client.recv(100) == b"+OK\r\n"
    for _ in range(2):
        reload_by_signal(running)
        with running.connect() as client:
            client.sendall(b"GET greeting\r\n")
            assert client.recv(100) == b"$5\r\nhello\r\n"
    assert not list(running.directory.glob("*.mdb"))
    (running.directory / "corepool.toml").write_text(toml + "[listener.options]\nmax_request = 10000\n")
    reload_by_signal(running)
    with running.connect() as client:
        client.sendall(b"GET greeting\r\n")
        assert client.recv(100) == b"$-1\r\n"
