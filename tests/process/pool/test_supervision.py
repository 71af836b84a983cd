"""Workers die, hang, come and go; the pool stays up. Real processes and signals."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import probe
import psutil
import pytest
from beside import beside
from probe import ask, read_line, receive_all_or_reset

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


def open_fds(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_killed_worker_is_replaced_and_the_others_see_nothing(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    clients = [running.connect() for _ in range(4)]
    pids = [int(ask(client, "pid")) for client in clients]
    survivor = pids[1]
    for count in range(1, 6):
        (victim,) = (pid for pid in running.workers() if pid != survivor)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda count=count: running.status()["totals"]["restarts"] == count and len(running.workers()) == 2)
        for client, pid in zip(clients, pids, strict=True):
            if pid == survivor:
                assert ask(client, f"hello {count}") == f"hello {count}"

    assert running.status()["totals"]["restarts"] == 5


def test_crashes_under_load_lose_only_what_the_dead_worker_held(pool: Pools) -> None:
    running = pool(probe.config(), files=probe.files())
    url = running.urls()[0]
    failures: list[str] = []
    served = [0]

    def use(_: int, is_over: threading.Event) -> None:
        while not is_over.is_set():
            with connect(url) as client:
                pid = ask(client, "pid")
                if pid and ask(client, "again") == "again":
                    served[0] += 1
                elif pid and int(pid) not in killed:
                    failures.append(pid)

    killed: set[int] = set()
    with beside(use, threads=4):
        for count in range(1, 11):
            victim = running.workers()[0]
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda count=count: running.status()["totals"]["restarts"] == count and len(running.workers()) == 2
            )

    assert failures == []
    assert served[0] > 0
    totals = running.status()["totals"]
    assert totals["accepted"] >= totals["closed"]


def test_handoffs_queued_at_a_stopped_worker_are_served_by_another_when_it_dies(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    url = running.urls()[0]
    baseline = open_fds(running.pid)
    frozen = running.workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    clients = [connect(url) for _ in range(200)]
    for client in clients:
        client.sendall(b"hello\n")
    wait_until(lambda: running.status()["listeners"][0]["accepted"] >= 60)
    os.kill(frozen, signal.SIGKILL)

    assert [read_line(client) for client in clients] == ["hello"] * 200
    assert running.status()["totals"]["redispatched"] > 0
    for client in clients:
        client.close()
    wait_until(lambda: open_fds(running.pid) <= baseline, what="the master's descriptors back at their baseline")


def test_two_hundred_crashes_leak_neither_descriptors_nor_zombies(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    baseline = open_fds(running.pid)
    for count in range(200):
        os.kill(running.workers()[0], signal.SIGKILL)
        wait_until(lambda count=count: running.status()["totals"]["restarts"] > count and running.workers())

    assert open_fds(running.pid) <= baseline + 1  # the control connection that asks may be open still
    children = psutil.Process(running.pid).children()
    assert [child.status() for child in children if child.status() == psutil.STATUS_ZOMBIE] == []
    assert len(children) == 1


def test_a_first_generation_that_cannot_boot_ends_the_pool_with_status_3_and_the_traceback(pool: Pools) -> None:
    running = pool(
        probe.config(),
        files={**probe.files(), "refuse-to-boot": ""},
        wait=False,
        exit_status=3,
        traceback=True,
    )

    assert running.wait() == 3
    assert "RuntimeError: told not to boot" in running.stderr
    assert "could not boot" in running.stderr


def test_a_boot_failure_later_does_not_end_the_pool(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files(), traceback=True)
    first, second = running.workers()
    flag = running.directory / "refuse-to-boot"
    flag.touch()
    os.kill(first, signal.SIGKILL)
    running.wait_logged("boot failure")
    with running.connect() as client:
        assert ask(client, "pid") == str(second)
    flag.unlink()

    wait_until(lambda: len(running.workers()) == 2)


def test_a_crash_loop_costs_little_and_backs_off(pool: Pools) -> None:
    toml = probe.config(workers=2).replace('respawn_delay = "1ms"', 'respawn_delay = "500ms"')
    running = pool(
        toml.replace('respawn_delay_max = "1ms"', 'respawn_delay_max = "30s"'), files=probe.files(), traceback=True
    )
    (running.directory / "refuse-to-boot").touch()
    os.kill(running.workers()[0], signal.SIGKILL)
    processes = psutil.Process(running.pid)
    before, began = processes.cpu_times(), time.monotonic()
    wait_until(lambda: running.stderr.count("boot failure") >= 4)
    after, took_s = processes.cpu_times(), time.monotonic() - began
    delays = [float(line.partition("delay_s=")[2]) for line in running.stderr.splitlines() if "worker_respawns" in line]

    assert delays[0] < delays[1] < delays[2] < delays[3]
    spent_s = sum(after[:4]) - sum(before[:4])  # the dead workers' own time is in it
    assert spent_s / took_s < 0.05


@pytest.mark.parametrize("command", ["spin", "sleep"])
def test_a_hung_worker_shows_its_stacks_and_is_replaced(pool: Pools, command: str) -> None:
    toml = probe.config('dispatcher = "round-robin"', pool='heartbeat_timeout = "2s"')
    running = pool(toml, files=probe.files())
    hung, other = running.connect(), running.connect()
    hung_pid, other_pid = int(ask(hung, "pid")), int(ask(other, "pid"))
    hung.sendall(command.encode() + b"\n")
    wait_until(lambda: hung_pid not in running.workers() and len(running.workers()) == 2)

    running.wait_logged(f"in do_{command}", "cause=hung ")
    assert ask(other, "pid") == str(other_pid)
    assert receive_all_or_reset(hung) == b""


def test_a_stopped_worker_is_killed_too(pool: Pools) -> None:
    running = pool(probe.config(pool='heartbeat_timeout = "2s"'), files=probe.files())
    frozen = running.workers()[0]
    os.kill(frozen, signal.SIGSTOP)

    wait_until(lambda: frozen not in running.workers() and len(running.workers()) == 2)


def test_workers_are_not_blamed_for_a_pause_of_the_whole_pool(pool: Pools) -> None:
    running = pool(probe.config(pool='heartbeat_timeout = "1s"'), files=probe.files())
    pids = running.workers()
    os.killpg(running.pid, signal.SIGSTOP)
    threading.Event().wait(2.5)  # the pause is the subject: nothing could be waited for
    os.killpg(running.pid, signal.SIGCONT)
    with running.connect() as client:
        for _ in range(3):
            assert ask(client, "hello") == "hello"

    assert running.workers() == pids
    assert "hung" not in running.stderr


def test_ttin_and_ttou_scale_by_one(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    running.send_signal(signal.SIGTTIN)
    wait_until(lambda: len(running.workers()) == 2)
    running.send_signal(signal.SIGTTOU)
    wait_until(lambda: len(running.status()["workers"]) == 1)
    running.send_signal(signal.SIGTTOU)
    wait_until(lambda: running.stderr.count("pool_scaled") == 3)

    assert len(running.workers()) == 1
    running.wait_logged('cause="scaled down" status="exit status 0"')


def test_a_worker_that_gets_a_term_drains_and_is_replaced(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    busy.sendall(b"work 0.5\n")
    wait_until(lambda: running.status()["workers"][0]["requests"] == 2)
    leaving = running.workers()[0]
    os.kill(leaving, signal.SIGTERM)
    wait_until(lambda: leaving not in running.workers(), what="the worker has heard it")
    with running.connect() as client:
        assert int(ask(client, "pid")) != leaving

    assert receive_all(busy) == b"done\n"
    running.wait_logged("cause=asked ")


@pytest.mark.parametrize("signum", [signal.SIGWINCH])
def test_other_signals_end_nothing(pool: Pools, signum: signal.Signals) -> None:
    running = pool(probe.config('extensions = ["record"]'), files=probe.files())
    pids = running.workers()
    os.killpg(running.pid, signum)
    hooks = running.directory / "hooks.txt"
    wait_until(lambda: hooks.read_text().count(signum.name) == 3, what="the master and both workers told")

    assert running.workers() == pids


def test_hooks_of_the_master_are_told_in_order(pool: Pools) -> None:
    running = pool(probe.config('extensions = ["record"]', workers=1), files=probe.files())
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and running.workers())
    bound = running.urls()[0]
    hooks = running.directory / "hooks.txt"
    running.send_signal(signal.SIGTERM)
    wait_until(lambda: "on_stop" in (hooks.read_text() if hooks.exists() else ""))

    assert hooks.read_text().splitlines() == [
        "on_start 1",
        f"on_ready {bound}",
        "on_child_exit 0 crash SIGKILL",
        "on_signal SIGTERM",
        "on_child_exit 0 stopped exit status 0",
        "on_stop",
    ]


def test_a_hook_that_raises_costs_its_connection_only(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files(), traceback=True)
    victim, bystander = running.connect(), running.connect()
    pid = ask(bystander, "pid")
    victim.sendall(b"raise\n")

    assert receive_all_or_reset(victim) == b""
    assert ask(bystander, "pid") == pid
    running.wait_logged("ValueError: asked to raise")


def test_connections_wait_while_the_only_worker_is_replaced(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    waits = running.directory / "wait-to-boot"
    waits.touch()
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: any(running.directory.glob("waits-*")))
    clients = [running.connect() for _ in range(50)]
    for client in clients:
        client.sendall(b"hello\n")
    waits.unlink()

    assert [read_line(client) for client in clients] == ["hello"] * 50
    for client in clients:
        client.close()


def test_a_worker_whose_counters_are_wrong_costs_no_other(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    clients = [running.connect() for _ in range(2)]
    liar, honest = (int(ask(client, "pid")) for client in clients)

    assert ask(clients[0], "lie") == "lied"
    for _ in range(10):
        with running.connect() as client:
            assert int(ask(client, "pid")) != liar
    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and len(running.workers()) == 2)

    assert liar not in running.workers()
    assert ask(clients[1], "hello") == "hello"
    assert honest in running.workers()
    assert running.stderr.count("its counters are wrong") == 1
