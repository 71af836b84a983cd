"""An upgrade while calls fail or processes are killed: it is done, or fails; no connection is lost that lives on."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from failing import ANY, Failing, Kinds

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 2
respawn_delay = "1ms"
respawn_delay_max = "1ms"
[[listener]]
name = "files"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
root = "root"
"""
FILES = {"root/file": "x"}
ADD = 1


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Failing]:
    with Failing(tmp_path) as failing:
        yield failing


def is_answered(sock: socket.socket) -> bool:
    sock.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
    received = b""
    while not received.endswith(b"\r\n\r\nx"):
        piece = sock.recv(65536)
        if not piece:
            return False
        received += piece
    return True


def is_at_rest(running: PoolProcess) -> bool:
    with suppress(OSError, ValueError):
        status = running.status()
        states = [each["state"] for each in status["workers"]]
        return states == ["ready"] * 2 and len(running.left_over()) == 3
    return False


def end(running: PoolProcess) -> None:
    os.kill(running.status()["pid"], signal.SIGTERM)
    wait_until(lambda: not running.left_over())


@pytest.mark.parametrize(
    ("call", "error", "kinds", "operation", "times"),
    [
        ("sendmsg", errno.ENOBUFS, Kinds.SEQPACKET, -1, 10),
        ("recvmsg", errno.ENOMEM, Kinds.SEQPACKET, -1, 5),
        ("epoll_ctl", errno.ENOSPC, Kinds.SEQPACKET | Kinds.OTHER, ADD, 3),
        ("close", errno.EIO, Kinds.INET | Kinds.SEQPACKET, -1, 10),
        ("sendto", errno.EAGAIN, Kinds.DATAGRAM, -1, 2),
        ("getsockopt", errno.ENOBUFS, Kinds.INET, -1, 3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("where", ["the old master", "others"])
def test_connections_go_on_in_the_new_pool_though_calls_fail(
    pool: Pools, failing: Failing, where: str, call: str, error: int, kinds: Kinds, operation: int, times: int
) -> None:
    running = pool(TOML, files=FILES, environment=failing.environment)
    socks = [running.connect() for _ in range(8)]
    assert all(map(is_answered, socks))
    old = running.pid
    limits = {"pid": old} if where == "the old master" else {"not_pid": old}
    with ExitStack() as stack:
        if where == "the old master" or call not in {"epoll_ctl", "getsockopt"}:  # else the new one ends at the start
            stack.enter_context(failing(call, error, **limits, kinds=kinds or ANY, operation=operation, times=times))
        assert running.request("upgrade")["ok"]
        wait_until(lambda: is_at_rest(running) and running.status()["pid"] != old)

    assert all(map(is_answered, socks))
    assert running.status()["totals"]["refused"] == 0
    assert running.wait() == 0
    end(running)


@pytest.mark.parametrize("victim", ["an old worker", "a new worker", "the new master", "the old master"])
def test_processes_are_killed_in_an_upgrade(pool: Pools, victim: str) -> None:
    """Only the connections of a worker that is killed are lost; all of them, with the only master that knows them."""
    running = pool(TOML, files=FILES, exit_status=-9 if victim == "the old master" else 0)
    socks = [running.connect() for _ in range(8)]
    assert all(map(is_answered, socks))
    old, old_workers = running.pid, running.workers()
    known = {old, *old_workers}
    assert running.request("upgrade")["ok"]
    new = running.status()["upgrade"]["pid"]
    if victim == "an old worker":
        os.kill(old_workers[0], signal.SIGKILL)
    elif victim == "a new worker":
        wait_until(lambda: any(pid not in {*known, new} for pid in running.left_over()))
        os.kill(next(pid for pid in running.left_over() if pid not in {*known, new}), signal.SIGKILL)
    elif victim == "the new master":
        os.kill(new, signal.SIGKILL)
    else:
        with suppress(psutil.Error):
            wait_until(lambda: psutil.Process(new).children())
        os.kill(old, signal.SIGKILL)
    wait_until(lambda: is_at_rest(running))

    with running.connect() as another:
        assert is_answered(another)
    end(running)
