"""A hook forks, and the child returns into the server: what waits for its turn then is the worker's alone."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from extension_client import plugin_files
from sources import source

from corepool.testing.sockets import receive_all, receive_exactly

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

SOURCE = source("plugins/returning_fork.py")
TOML = """
[pool]
workers = 1
[[listener]]
name = "it"
bind = ["tcp://127.0.0.1:0"]
protocol = "returning"
dispatcher = "kernel"
"""


@pytest.mark.parametrize("hook", ["on_accept", "on_readable"])
def test_new_connections_of_that_moment_are_served_by_the_worker(pool: Pools, hook: str) -> None:
    files = plugin_files("returning", "Returning", SOURCE)
    running = pool(TOML, files=files)
    [worker] = running.workers()
    os.kill(worker, signal.SIGSTOP)
    answer = f"{worker}\n".encode()
    with ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(6)]
        for client in clients:
            client.sendall(b"who?")
        (running.directory / hook).touch()
        os.kill(worker, signal.SIGCONT)
        running.wait_logged("forked_process_ended")
        # The one whose hook has forked may have had the child's answer, too.
        assert [receive_exactly(client, len(answer)) for client in clients[1:]] == [answer] * 5


def test_replies_of_that_moment_leave_once(pool: Pools) -> None:
    running = pool(TOML, files=plugin_files("returning", "Returning", SOURCE))
    [worker] = running.workers()
    os.kill(worker, signal.SIGSTOP)
    with ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(6)]
        for client in clients:
            client.sendall(b"once")
        (running.directory / "on_close").touch()
        os.kill(worker, signal.SIGCONT)
        running.wait_logged("forked_process_ended")
        assert [receive_all(client) for client in clients] == [f"{worker}\n".encode()] * 6
