"""Orders that come while workers boot, and the workers that a reload has to wait for."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from booting import APPLICATION, starting, tell, tell_no_more
from http_client import get
from operated import CONFIG, corepool, start

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

QUICK = 'respawn_delay = "1ms"'


def begin(pool: Pools, **more: object) -> PoolProcess:
    return start(pool, application=APPLICATION, **more)  # type: ignore[arg-type]


def configure(running: PoolProcess, lines: str, options: str = "") -> None:
    toml = CONFIG.format(workers=2, dispatcher="least-connections", pool=lines) + options
    (running.directory / "corepool.toml").write_text(toml)


def answers(running: PoolProcess) -> bool:
    """Return whether the master listens for orders already: the socket's file is there before that."""
    try:
        running.status()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def states(running: PoolProcess) -> list[str]:
    return [each["state"] for each in running.status()["workers"]]


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_a_listener_that_is_resumed_while_a_worker_boots_is_served(pool: Pools, dispatcher: str) -> None:
    running = begin(pool, workers=1, dispatcher=dispatcher, lines=QUICK)
    assert corepool(running, "pause", "http").returncode == 0
    tell(running, "hold")
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: starting(running))

    assert corepool(running, "resume", "http").returncode == 0
    tell_no_more(running, "hold")

    assert get(running, "/").status == 200


def test_a_log_level_that_is_set_while_a_worker_boots_is_its_own(pool: Pools) -> None:
    application = APPLICATION.replace(
        "start_response(", 'logging.getLogger("app").warning("heard"); start_response(', 1
    )
    running = start(pool, workers=1, application="import logging\n" + application, lines=QUICK)
    tell(running, "hold")
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: starting(running))
    assert corepool(running, "log-level", "error").returncode == 0
    tell_no_more(running, "hold")

    assert get(running, "/").status == 200
    assert "heard" not in running.stderr


def test_a_pool_may_be_scaled_down_while_it_boots(pool: Pools) -> None:
    toml = CONFIG.format(workers=3, dispatcher="least-connections", pool="")
    running = pool(toml, files={"application.py": APPLICATION, "one-by-one": ""}, wait=False)
    wait_until(lambda: answers(running))
    [stays] = [each["pid"] for each in running.status()["workers"] if each["slot"] == 0]
    tell(running, f"boot-{stays}")
    wait_until(lambda: "ready" in states(running))

    assert corepool(running, "scale", "1").returncode == 0

    running.wait_notified("READY=1")
    wait_until(lambda: states(running) == ["ready"])


def test_limits_of_a_reload_are_those_of_its_workers(pool: Pools) -> None:
    running = begin(pool)
    configure(running, "recycle_connections = 3\nrecycle_jitter = 0")
    assert corepool(running, "reload").returncode == 0
    before = running.workers()

    for _ in range(8):
        assert get(running, "/").status == 200

    wait_until(lambda: running.workers() and not set(running.workers()) & set(before))


def test_new_workers_of_a_reload_hold_no_more_than_they_may(pool: Pools) -> None:
    running = begin(pool)
    configure(running, "max_connections = 2")
    tell(running, "one-by-one")
    tell(running, "next")
    running.send_signal(signal.SIGHUP)
    wait_until(
        lambda: any(each["generation"] == 1 and each["state"] == "ready" for each in running.status()["workers"])
    )

    clients: list[socket.socket] = [connect(running.urls()[0]) for _ in range(10)]
    wait_until(lambda: sum(each["connections"] for each in running.status()["workers"]) == 10)
    held = {each["generation"]: each["connections"] for each in running.status()["workers"] if each["state"] == "ready"}
    for client in clients:
        client.close()
    tell_no_more(running, "one-by-one")

    assert held == {0: 8, 1: 2}


def test_no_worker_of_a_failed_reload_stays(pool: Pools) -> None:
    running = begin(pool)
    configure(running, "", "threads = 2")
    tell(running, "one-by-one")
    running.send_signal(signal.SIGHUP)
    wait_until(lambda: len(starting(running)) == 1)
    [replacement] = starting(running)
    assert corepool(running, "scale", "3").returncode == 0
    wait_until(lambda: len(starting(running)) == 2)

    os.kill(replacement, signal.SIGKILL)
    wait_until(lambda: running.status()["reload"]["state"] == "failed")
    tell_no_more(running, "one-by-one")

    wait_until(lambda: states(running) == ["ready"] * 3)
    assert [each["threads"] for each in running.status()["workers"]] == [0, 0, 0]


def test_a_reload_waits_for_slots_whose_workers_had_died(pool: Pools) -> None:
    """Both wait for half a minute to be forked again. New code is no reason to."""
    running = begin(pool, lines='respawn_delay = "20s"\nrespawn_delay_max = "40s"')
    tell(running, "fail")
    for pid in running.workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running.status()["workers"] == [])

    failed = corepool(running, "reload")
    assert failed.returncode == 1
    assert "told to fail" in failed.stderr
    tell_no_more(running, "fail")
    done = corepool(running, "reload")

    assert done.returncode == 0, done.stderr
    assert len(running.workers()) == 2


def test_a_stuck_worker_gets_no_more_time_by_being_told_again(pool: Pools) -> None:
    running = begin(pool, workers=1, lines='drain_timeout = "1s"\nheartbeat_timeout = "5m"')
    os.kill(running.workers()[0], signal.SIGSTOP)

    def is_over() -> bool:
        running.send_signal(signal.SIGTERM)
        return not running.running

    wait_until(is_over)
