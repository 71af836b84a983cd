"""Processes that an application forks share nothing with their worker that they could break."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from http_client import ask, get, http_toml, receive_response
from http_client import request as http_request
from sources import source

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

APPLICATION = source("served/forking.py")

EXPECTED = {
    "/terminate": str(-signal.SIGTERM),
    "/interrupt": str(-signal.SIGINT),
    "/pool": "[1, 2]",
    "/executor": "[1, 2]",
}


@pytest.fixture(params=["inline", "threads"])
def forking(pool: Pools, request: pytest.FixtureRequest) -> PoolProcess:
    threads = 2 if request.param == "threads" else 0
    toml = http_toml(target="forking:application", threads=threads)
    return pool(toml, files={"forking.py": APPLICATION})


def test_a_signal_to_a_child_is_no_signal_to_the_worker(forking: PoolProcess) -> None:
    """The wake-up descriptor of the worker's signals is inherited by its children."""
    worker = get(forking, "/pid").body
    for path, expected in EXPECTED.items():
        assert get(forking, path).body.decode() == expected
    assert get(forking, "/pid").body == worker


def test_a_child_that_returns_into_the_server_ends_alone(forking: PoolProcess) -> None:
    worker = get(forking, "/pid").body
    ask(forking, http_request("/return"))  # the child may have answered, too
    forking.wait_logged("forked_process_ended")
    assert get(forking, "/pid").body == worker
    assert forking.workers() == [int(worker)]


def test_requests_of_the_same_moment_are_the_workers_alone(pool: Pools) -> None:
    """The child that returns has all of that moment before it, as its parent has."""
    running = pool(http_toml(target="forking:application"), files={"forking.py": APPLICATION})
    worker = int(get(running, "/pid").body)
    with ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(6)]
        for client in clients:
            client.sendall(http_request("/pid", close=False))
            assert receive_response(client).body == str(worker).encode()
        os.kill(worker, signal.SIGSTOP)
        clients[0].sendall(http_request("/return"))
        for client in clients[1:]:
            client.sendall(http_request("/pid"))
        os.kill(worker, signal.SIGCONT)
        running.wait_logged("forked_process_ended")
        assert [receive_response(client).body for client in clients[1:]] == [str(worker).encode()] * 5


def test_functions_registered_with_atexit_run_when_a_worker_ends(forking: PoolProcess) -> None:
    """Sentry and OpenTelemetry send their last records there."""
    worker = get(forking, "/pid").body.decode()
    forking.stop()
    assert (forking.directory / "last-records").read_text().split() == [worker]


def test_signals_that_were_blocked_at_the_start_are_handled(pool: Pools) -> None:
    """execve(2) keeps the signal mask of a process manager."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD})
    try:
        running = pool(http_toml(target="forking:application"), files={"forking.py": APPLICATION})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait() == 0
