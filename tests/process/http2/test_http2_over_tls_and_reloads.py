"""HTTP/2 as a pool offers it, and connections of a worker that leaves: no request is lost."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest
from certificates import client_context, pair
from http2_client import Http2Client
from http_client import APPLICATIONS, http_toml, request

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

FIRST_GOAWAY = b"\x07\0" + bytes(4) + (2**31 - 1).to_bytes(4)
"""From its type on: no flags, no stream, and the highest number of a stream as the last (RFC 9113, 6.8)."""


@pytest.mark.parametrize(
    ("options", "offered", "expected"),
    [
        ({}, ["h2", "http/1.1"], "h2"),
        ({}, ["http/1.1"], "http/1.1"),
        ({}, ["http/1.1", "h2"], "h2"),
        ({"http2": False}, ["h2", "http/1.1"], "http/1.1"),
    ],
)
def test_alpn_chooses(
    pool: Pools, tmp_path: Path, options: dict[str, object], offered: list[str], expected: str
) -> None:
    cert, key = pair().write(tmp_path)
    bind = f"tls://127.0.0.1:0?cert={cert}&key={key}"
    running = pool(http_toml(bind=bind, target="streams:asgi", directory=str(APPLICATIONS), **options))
    context = client_context()
    context.set_alpn_protocols(offered)
    with connect(running.urls()[0]) as plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
        assert sock.selected_alpn_protocol() == expected
        if expected == "h2":
            assert Http2Client.over(sock).ask("/").status == 200
        else:
            sock.sendall(request("/"))
            assert receive_all(sock).startswith(b"HTTP/1.1 200 ")


def test_requests_under_way_finish_while_their_worker_is_replaced(pool: Pools) -> None:
    running = pool(http_toml(target="streams:wsgi", directory=str(APPLICATIONS), threads=4))
    [old] = running.workers()
    with connect(running.urls()[0]) as sock:
        client = Http2Client.over(sock)
        held = client.begin("/hold")
        running.wait_logged("held /hold")
        running.request("reload")
        wait_until(lambda: FIRST_GOAWAY in sock.recv(65_536, socket.MSG_PEEK))
        late = client.begin("/")  # of a client that has not read the GOAWAY, nor answered the ping behind it
        client.wait(late)
        assert client.goaways[0] == (0, 2**31 - 1)
        while len(client.goaways) < 2:
            assert client.read()
        assert client.goaways[1][1] >= late
        (running.directory / "go").touch()
        assert client.wait(held, late).status == 200
        while client.read():
            pass
    wait_until(lambda: old not in running.workers())


def test_a_pool_that_stops_says_goodbye_to_idle_connections(pool: Pools) -> None:
    running = pool(http_toml(target="streams:asgi", directory=str(APPLICATIONS)))
    with connect(running.urls()[0]) as sock:
        client = Http2Client.over(sock)
        stream = client.begin("/")
        client.wait(stream)
        running.send_signal(signal.SIGTERM)
        while client.read():
            pass
        assert client.goaways == [(0, 2**31 - 1), (0, stream)]
    assert running.wait() == 0
