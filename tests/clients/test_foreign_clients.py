"""Clients of other protocols than the one that listens: they are refused, the connection ends, others are served."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from kv_client import encode

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all

if TYPE_CHECKING:
    from collections.abc import Iterator

TOML = """
[pool]
workers = 1
[[listener]]
name = "web"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
options = { target = "corepool_http.welcome:app" }
[[listener]]
name = "probes"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
"""

STREAMS = {
    "redis array": encode(("SET", "a", "1")) * 3,
    "redis line": b"SET a 1\r\n\r\n",
    "redis ping": b"PING\r\n",
    "smtp": b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n",
    "memcached": b"get a\r\n",
    "memcached in binary": b"\x80\x01" + bytes(22) + b"\r\n",
    "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(0x80, 0x100)) + b"\x0a\x0d\x0a" + bytes(90),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "socks": b"\x05\x01\x00\n",
    "postgres": b"\x00\x00\x00\x08\x04\xd2\x16\x2f\n",
    "json": b'{"command": "status"}\n',
    "fastcgi": b"\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\n",
    "NUL": bytes(100),
}


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    with PoolProcess.run(TOML) as started:
        yield started


@pytest.mark.parametrize("listener", [0, 1], ids=["http", "admin"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_client_of_another_protocol_is_refused(running: PoolProcess, listener: int, name: str) -> None:
    url = running.urls()[listener]
    pids = running.workers()
    with connect(url) as sock:
        sock.sendall(STREAMS[name])
        answer = receive_all(sock)

    lines = answer.partition(b"\r\n")[0].split(b" ")
    assert lines[0].startswith(b"HTTP/1.")
    assert lines[1] in (b"400", b"501", b"505")
    assert answer.count(b"HTTP/1.") == 1
    with connect(url) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert receive_all(sock).startswith(b"HTTP/1.")
    assert running.workers() == pids


GARBAGE = STREAMS | {
    "json": b'{"command": "nothing"}\n',
    "http": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_the_control_socket_refuses_garbage(running: PoolProcess, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(running.control))
        sock.sendall(GARBAGE[name])
        sock.shutdown(socket.SHUT_WR)
        answer = receive_all(sock)

    assert answer == b"" or answer.startswith(b'{"ok": false')
    assert running.status()["pools"]
