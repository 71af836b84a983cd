"""Code written for asyncio or socketserver is served without a line changed."""

from __future__ import annotations

import smtplib
import socket
from typing import TYPE_CHECKING

import pytest
from operated import corepool, reload_by_signal
from sources import source
from websockets.sync.client import connect as connect_websocket

from corepool.testing.sockets import receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SOURCE = source("served/hosted.py")
TOML = """
[pool]
workers = 2
drain_timeout = 5
[[listener]]
name = "it"
bind = ["tcp://127.0.0.1:0"]
protocol = "{protocol}"
options = {{ target = "application:{target}" {more} }}
"""


def start(pool: Pools, protocol: str, target: str, more: str = "") -> PoolProcess:
    toml = TOML.format(protocol=protocol, target=target, more=more)
    return pool(toml, files={"application.py": SOURCE}, environment={"PYTHONDONTWRITEBYTECODE": "1"}, traceback=True)


@pytest.mark.parametrize(
    ("protocol", "target", "hello"),
    [
        ("asyncio", "Upper", b"hello 127.0.0.1\n"),
        ("asyncio", "Buffered", b""),
        ("asyncio", "handler", b""),
        ("asyncio", "main", b""),
        ("asyncio", "plain", b""),
        ("socketserver", "Lines", b"hello 127.0.0.1\n"),
        ("socketserver", "Raw", b""),
    ],
)
def test_it_is_served_until_its_end(pool: Pools, protocol: str, target: str, hello: bytes) -> None:
    running = start(pool, protocol, target)
    for _ in range(4):
        with running.connect() as client:
            client.sendall(b"some\nlines\n")
            client.shutdown(socket.SHUT_WR)
            bye = b"bye\n" if target == "Upper" else b""
            assert receive_all(client) == hello + b"SOME\nLINES\n" + bye


def test_writing_is_paused_while_the_peer_does_not_read(pool: Pools) -> None:
    running = start(pool, "asyncio", "Upper")
    with running.connect() as client:
        client.sendall(b"much\n")
        received = 0
        while received < 300 * 100_000:
            received += len(client.recv(1_000_000))


def test_the_end_is_told(pool: Pools) -> None:
    running = start(pool, "asyncio", "Upper")
    with running.connect() as client:
        assert client.recv(100)
    lost = running.directory / "lost"
    wait_until(lambda: lost.exists() and lost.read_text() == "None\n")
    with running.connect() as client:
        assert client.recv(100)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: "ConnectionResetError" in lost.read_text())


def test_new_code_is_served_after_a_reload(pool: Pools) -> None:
    running = start(pool, "asyncio", "handler", ", idle_after = 0.2")
    with running.connect() as idle:
        idle.sendall(b"one\n")
        assert idle.recv(100) == b"ONE\n"
        (running.directory / "application.py").write_text(SOURCE.replace("line.upper()", "line.title()"))
        reload_by_signal(running)
        with running.connect() as client:
            client.sendall(b"some line\n")
            assert client.recv(100) == b"Some Line\n"
        assert receive_all(idle) == b""


def test_mail_is_received(pool: Pools) -> None:
    running = start(pool, "asyncio", "smtp")
    host, _, port = running.urls()[0].removeprefix("tcp://").rpartition(":")
    for number in range(4):
        with smtplib.SMTP(host, int(port), timeout=60) as client:
            client.sendmail("a@example.com", ["b@example.com"], f"Subject: number {number}\r\n\r\nHello.\r\n")
    text = (running.directory / "mail").read_text()
    assert all(f"Subject: number {number}" in text for number in range(4))


def test_websockets_are_served(pool: Pools) -> None:
    running = start(pool, "asyncio", "websocket")
    with connect_websocket(running.urls()[0].replace("tcp://", "ws://")) as client:
        client.send("hello")
        assert client.recv(timeout=60) == "HELLO"


@pytest.mark.parametrize(
    ("protocol", "target", "says"),
    [
        ("asyncio", "nothing", "without a call of loop.create_server"),
        ("asyncio", "controller", "it starts a server in a thread, with an event loop of its own"),
        ("asyncio", "controller_in_main", "`def smtp(): return SMTP(handler)` in the place of aiosmtpd's Controller"),
        ("asyncio", "no_protocol", "it has returned 5; expected a protocol of asyncio"),
        ("asyncio", "absent", "module 'application' has no 'absent'"),
        ("asyncio", "Unrelated", "no class derived from asyncio.Protocol"),
        ("asyncio", "WithArguments", "can't be made without database: name a function instead that makes one"),
        ("asyncio", "one_argument", "it wants reader: expected (reader, writer), or nothing"),
        ("asyncio", "Lines", 'serve it with protocol = "socketserver"'),
        ("socketserver", "Datagrams", "it is for datagrams; corepool serves connections"),
        ("socketserver", "Upper", "no class derived from socketserver.BaseRequestHandler"),
    ],
)
def test_a_target_that_is_none_is_refused(pool: Pools, protocol: str, target: str, says: str) -> None:
    toml = TOML.format(protocol=protocol, target=target, more="")
    running = pool(toml, files={"application.py": SOURCE}, wait=False, exit_status=3)
    running.wait()
    assert says in running.stderr


def test_serve_takes_a_target(pool: Pools) -> None:
    arguments = ("asyncio", "application:handler", "-b", "tcp://127.0.0.1:0", "-w", "1")
    running = pool.serve(*arguments, files={"application.py": SOURCE})
    with running.connect() as client:
        client.sendall(b"one\n")
        assert client.recv(100) == b"ONE\n"
    assert corepool(running, "stop").returncode == 0
