"""Processes that an application forks share nothing with their worker that they could break."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from http_client import ask, get, http_toml
from http_client import request as http_request

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

APPLICATION = """
import atexit, multiprocessing, os, signal
from concurrent.futures import ProcessPoolExecutor

context = multiprocessing.get_context("fork")

def wait():
    signal.pause()

def end_a_child_by(end):
    child = context.Process(target=wait)
    child.start()
    end(child)
    child.join()
    return child.exitcode

def fork_and_return(start_response):
    child = os.fork()
    if child == 0:
        return b"the child"
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def map_in_a_pool():
    with context.Pool(2) as pool:
        return pool.map(abs, [-1, -2])

def map_in_an_executor():
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return list(executor.map(abs, [-1, -2]))

def write_last_record():
    with open("last-records", "a") as file:
        print(os.getpid(), file=file)

atexit.register(write_last_record)

def application(environ, start_response):
    actions = {
        "/pid": os.getpid,
        "/terminate": lambda: end_a_child_by(lambda child: child.terminate()),
        "/interrupt": lambda: end_a_child_by(lambda child: os.kill(child.pid, signal.SIGINT)),
        "/return": lambda: fork_and_return(start_response),
        "/pool": map_in_a_pool,
        "/executor": map_in_an_executor,
    }
    result = actions[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [result if isinstance(result, bytes) else str(result).encode()]
"""

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
    wait_until(lambda: "has returned into the server" in forking.stderr)
    assert get(forking, "/pid").body == worker
    assert forking.workers() == [int(worker)]


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
