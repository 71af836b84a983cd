"""Each abuse of HTTP/2 ends its own connection: others are served meanwhile and afterwards, by the same worker."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import psutil
import pytest
from http2_attacks import (
    ATTACKS,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PREFACE,
    SETTINGS,
    WINDOW_UPDATE,
    attack,
    frame,
    goaways,
)
from http2_client import Http2Client
from http_client import APPLICATIONS, get

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

TOML = """
[pool]
workers = 1
[[listener]]
name = "web"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
target = "mirror:asgi"
directory = {directory}
[[listener]]
name = "admin"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
"""

BOUND = 100 << 20
"""Of the worker's growth by one attack. The least attack here would cost several times that if it were kept."""


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    with Pools() as pools:
        yield pools(TOML.format(directory=json.dumps(str(APPLICATIONS))))


def abuses(running: PoolProcess, kind: str) -> float:
    """Return how many connections were closed for an abuse."""
    page = get(running, "/metrics", listener="admin").body.decode()
    found = re.findall(rf'^corepool_http2_abuse_total{{[^}}]*kind="{kind}"[^}}]*}} (\S+)$', page, re.MULTILINE)
    return sum(map(float, found))


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_ends_its_own_connection(running: PoolProcess, kind: str) -> None:
    [pid] = running.workers()
    worker, before, size = psutil.Process(pid), abuses(running, kind), 0
    with connect(running.urls("web")[0]) as other, connect(running.urls("web")[0]) as sock:
        client = Http2Client.over(other)
        assert client.ask("/before").status == 200
        size = worker.memory_info().rss

        def meanwhile() -> None:
            assert client.ask("/meanwhile").status == 200

        sock.setblocking(False)
        told = attack(sock, ATTACKS[kind], meanwhile)
        assert client.ask("/after").status == 200
    assert worker.memory_info().rss - size < BOUND
    assert running.workers() == [pid]
    wait_until(lambda: abuses(running, kind) == before + 1)
    if told:  # a reset may have destroyed it: the client was still sending
        assert goaways(told)[-1:] in ([ENHANCE_YOUR_CALM], [])
    running.wait_logged("http2_abused")


def test_a_client_that_reads_nothing_of_a_hundred_streams_costs_bounded_memory(running: PoolProcess) -> None:
    [pid] = running.workers()
    worker = psutil.Process(pid)
    endless = bytes.fromhex("8286") + b"\x04\x07/stream\x41\x01a"
    with connect(running.urls("web")[0]) as other, connect(running.urls("web")[0]) as sock:
        client = Http2Client.over(other)
        assert client.ask("/before").status == 200
        size = worker.memory_info().rss
        largest = frame(SETTINGS, 0, 0, b"\x00\x04\x7f\xff\xff\xff") + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\x00\x00")
        asked = b"".join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * each + 1, endless) for each in range(100))
        sock.sendall(PREFACE + largest + asked)
        assert sock.recv(1)
        for number in range(100):
            assert client.ask(f"/meanwhile/{number}").status == 200
        assert worker.memory_info().rss - size < BOUND
    wait_until(lambda: client_count(running) == 0)
    with connect(running.urls("web")[0]) as again:
        assert Http2Client.over(again).ask("/after").status == 200
    assert running.workers() == [pid]


def client_count(running: PoolProcess) -> float:
    """Return how many requests are under way."""
    page = get(running, "/metrics", listener="admin").body.decode()
    line = r'^corepool_http_requests_in_flight{.*listener="web".*} (\S+)$'
    return sum(map(float, re.findall(line, page, re.MULTILINE)))
