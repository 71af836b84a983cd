"""A pool that serves a small WSGI application, and what an operator does with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from http_client import request

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CONFIG = """
[pool]
workers = {workers}
{pool}
[[listener]]
name = "http"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
dispatcher = "{dispatcher}"
[listener.options]
target = "application:app"
"""
APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"%s"]
"""


def start(
    pool: Pools,
    version: str = "one",
    *,
    workers: int | str = 2,
    dispatcher: str = "least-connections",
    lines: str = "",
    application: str = "",
    options: str = "",
    environment: Mapping[str, str] | None = None,
) -> PoolProcess:
    """Start an application in a version."""
    toml = CONFIG.format(workers=workers, dispatcher=dispatcher, pool=lines)
    toml += options
    files = {"application.py": application or APPLICATION % version}
    # Compiled files are told apart by the second: too coarse for tests that write two versions in one.
    return pool(toml, files=files, environment={"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}, traceback=True)


def write(running: PoolProcess, text: str) -> None:
    (running.directory / "application.py").write_text(text)


def corepool(running: PoolProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "corepool", *arguments, "--control", str(running.control)]
    return subprocess.run(  # noqa: S603 - the command is the test's own
        command, capture_output=True, text=True, check=False, timeout=300
    )


def told(running: PoolProcess, *arguments: str) -> str:
    """Return the line that a command prints, less the names of the pool, which have to be right."""
    line = corepool(running, *arguments).stdout
    names = f"{about(running, running.status()['pid'])}: "
    assert line.startswith(names), line
    return line.removeprefix(names).removesuffix("\n")


def about(running: PoolProcess, pid: int | None = None) -> str:
    """Return the names of a pool as each answer has them.

    :param pid: its present master's, after an upgrade.
    """
    return f"{running.directory.name} (pid {pid or running.pid}, {running.directory / 'corepool.toml'})"


def in_flight(running: PoolProcess) -> int:
    """Return the number of requests that are being answered, by the last heartbeats."""
    protocols = [each for listener in running.status()["listeners"] for each in listener["protocols"]]
    metrics = [each for protocol in protocols for each in protocol["metrics"]]
    return sum(each["cells"][0] for each in metrics if each["name"] == "http_requests_in_flight")


def reload_by_signal(running: PoolProcess) -> None:
    before = running.status()["reload"]["generation"]
    running.send_signal(signal.SIGHUP)
    wait_until(
        lambda: running.status()["reload"]["generation"] > before and running.status()["reload"]["state"] != "running"
    )


@contextmanager
def blocked_workers(running: PoolProcess, url: str, path: str) -> Iterator[None]:
    """Have two workers blocked by requests, whose application notes each in a file `blocked-*`; then let them end."""
    blocked = [connect(url) for _ in range(2)]
    for sock in blocked:
        sock.sendall(request(path))
    wait_until(lambda: len(list(running.directory.glob("blocked-*"))) == 2)
    yield
    for sock in blocked:
        sock.settimeout(0.01)
        with pytest.raises(TimeoutError):
            sock.recv(1)  # still blocked: every answer came meanwhile
    for sock in blocked:
        sock.settimeout(60)
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        sock.close()
