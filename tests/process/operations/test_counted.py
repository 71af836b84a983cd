"""Bytes and errors of hooks are counted for each listener and for the pool, and stay when workers die."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import probe
import pytest

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SECOND = """
[[listener]]
name = "second"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


def counted(running: PoolProcess) -> list[tuple[int, int, int]]:
    return [(each["bytes_in"], each["bytes_out"], each["hook_errors"]) for each in running.status()["listeners"]]


def test_bytes_and_errors_are_those_of_their_listener_and_outlive_their_worker(pool: Pools) -> None:
    running = pool(probe.config(workers=1) + SECOND, files=probe.files(), traceback=True)
    with running.connect("probe") as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"
        client.sendall(b"raise\n")
        assert client.recv(100) == b""
    with running.connect("second") as client:
        client.sendall(b"x" * 1000)
        received = 0
        while received < 1000:
            received += len(client.recv(1000))

    expected = [(12, 6, 1), (1000, 1000, 0)]
    wait_until(lambda: counted(running) == expected)
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: running.status()["totals"]["restarts"] == 1)
    assert counted(running) == expected
    totals = running.status()["totals"]
    assert (totals["bytes_in"], totals["bytes_out"], totals["hook_errors"]) == (1012, 1006, 1)


HOSTED = """
import socketserver

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1000):
            self.request.sendall(data)

async def handle(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()
"""


@pytest.mark.parametrize("served", [["echo"], ["socketserver", "hosted:Handler"], ["asyncio", "hosted:handle"]])
def test_the_end_of_a_client_is_no_request(pool: Pools, served: list[str]) -> None:
    running = pool.serve(*served, "-b", "127.0.0.1:0", "--workers", "1", files={"hosted.py": HOSTED})
    for _ in range(3):
        with running.connect() as client:
            for _ in range(4):
                client.sendall(b"hello")
                assert client.recv(100) == b"hello"
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""
    [pid] = running.workers()
    os.kill(pid, signal.SIGTERM)  # what it has counted is published by then
    wait_until(lambda: pid not in [each["pid"] for each in running.status()["workers"]])
    assert running.status()["totals"]["requests"] == 12
