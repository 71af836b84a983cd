"""Streams of HTTP/2 in a real pool: large transfers beside small requests, threads, the log and the counters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from http2_client import Http2Client
from http_client import APPLICATIONS, request

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

LISTENER = """
[[listener]]
name = "{name}"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
directory = "{directory}"
{options}
"""

LISTENERS = {
    "threads": 'target = "streams:wsgi"\nthreads = 4\nhttp2_max_concurrent_streams = 3',
    "asgi": 'target = "streams:asgi"\naccess_log = "common"\naccess_log_file = "access.log"',
    "files": 'root = "public"',
}

SIZE = 200_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    toml = "[pool]\nworkers = 1\n" + "".join(
        LISTENER.format(name=name, options=options, directory=APPLICATIONS) for name, options in LISTENERS.items()
    )
    toml += '[[listener]]\nname = "admin"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "admin"\n'
    with Pools() as pools:
        yield pools(toml, files={"public/small": "small"})


def memory_of(pid: int) -> int:
    """Return the bytes that a process had in memory at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("listener", ["files", "asgi"])
def test_small_requests_are_answered_beside_a_large_download(running: PoolProcess, listener: str) -> None:
    with (running.directory / "public/large").open("wb") as file:
        file.truncate(SIZE)
    large_path, small_path = ("/large", "/small") if listener == "files" else ("/endless", "/")
    before = memory_of(running.workers()[0])
    with connect(running.urls(listener)[0]) as sock:
        client = Http2Client.over(sock, window=2**31 - 1)
        client.take(2**30)
        large = client.begin(large_path)
        while len(client.answers[large].content) < 1_000_000:
            assert client.read()
        small = [client.begin(small_path) for _ in range(100)]
        client.wait(*small)
        assert client.order == small
        assert not client.answers[large].is_whole
        assert len(client.answers[large].content) < SIZE // 2
    assert memory_of(running.workers()[0]) - before < 30_000_000


def test_a_large_download_comes_as_a_whole_beside_small_requests(running: PoolProcess) -> None:
    before, answered = memory_of(running.workers()[0]), 0
    with connect(running.urls("asgi")[0]) as sock:
        client = Http2Client.over(sock, keeps=1_000)
        large = client.begin(f"/down/{SIZE}")
        while not client.answers[large].is_whole:
            assert client.read()
            if client.answers[large].size // 2_000_000 > answered:
                assert client.ask("/").content == b"0"
                answered += 1
    assert client.answers[large].size == SIZE
    assert answered >= 99
    assert memory_of(running.workers()[0]) - before < 30_000_000


@pytest.mark.parametrize("listener", ["asgi", "threads"])
def test_small_requests_are_answered_beside_a_large_upload(running: PoolProcess, listener: str) -> None:
    before = memory_of(running.workers()[0])
    sent = answered = 0
    with connect(running.urls(listener)[0]) as sock:
        client = Http2Client.over(sock)
        upload = client.begin("/", method="POST", more=True)
        while sent < SIZE:
            room = min(client.h2.local_flow_control_window(upload), 16_384)
            if room == 0:
                assert client.read()
                continue
            client.send(upload, bytes(room))
            sent += room
            if sent // 2_000_000 > answered:
                assert client.ask("/").content == b"0"
                answered += 1
        client.send(upload, b"", ends=True)
        assert client.wait(upload).content == str(sent).encode()
    assert answered >= 99
    assert memory_of(running.workers()[0]) - before < 30_000_000


def test_an_upload_that_is_not_read_waits_in_its_own_window(running: PoolProcess) -> None:
    with connect(running.urls("asgi")[0]) as sock:
        client = Http2Client.over(sock)
        client.ask("/")
        stalled = [client.begin("/deaf", method="POST", more=True) for _ in range(20)]
        for stream in stalled:
            left = 65_535
            while left:
                room = min(client.h2.local_flow_control_window(stream), 16_384)
                if room:
                    client.send(stream, bytes(room))
                    left -= room
                else:
                    assert client.read(), "the window of the connection opens again"
        while client.h2.outbound_flow_control_window < 3:
            assert client.read()
        upload = client.begin("/", method="POST", content=b"abc")
        assert client.wait(upload).content == b"3"


def test_a_reset_request_counts_until_its_thread_is_done(running: PoolProcess) -> None:
    with connect(running.urls("threads")[0]) as sock:
        client = Http2Client.over(sock)
        for number in range(3):
            held = client.begin(f"/hold{number}")
            running.wait_logged(f"held /hold{number}")
            client.reset(held)
        beyond = client.begin("/")
        client.wait(beyond)
        assert client.answers[beyond].reset == 7, "REFUSED_STREAM: it may be sent again"

        (running.directory / "go").touch()

        def is_served() -> bool:
            return client.wait(client.begin("/")).status == 200

        wait_until(is_served)


def test_the_access_log_and_the_counters_see_each_request(running: PoolProcess) -> None:
    path = running.directory / "access.log"
    with connect(running.urls("asgi")[0]) as sock:
        client = Http2Client.over(sock)
        for _ in range(3):
            assert client.ask("/seen").status == 200
    wait_until(lambda: path.read_text().count('"GET /seen HTTP/2.0" 200 1') == 3)


def test_a_client_that_resets_all_it_asks_for_is_told_to_be_calm(running: PoolProcess) -> None:
    with connect(running.urls("asgi")[0]) as sock:
        client = Http2Client.over(sock)
        while not client.goaways:
            for _ in range(50):
                stream = client.begin("/deaf", at_once=False)
                client.h2.reset_stream(stream)
            try:
                client.flush()
                client.ask("/")
            except (AssertionError, OSError):
                break
        assert client.goaways[0][0] == 11, "ENHANCE_YOUR_CALM"
    running.wait_logged("http2_abused", "kind=rapid_reset")

    def counted() -> bool:
        with connect(running.urls("admin")[0]) as sock:
            sock.sendall(request("/metrics"))
            text = receive_all(sock).decode()
        [line] = re.findall(r'corepool_http2_abuse_total{(?=.*listener="asgi")(?=.*"rapid_reset").*} (.*)', text)
        return float(line) == 1

    wait_until(counted)


def test_admin_speaks_it_too(running: PoolProcess) -> None:
    with connect(running.urls("admin")[0]) as sock:
        answer = Http2Client.over(sock).ask("/status")
    assert json.loads(answer.content)["workers"]
