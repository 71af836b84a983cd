"""The pidfile: whose it is, and who may take it. Real pools."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from insider import config, files

from corepool.errors import ConfigError
from corepool.system.pidfile import PidFile
from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def with_pidfile(path: Path) -> str:
    return config(f'pidfile = "{path}"')


def test_it_has_the_masters_pid_and_a_lock_and_goes_at_the_end(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    running = pool(with_pidfile(path), files=files())

    assert path.read_text() == f"{running.pid}\n"
    assert is_locked(path)
    running.stop()
    assert not path.exists()


def test_a_second_master_is_refused_and_the_first_keeps_its_file(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    running = pool(with_pidfile(path), files=files())
    second = pool(with_pidfile(path), files=files(), wait=False, exit_status=2)

    assert second.wait() == 2
    assert second.stderr == (
        "corepool: 1 mistake in corepool.toml:\n"
        f'corepool.toml:8: process.pidfile = "{path}": another master runs (pid {running.pid}); '
        "stop it, or choose another file\n"
    )
    assert path.read_text() == f"{running.pid}\n"
    assert len(running.workers()) == 1


def test_what_a_killed_master_left_is_taken_over(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    with PoolProcess.run(with_pidfile(path), files=files()) as killed:
        os.kill(killed.pid, signal.SIGKILL)
        wait_until(lambda: not killed.left_over())
    assert path.exists()
    running = pool(with_pidfile(path), files=files())

    assert path.read_text() == f"{running.pid}\n"


def test_the_number_of_a_living_process_proves_nothing(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    path.write_text(f"{os.getpid()}\n")
    running = pool(with_pidfile(path), files=files())

    assert path.read_text() == f"{running.pid}\n"


def test_a_file_that_is_no_pidfile_is_left_alone(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "precious.toml"
    path.write_text("precious = true\n")
    running = pool(with_pidfile(path), files=files(), wait=False, exit_status=2)

    assert running.wait() == 2
    assert "the file exists and is no pidfile" in running.stderr
    assert path.read_text() == "precious = true\n"


def test_a_link_leads_nowhere(pool: Pools, tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    path = tmp_path / "x.pid"
    path.symlink_to(tmp_path / "target")
    running = pool(with_pidfile(path), files=files(), wait=False, exit_status=2)

    assert running.wait() == 2
    assert (tmp_path / "target").read_text() == ""


def test_a_file_that_another_process_has_put_there_is_not_removed(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    running = pool(with_pidfile(path), files=files())
    path.unlink()
    path.write_text("1\n")
    running.stop()

    assert path.read_text() == "1\n"


def test_a_file_that_goes_while_it_is_being_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two masters would each hold a lock: one of a file that has no name any more."""
    path = tmp_path / "x.pid"
    lock = fcntl.flock

    def lock_when_its_owner_has_left(fd: int, operation: int) -> None:
        monkeypatch.undo()
        path.unlink()
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", lock_when_its_owner_has_left)
    pidfile = PidFile(path)
    pidfile.acquire()

    assert path.read_text() == f"{os.getpid()}\n"
    assert is_locked(path)
    pidfile.release()


def test_a_pool_that_cannot_start_leaves_no_file(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    toml = config(f'pidfile = "{path}"', bind="fd://999")
    assert pool(toml, files=files(), wait=False, exit_status=2).wait() == 2

    assert not path.exists()


def test_an_upgrade_hands_it_on(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    running = pool(with_pidfile(path), files=files())

    def command(name: str) -> None:
        arguments = [sys.executable, "-m", "corepool", name, "--control", str(running.control)]
        subprocess.run(arguments, check=True, capture_output=True)  # noqa: S603

    command("upgrade")
    assert running.wait() == 0
    master = running.status()["pid"]

    assert master != running.pid
    assert path.read_text() == f"{master}\n"
    assert is_locked(path)
    assert list(tmp_path.iterdir()) == [path]
    command("stop")
    wait_until(lambda: not psutil.pid_exists(master) and not running.left_over())
    assert not path.exists()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_addresses_are_bound_leaves_nothing_behind(signum: int, tmp_path: Path) -> None:
    """Each socket below `slow` takes a tenth of a second: so long its lock is waited for."""
    slow = tmp_path / "slow"
    slow.mkdir()
    lock = os.open(slow, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    urls = [f"unix://{tmp_path}/first", *(f"unix://{slow}/{number}" for number in range(10))]
    toml = f'[process]\npidfile = "{tmp_path}/pid"\n'
    toml += f'[[listener]]\nname = "a"\nprotocol = "echo"\nbind = {json.dumps(urls)}\n'
    with PoolProcess.run(toml, wait=False) as running:
        wait_until((tmp_path / "first").exists)
        running.send_signal(signum)
        assert not (slow / "9").exists()
        assert running.wait() == 0
        assert not running.control.exists()
    os.close(lock)
    assert [*slow.iterdir(), *tmp_path.iterdir()] == [slow]


def test_one_that_can_not_be_written_is_not_left_empty(tmp_path: Path) -> None:
    """As on a full disk; here the process may write no file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    theirs = tmp_path / "theirs"
    theirs.write_text("")
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        for path in (tmp_path / "ours", theirs):
            with pytest.raises(ConfigError, match="File too large"):
                PidFile(path).acquire()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [theirs]
