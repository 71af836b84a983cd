"""A reload that has failed shows wherever an operator looks, until a later one succeeds."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from http_client import get, parse, request
from operated import APPLICATION, about, corepool, reload_by_signal, start, write
from rich.console import Console

from corepool.cli.top import View
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

ADMIN = """
[[listener]]
name = "admin"
bind = ["unix://{folder}/admin.sock"]
protocol = "admin"
"""
BROKEN = "import os\n1 // 0\n"
BOOTS_ONCE = """
import os
os.close(os.open(f"boots-{len([name for name in os.listdir() if name.startswith('boots-')])}", os.O_CREAT))
if os.path.exists("boots-%d"):
    raise LookupError("no more")
""" + (APPLICATION % "two")


def failure(running: PoolProcess) -> dict[str, Any] | None:
    found: dict[str, Any] | None = running.status()["reload"]["failure"]
    return found


def check(running: PoolProcess) -> tuple[int, str]:
    done = corepool(running, "status", "--check")
    names = f"{about(running, running.status()['pid'])}: "
    assert done.stdout.startswith(names)
    return done.returncode, done.stdout.removeprefix(names)


def on_top(running: PoolProcess) -> str:
    view = View()
    view.add(running.status(), time.monotonic())
    console = Console(width=400)
    with console.capture() as captured:
        console.print(view.render(400, 40))
    return captured.get()


def metrics(folder: Path) -> dict[str, float]:
    with connect(f"unix://{folder}/admin.sock") as client:
        client.sendall(request("/metrics"))
        text = parse(receive_all(client), ["GET"])[0].body.decode()
    lines = (line.split() for line in text.splitlines() if line.startswith("corepool_reload"))
    return {name: float(value) for name, value in lines}


def test_it_shows_everywhere_until_one_succeeds(pool: Pools, tmp_path: Path) -> None:
    began = time.time()
    running = start(pool, options=ADMIN.format(folder=tmp_path))
    assert failure(running) is None
    assert check(running) == (0, "ready: 2 of 2 workers are ready\n")
    at_first = metrics(tmp_path)
    assert at_first["corepool_reload_failed"] == 0
    assert at_first["corepool_reload_last_success_timestamp_seconds"] >= began

    write(running, BROKEN)
    reload_by_signal(running)
    failed = failure(running)
    assert failed is not None
    file = str(running.directory / "application.py")
    assert {**failed, "at": 0} == {
        "at": 0,
        "reason": "worker 0 could not boot: ZeroDivisionError: integer division or modulo by zero",
        "file": file,
        "line": 2,
        "kept": 2,
    }
    assert began < failed["at"] <= time.time()
    line = f"ZeroDivisionError: integer division or modulo by zero ({file}:2); workers kept: 2"
    assert line in corepool(running, "status").stdout
    assert line in on_top(running)
    status, said = check(running)
    assert (status, said.startswith("ready: 2 of 2 workers are ready; the last reload has failed at ")) == (4, True)
    assert said.endswith(f"{line}\n")
    running.wait_logged(f"reload_failed generation=1 kept=2 file={file} line=2\n")
    assert metrics(tmp_path) == {**at_first, "corepool_reload_failed": 1}

    running.send_signal(signal.SIGHUP)
    wait_until(lambda: running.status()["reload"]["generation"] == 2)
    assert failure(running) is not None, "one that has only begun clears nothing"
    wait_until(lambda: running.status()["reload"]["state"] == "failed")

    write(running, APPLICATION % "two")
    reload_by_signal(running)
    assert failure(running) is None
    assert check(running)[0] == 0
    assert "the last reload" not in corepool(running, "status").stdout + on_top(running)
    at_last = metrics(tmp_path)
    assert at_last["corepool_reload_failed"] == 0
    assert at_last["corepool_reload_last_success_timestamp_seconds"] > failed["at"]


@pytest.mark.parametrize("by_signal", [True, False], ids=["signal", "command"])
def test_a_file_with_mistakes_is_a_failed_reload(pool: Pools, by_signal: bool) -> None:  # noqa: FBT001
    running = start(pool)
    toml = (running.directory / "corepool.toml").read_text()
    (running.directory / "corepool.toml").write_text(toml.replace("workers = 2", "wrokers = 2"))
    if by_signal:
        running.send_signal(signal.SIGHUP)
    else:
        assert corepool(running, "reload").returncode == 1
    wait_until(lambda: failure(running) is not None)
    failed = failure(running)
    assert failed is not None
    line = 1 + toml.splitlines().index("workers = 2")
    assert (failed["file"].endswith("corepool.toml"), failed["line"], failed["kept"]) == (True, line, 2)
    assert "pool.wrokers: unknown key" in failed["reason"]
    assert (running.status()["reload"]["state"], running.status()["generation"]) == ("failed", 0)
    running.wait_logged(f"reload_failed kept=2 file={failed['file']} line={line} reason=")
    assert "order_refused" not in running.stderr, "once is enough"
    assert check(running)[0] == 4

    (running.directory / "corepool.toml").write_text(toml)
    reload_by_signal(running)
    assert failure(running) is None


@pytest.mark.parametrize(("toml", "line"), [("", 0), ("\n[pool]\nworkers = 0\n", 3)], ids=["nothing", "no listener"])
def test_what_is_missing_in_a_file_has_no_line(pool: Pools, toml: str, line: int) -> None:
    running = start(pool)
    (running.directory / "corepool.toml").write_text(toml)
    running.send_signal(signal.SIGHUP)
    wait_until(lambda: failure(running) is not None)
    failed = failure(running)
    assert failed is not None
    assert (failed["file"].endswith("corepool.toml"), failed["line"]) == (True, line)
    assert "listener: missing" in failed["reason"]


def test_the_workers_that_were_kept_are_counted(pool: Pools) -> None:
    """Of three, one is replaced; the second replacement fails. The application alone has changed: that one stays."""
    running = start(pool, workers=3)
    before = running.workers()
    write(running, BOOTS_ONCE % 1)
    reload_by_signal(running)
    wait_until(lambda: len(running.status()["workers"]) == 3)
    assert running.workers()[1:] == before[1:]
    failed = failure(running)
    assert failed is not None
    assert failed["kept"] == 2
    running.wait_logged("reload_failed generation=1 kept=2")
    assert failed["reason"].endswith("LookupError: no more")


def test_a_missing_worker_is_not_kept(pool: Pools) -> None:
    running = start(pool, workers=2, lines="max_unavailable = 1")
    write(running, BROKEN)
    reload_by_signal(running)
    failed = failure(running)
    assert failed is not None
    assert failed["kept"] == 1, "the other one had left for its replacement"
    write(running, APPLICATION % "two")
    wait_until(lambda: len(running.workers()) == 2)


def test_workers_that_are_not_all_ready_matter_more(pool: Pools) -> None:
    running = start(pool, workers=2, lines='respawn_delay = "60s"\nrespawn_delay_max = "60s"')
    write(running, BROKEN)
    reload_by_signal(running)
    assert check(running)[0] == 4
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: len(running.workers()) == 1)
    status, said = check(running)
    assert (status, said.startswith("ready: 1 of 2 workers are ready; the last reload has failed")) == (1, True)


def test_a_new_master_has_read_it_so_nothing_has_failed(pool: Pools) -> None:
    running = start(pool)
    write(running, BROKEN)
    reload_by_signal(running)
    before = running.status()["reload"]
    write(running, APPLICATION % "two")
    done = corepool(running, "upgrade", "--json")
    assert done.returncode == 0
    pid = json.loads(done.stdout)["pid"]
    after = running.status()
    assert after["pid"] == pid
    assert after["reload"]["failure"] is None
    assert after["reload"]["done_at"] > before["failure"]["at"]
    assert check(running)[0] == 0
    assert get(running, "/").body == b"two"
    assert corepool(running, "reload").returncode == 0
    assert failure(running) is None
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())
