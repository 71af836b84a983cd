"""Files that transports read, such as certificates: running workers take new ones; wrong ones are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from operated import corepool
from sources import metadata, source

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

FILES = {
    "badge.py": source("plugins/badge.py"),
    **metadata("badge", "[corepool.transports]\nbadge = badge:Badge\n[corepool.protocols]\nreader = badge:Reader\n"),
}
TOML = """
[pool]
workers = 2
[[listener]]
name = "badge"
bind = ["badge://127.0.0.1:0?file=name"]
protocol = "reader"
"""


@pytest.fixture
def running(pool: Pools) -> PoolProcess:
    return pool(TOML, files={**FILES, "name": "one"}, traceback=True)


def name(running: PoolProcess) -> bytes:
    with connect(running.urls()[0]) as client:
        return receive_all(client)


def write(running: PoolProcess, content: str) -> None:
    (running.directory / "name").write_text(content)


def kill(running: PoolProcess) -> None:
    """End every worker, and wait for others."""
    killed = running.workers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(running.workers()) - set(killed)) == 2)


def name_is(running: PoolProcess, expected: bytes) -> bool:
    """Return whether every one of some connections is served with that name: the workers take turns."""
    return all(name(running) == expected for _ in range(4))


def renewal(running: PoolProcess) -> dict[str, Any]:
    return dict(running.status()["renewal"])


@pytest.mark.parametrize("how", ["by itself", "renew", "reload", "SIGHUP"])
def test_what_is_new_in_a_file_reaches_workers_that_run(running: PoolProcess, how: str) -> None:
    url, pids = running.urls()[0], running.workers()
    write(running, "two")
    if how == "SIGHUP":
        running.send_signal(signal.SIGHUP)
    elif how != "by itself":
        done = corepool(running, how)
        assert done.returncode == 0, done.stderr
    wait_until(lambda: name_is(running, b"two"))
    wait_until(lambda: renewal(running)["waiting"] == 0)
    assert renewal(running)["failures"] == []
    assert running.urls()[0] == url
    assert how not in ("by itself", "renew") or running.workers() == pids, "no worker was replaced"
    kill(running)
    assert name_is(running, b"two"), "workers that are forked later have it, too"


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "the badge is empty"), ("bug", "its transport failed: RuntimeError: a bug"), (None, "No such file")],
)
def test_a_reload_changes_nothing_while_the_files_of_a_transport_are_wrong(
    running: PoolProcess, content: str | None, says: str
) -> None:
    pids = running.workers()
    if content is None:
        (running.directory / "name").rename(running.directory / "gone")
    else:
        write(running, content)

    done = corepool(running, "reload")

    assert done.returncode == 1
    assert says in done.stderr
    assert "nothing was changed" in done.stderr
    assert running.workers() == pids
    assert name_is(running, b"one")


def test_wrong_files_are_told_once_and_read_again_until_they_are_right(running: PoolProcess) -> None:
    pids = running.workers()
    write(running, "")
    for _ in range(3):
        done = corepool(running, "renew")
        assert done.returncode == 1
        assert "the badge is empty" in done.stderr
    assert [each["reason"] for each in renewal(running)["failures"]] == ["the badge is empty"]
    wait_until(lambda: "transport_not_renewed" in running.stderr)
    assert name_is(running, b"one")

    write(running, "two")
    wait_until(lambda: name_is(running, b"two"))
    wait_until(lambda: renewal(running)["failures"] == [])
    wait_until(lambda: "transport_renewed" in running.stderr)
    assert running.stderr.count("transport_not_renewed") == 1
    assert running.workers() == pids


def test_workers_that_cannot_take_what_is_new_say_so_and_serve_on(running: PoolProcess) -> None:
    pids = running.workers()
    write(running, "not for workers")
    done = corepool(running, "renew")
    assert done.returncode == 1
    assert "ValueError: no worker takes it" in done.stderr
    wait_until(lambda: "state_not_taken" in running.stderr)
    assert name_is(running, b"one")

    write(running, "three")
    assert corepool(running, "renew").returncode == 0
    assert name_is(running, b"three")
    assert renewal(running)["failures"] == []
    assert running.workers() == pids


def test_renew_names_a_worker_that_it_has_waited_for_in_vain(running: PoolProcess) -> None:
    stopped = running.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        write(running, "two")
        done = corepool(running, "renew", "--timeout", "0")
        # The other one may have been too slow as well.
        assert done.returncode == 1
        assert f"(pid {stopped})" in done.stderr
        assert "after 0 s these workers still serve with the old files" in done.stderr
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert corepool(running, "renew").returncode == 0
    assert name_is(running, b"two")


def test_a_reload_that_fails_later_leaves_what_the_files_have_brought(running: PoolProcess) -> None:
    write(running, "two")
    (running.directory / "broken").touch()
    assert corepool(running, "reload").returncode == 1
    wait_until(lambda: name_is(running, b"two"))

    (running.directory / "broken").unlink()
    kill(running)
    assert name_is(running, b"two")


@pytest.mark.parametrize(
    ("days", "says"), [(9.5, "expires in 9 days"), (1.5, "expires in 1 day"), (0.5, "expires in less than a day")]
)
def test_a_certificate_that_ends_soon_is_told_at_the_start_in_check_and_in_status(
    pool: Pools, days: float, says: str
) -> None:
    running = pool(TOML, files={**FILES, "name": f"until {time.time() + days * 86_400}"})

    wait_until(lambda: "certificate_expiry" in running.stderr and says in running.stderr)
    assert f"badge: name (badge.example) {says}" in corepool(running, "status").stdout
    checked = corepool(running, "status", "--check")
    assert (checked.returncode, says in checked.stdout) == (0, True)
    assert f"listener[0].bind[0]: name (badge.example) {says}" in check(running).stderr
    assert check(running).returncode == 0


@pytest.mark.parametrize("days", [-1.5, -0.5])
def test_an_expired_certificate_is_a_mistake_for_check_and_does_not_keep_a_pool_from_starting(
    pool: Pools, days: float
) -> None:
    running = pool(TOML, files={**FILES, "name": f"until {time.time() + days * 86_400}"})

    wait_until(lambda: "has expired" in running.stderr)
    checked = check(running)
    assert checked.returncode == 2
    assert "corepool.toml:6: listener[0].bind[0]: name (badge.example) has expired" in checked.stderr


def test_wrong_files_are_mistakes_of_the_configuration_with_their_place(running: PoolProcess) -> None:
    write(running, "")
    checked = check(running)
    assert checked.returncode == 2
    assert "corepool.toml:6: listener[0].bind[0]: badge://127.0.0.1:0?file=name: the badge is empty" in checked.stderr


def test_status_says_what_can_not_be_renewed(running: PoolProcess) -> None:
    write(running, "")
    assert corepool(running, "renew").returncode == 1
    says = "the badge is empty; the old certificate stays"
    assert says in corepool(running, "status").stdout
    checked = corepool(running, "status", "--check")
    assert (checked.returncode, says in checked.stdout) == (4, True)


def test_status_shows_the_certificates(running: PoolProcess) -> None:
    shown = corepool(running, "status").stdout
    assert "CERTIFICATE FOR" in shown
    assert "badge.example" in shown


def check(running: PoolProcess) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "corepool", "check"], cwd=running.directory, capture_output=True, text=True, check=False
    )
