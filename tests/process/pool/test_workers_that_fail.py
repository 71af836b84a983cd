"""A plugin that says that its worker is of no use any more: a crash, in good order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from extension_client import plugin_files
from operated import reload_by_signal
from sources import source

from corepool.testing.sockets import receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

SOURCE = source("plugins/failing_worker.py")
MOVES = """
    @hookimpl
    def on_freeze(self, conn):
        return b""

    @hookimpl
    def on_thaw(self, conn):
        pass
"""
TOML = """
[pool]
workers = 1
[[listener]]
name = "it"
bind = ["tcp://127.0.0.1:0"]
protocol = "failing"
"""


def test_a_worker_that_fails_drains_and_counts_as_crashed(pool: Pools) -> None:
    files = plugin_files("failing", "Failing", SOURCE)
    running = pool(TOML, files=files, traceback=True)
    (before,) = running.workers()
    with running.connect() as client:
        client.sendall(b"fail")
        assert receive_exactly(client, 7) == b"failing"
        wait_until(lambda: running.workers() != [before])
        assert running.status()["totals"]["restarts"] == 1, "another has taken its place while it drains"
        client.sendall(b"go on")
        assert receive_all(client) == b"goes on"
    running.wait_logged("worker_died", "ValueError: not there any more")
    assert "told twice" not in running.stderr
    running.wait_logged(
        "worker_respawns slot=0", f'worker_died slot=0 pid={before} cause=crash status="exit status 70"'
    )
    assert (running.directory / "stopped").exists()
    assert running.status()["totals"]["restarts"] == 1


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
@pytest.mark.parametrize("pings", [0, 1])
def test_a_request_whose_hook_fails_the_worker_is_answered(pool: Pools, dispatcher: str, pings: int) -> None:
    """Though the connection is not busy, and could move: not from within its own hook."""
    toml = TOML + f'dispatcher = "{dispatcher}"\n'
    running = pool(toml, files=plugin_files("failing", "Failing", SOURCE + MOVES), traceback=True)
    with running.connect() as client:
        for _ in range(pings):
            client.sendall(b"ping")
            assert receive_exactly(client, 4) == b"pong"
        client.sendall(b"fail at once")
        assert receive_exactly(client, 6) == b"failed"
    running.wait_logged("worker_died", "ValueError: not there any more")
    assert running.stderr.count(" ERROR ") == 1


def test_a_worker_that_fails_while_it_boots_is_no_worker(pool: Pools) -> None:
    files = {**plugin_files("failing", "Failing", SOURCE), "at start": ""}
    running = pool(TOML, files=files, traceback=True, wait=False, exit_status=3)
    running.wait()
    assert "ValueError: not there at the start" in running.stderr


def test_a_plugin_knows_how_long_its_worker_may_still_boot(pool: Pools) -> None:
    files = {**plugin_files("failing", "Failing", SOURCE), "takes its time": ""}
    running = pool(TOML, files=files)

    at_first_s, before_s, after_s = map(float, (running.directory / "left").read_text().split())
    assert at_first_s > before_s >= after_s + 0.2 > 0.2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reload_to_what_fails_at_the_start_is_refused(pool: Pools, workers: int) -> None:
    files = plugin_files("failing", "Failing", SOURCE)
    running = pool(TOML.replace("workers = 1", f"workers = {workers}"), files=files, traceback=True)
    before = running.workers()
    (running.directory / "at start").touch()
    reload_by_signal(running)
    assert running.status()["reload"]["state"] == "failed"
    assert running.workers() == before
