"""Totals go on over an upgrade: no scrape sees one go backwards, and none is counted twice."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from http_client import get
from http_client import request as head
from operated import CONFIG, corepool, start, write

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

APPLICATION = """
import os, pathlib, time
def app(environ, start_response):
    start_response("404 No" if environ["PATH_INFO"] == "/missing" else "200 OK", [])
    gate = pathlib.Path(environ["PATH_INFO"].lstrip("/"))
    if gate.suffix == ".gate":
        pathlib.Path(f"{gate}.{os.getpid()}").touch()
        while not gate.exists():
            time.sleep(0.01)
    return [b"x" * 100]
"""


@pytest.fixture
def counted(pool: Pools, request: pytest.FixtureRequest) -> Iterator[PoolProcess]:
    """Start a pool whose masters are replaced by the test; the last one is stopped at the end.

    Its parameter is the exit status of the first one.
    """
    toml = CONFIG.format(workers=2, dispatcher="least-connections", pool='drain_timeout = "600s"') + "threads = 4\n"
    running = pool(toml, files={"application.py": APPLICATION}, exit_status=getattr(request, "param", 0))
    yield running
    master = running.status()["pid"]
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not psutil.pid_exists(master) and not running.left_over())


def ask(running: PoolProcess, paths: list[str]) -> None:
    for path in paths:
        get(running, path)


def requests_of(status: Any) -> int:
    """Sum the requests of /metrics."""
    [cells] = [
        each["cells"] for each in status["listeners"][0]["protocols"][0]["metrics"] if each["name"] == "http_requests"
    ]
    return sum(cells)


def durations_of(status: Any) -> int:
    """Sum the observations of the histogram."""
    [metric] = [each for each in status["listeners"][0]["protocols"][0]["metrics"] if each["kind"] == "histogram"]
    return sum(metric["cells"][:-1])


def is_counted(running: PoolProcess, count: int) -> bool:
    """Return whether every way to count requests says so."""
    status: Any = running.status()
    totals, [listener] = status["totals"], status["listeners"]
    return {
        totals["requests"],
        totals["accepted"],
        listener["accepted"],
        requests_of(status),
        durations_of(status),
    } == {count} and totals["bytes_out"] == listener["bytes_out"] >= 100 * count


def is_over(master: int) -> bool:
    """Return whether a master has left."""
    return not psutil.pid_exists(master) or psutil.Process(master).status() == psutil.STATUS_ZOMBIE


@contextlib.contextmanager
def held_request(running: PoolProcess, gate: Path) -> Iterator[None]:
    """Have a worker busy with a request meanwhile; it is answered then."""
    with connect(running.urls()[0]) as client:
        client.sendall(head(f"/{gate.name}", close=True))
        wait_until(lambda: list(gate.parent.glob(f"{gate.name}.*")))
        yield
        gate.touch()
        assert receive_all(client).startswith(b"HTTP/1.1 200")


def upgrade(running: PoolProcess) -> int:
    """Have a new master take over, and return the pid of the old one."""
    old = running.status()["pid"]
    done = corepool(running, "upgrade")
    assert done.returncode == 0, done.stderr
    assert running.status()["pid"] != old
    return old


def test_totals_go_on_while_the_old_master_leaves_and_after_that(counted: PoolProcess) -> None:
    os.kill(counted.workers()[0], signal.SIGKILL)
    wait_until(lambda: counted.status()["totals"]["restarts"] == 1 and len(counted.workers()) == 2)
    ask(counted, ["/", "/missing", "/"])
    wait_until(lambda: is_counted(counted, 3))
    with held_request(counted, counted.directory / "one.gate"):
        old = upgrade(counted)
        totals = counted.status()["totals"]
        assert (totals["requests"], totals["accepted"], totals["restarts"]) == (3, 4, 1), "at once, and no less"
        assert counted.status()["listeners"][0]["active"] == 1, "of the old master's"
        ask(counted, ["/"] * 2)
        wait_until(lambda: counted.status()["totals"]["requests"] == 5)
        assert not is_over(old)
    wait_until(lambda: is_over(old))
    wait_until(lambda: is_counted(counted, 6))
    ask(counted, ["/"])
    wait_until(lambda: is_counted(counted, 7))
    status = counted.status()
    assert status["totals"]["restarts"] == 1
    assert status["totals"]["closed"] == status["totals"]["accepted"]
    assert status["listeners"][0]["active"] == 0


def test_three_masters_at_once_count_everything_once(counted: PoolProcess) -> None:
    ask(counted, ["/"] * 2)
    with held_request(counted, counted.directory / "one.gate"):
        first = upgrade(counted)
        ask(counted, ["/"] * 3)
        with held_request(counted, counted.directory / "two.gate"):
            second = upgrade(counted)
            ask(counted, ["/"] * 4)
            wait_until(lambda: counted.status()["totals"]["requests"] == 9)
            assert not is_over(first)
        wait_until(lambda: counted.status()["totals"]["requests"] == 10)
        assert not is_over(second), "it passes on what the first one leaves"
    wait_until(lambda: is_over(first) and is_over(second))
    wait_until(lambda: is_counted(counted, 11))


def test_a_failed_upgrade_takes_nothing_away(pool: Pools) -> None:
    running = start(pool, application=APPLICATION)
    ask(running, ["/"] * 3)
    wait_until(lambda: is_counted(running, 3))
    write(running, "1 // 0\n")
    assert corepool(running, "upgrade").returncode == 1
    assert is_counted(running, 3)
    ask(running, ["/"])
    wait_until(lambda: is_counted(running, 4))


def test_workers_that_are_killed_while_the_old_master_leaves_take_nothing_with_them(counted: PoolProcess) -> None:
    ask(counted, ["/"] * 5)
    wait_until(lambda: is_counted(counted, 5))
    workers = counted.workers()
    with connect(counted.urls()[0]) as client:
        client.sendall(head("/never.gate", close=True))
        wait_until(lambda: list(counted.directory.glob("never.gate.*")))
        old = upgrade(counted)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert receive_all(client) == b""
    wait_until(lambda: is_over(old))
    totals = counted.status()["totals"]
    assert (totals["accepted"], totals["closed"], totals["requests"]) == (6, 6, 5)
    assert requests_of(counted.status()) == 5


@pytest.mark.parametrize("counted", [-signal.SIGKILL], indirect=True)
def test_an_old_master_that_is_killed_leaves_what_was_counted(counted: PoolProcess) -> None:
    ask(counted, ["/"] * 5)
    wait_until(lambda: is_counted(counted, 5))
    with connect(counted.urls()[0]) as client:
        client.sendall(head("/never.gate", close=True))
        wait_until(lambda: list(counted.directory.glob("never.gate.*")))
        old = upgrade(counted)
        wait_until(lambda: counted.status()["listeners"][0]["active"] == 1)
        os.kill(old, signal.SIGKILL)
        (counted.directory / "never.gate").touch()
        wait_until(lambda: counted.status()["listeners"][0]["active"] == 0)
    totals = counted.status()["totals"]
    assert (totals["accepted"], totals["closed"]) == (6, 6)
    assert totals["requests"] in (5, 6)
    ask(counted, ["/"])
    wait_until(lambda: counted.status()["totals"]["accepted"] == 7)


FOREIGN = """
import os, pathlib
import corepool.ipc.earlier as earlier
from corepool import hookimpl

first = pathlib.Path("first")
if not first.exists():
    first.write_text(str(os.getpid()))
if first.read_text() == str(os.getpid()):
    earlier.FORMAT = 2  # as a later version may have it

class Hooks:
    @hookimpl
    def on_ready(self, pool):
        pass
"""


def test_counts_of_a_master_that_keeps_them_otherwise_begin_at_zero_and_the_log_says_so(pool: Pools) -> None:
    toml = CONFIG.format(workers=1, dispatcher="least-connections", pool="")
    toml = toml.replace('protocol = "http"', 'protocol = "http"\nextensions = ["./hooks.py:Hooks"]')
    running = pool(toml, files={"application.py": APPLICATION, "hooks.py": FOREIGN})
    ask(running, ["/"] * 3)
    wait_until(lambda: is_counted(running, 3))
    old = upgrade(running)
    wait_until(lambda: "totals_not_taken_over" in running.stderr and "format 2, not 1" in running.stderr)
    wait_until(lambda: is_over(old))
    ask(running, ["/"])
    wait_until(lambda: is_counted(running, 1))
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())
