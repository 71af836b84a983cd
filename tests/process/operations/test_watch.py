"""`--reload`: what changes in the folder is served, and nothing is left when the pool ends."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import probe
import pytest
from http_client import get
from operated import APPLICATION, CONFIG, write

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

TOML = CONFIG.format(workers=1, dispatcher="kernel", pool='[log]\nfile = "pool.log"\nformat = "text"')


def start(*arguments: str, **files: str) -> PoolProcess:
    given = {"corepool.toml": TOML, "application.py": APPLICATION % "one", **files}
    return PoolProcess([*arguments, "--reload"], files=given)


def watcher_of(running: PoolProcess) -> int:
    """Wait for the process that watches, until it does."""

    def pids() -> list[int]:
        return [pid for pid in running.left_over() if b"corepool.cli.watch" in command_of(pid)]

    wait_until(pids)
    (pid,) = pids()
    wait_until(lambda: is_watching(pid), what="the watcher has begun")
    return pid


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return b""


def is_watching(pid: int) -> bool:
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if "inotify wd:" in path.read_text():
                return True
    return False


def log_of(running: PoolProcess) -> str:
    return (running.directory / "pool.log").read_text()


def test_saved_code_is_served_however_fast_it_follows() -> None:
    with start("run", "corepool.toml") as running:
        watcher_of(running)
        for version in ("two", "six", "ten"):  # of one length, within one second
            write(running, APPLICATION % version)
            wait_until(lambda version=version: get(running, "/").body == version.encode())
        write(running, "1 // 0\n")
        wait_until(lambda: "reload_failed" in log_of(running))
        assert get(running, "/").body == b"ten"
        running.stop()
        wait_until(lambda: not running.left_over())


def test_changed_files_are_named() -> None:
    with start("run", "corepool.toml") as running:
        watcher_of(running)
        write(running, APPLICATION % "two")
        wait_until(lambda: get(running, "/").body == b"two")
        (running.directory / "corepool.toml").write_text(TOML.replace("workers = 1", "workers = 2"))
        wait_until(lambda: len(running.workers()) == 2)
        running.stop()

    assert "corepool: changed: application.py; reloading\n" in running.stderr
    assert "corepool: changed: corepool.toml; reloading\n" in running.stderr


def test_anything_but_source_brings_on_no_reload() -> None:
    """Each reload writes to pool.log: if that counted, they would never end."""
    with start("run", "corepool.toml") as running:
        watcher_of(running)
        for name in ("data.mdb", "upload.bin", "stdout.txt"):
            (running.directory / name).write_text("changed")
        write(running, APPLICATION % "two")  # reported after those, for the kernel keeps the order
        wait_until(lambda: get(running, "/").body == b"two")
        write(running, APPLICATION % "three")
        wait_until(lambda: get(running, "/").body == b"three")
        wait_until(lambda: running.status()["reload"]["state"] != "running")
        assert log_of(running).count("signal_received signal=SIGHUP") == 2
        running.stop()


def test_a_configuration_that_another_file_takes_the_place_of_is_seen_each_time() -> None:
    with start("run", "elsewhere/corepool.toml", **{"elsewhere/corepool.toml": TOML}) as running:
        watcher_of(running)
        path = running.directory / "elsewhere" / "corepool.toml"
        for workers in (2, 3):
            fresh = path.with_suffix(".new")
            fresh.write_text(TOML.replace("workers = 1", f"workers = {workers}"))
            fresh.replace(path)
            wait_until(lambda workers=workers: len(running.workers()) == workers)
        running.stop()


def test_hup_is_safe_from_the_moment_the_watcher_may_send_it() -> None:
    # The protocol is made twice: to check the configuration, then, beside the watcher, to bind.
    eager = probe.SOURCE.replace(
        "        self.loop = None\n",
        "        self.loop = None\n"
        "        Probe.made = getattr(Probe, 'made', 0) + 1\n"
        "        if Probe.made == 2:\n"
        "            os.kill(os.getpid(), signal.SIGHUP)\n",
    )
    files = {**probe.files(), "probe.py": eager, "corepool.toml": probe.config(workers=1)}
    with PoolProcess(["run", "corepool.toml", "--reload"], files=files) as running:
        running.stop()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_watcher_ends_with_its_master(signum: signal.Signals) -> None:
    with start("serve", "http", "application:app", "-b", "tcp://127.0.0.1:0", "-w", "1") as running:
        watcher_of(running)
        os.kill(running.pid, signum)
        running.wait()
        wait_until(lambda: not running.left_over())


def test_a_watcher_that_dies_harms_no_pool() -> None:
    with start("run", "corepool.toml") as running:
        os.kill(watcher_of(running), signal.SIGKILL)
        assert get(running, "/").body == b"one"
        running.stop()
        wait_until(lambda: not running.left_over())


def test_without_watchfiles_it_is_said_how_to_get_it() -> None:
    missing = {"absent/sitecustomize.py": 'import sys\nsys.modules["watchfiles"] = None\n'}
    files = {"corepool.toml": TOML, **missing}
    with PoolProcess(
        ["run", "corepool.toml", "--reload"], files=files, environment={"PYTHONPATH": "absent"}, wait=False
    ) as running:
        assert running.wait() == 2
        assert running.stderr == "corepool: --reload: needs watchfiles; `pip install watchfiles` gets it\n"
