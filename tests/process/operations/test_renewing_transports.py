"""A reload has a transport read its files again; one that can't be read changes nothing."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

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


def test_a_file_that_a_transport_reads_is_read_again_at_a_reload(running: PoolProcess) -> None:
    url = running.urls()[0]
    write(running, "two")
    kill(running)
    assert name(running) == b"one", "a worker that is replaced serves as the others do"

    assert corepool(running, "reload").returncode == 0
    assert name(running) == b"two"
    assert running.urls()[0] == url
    kill(running)
    assert name(running) == b"two"


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "can't be renewed: the badge is empty"), ("bug", "can't be renewed: TypeError"), (None, "No such file")],
)
def test_a_transport_that_cannot_be_renewed_changes_nothing(
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
    assert name(running) == b"one"


def test_a_reload_that_fails_later_keeps_what_was_read_before(running: PoolProcess) -> None:
    write(running, "two")
    (running.directory / "broken").touch()
    assert corepool(running, "reload").returncode == 1
    assert name(running) == b"one"

    (running.directory / "broken").unlink()
    kill(running)
    assert name(running) == b"one"
