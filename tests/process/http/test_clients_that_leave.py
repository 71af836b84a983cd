"""Clients that leave, and what applications make of it: no error is logged, and no work goes on."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from http_client import get, http_toml, parse, request
from sources import source
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION = source("served/left.py")


@pytest.fixture(scope="module")
def left() -> Iterator[PoolProcess]:
    """Serve an application whose clients leave."""
    with PoolProcess.run(http_toml(target="application:app"), files={"application.py": APPLICATION}) as running:
        [worker] = running.workers()
        yield running
        assert running.workers() == [worker]
        running.stop()


def has_said(running: PoolProcess, words: str, times: int = 1) -> None:
    wait_until(lambda: running.stdout.count(f"{words} |") >= times)


def errors(running: PoolProcess) -> str:
    return "\n".join(line for line in running.stderr.splitlines() if "ERROR" in line)


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("middleware", ["", "?middleware"])
@pytest.mark.parametrize("path", ["/endless", "/endless-in-thread", "/silent", "/polls", "/upload"])
def test_a_framework_is_told_and_nothing_is_logged(left: PoolProcess, path: str, middleware: str, end: str) -> None:
    if path == "/polls" and middleware:
        return  # BaseHTTPMiddleware loses what receive() returns without a wait, under every server
    before, logged = left.stdout.count(f"ended {path} |"), errors(left)
    with connect(left.urls()[0]) as sock:
        if path == "/upload":
            sock.sendall(request(f"{path}{middleware}", "Content-Length: 1000", method="POST", close=False) + b"x")
        else:
            sock.sendall(request(f"{path}{middleware}", close=False))
        if path in {"/polls", "/upload"}:
            has_said(left, f"begun {path}", before + 1)
        else:
            assert sock.recv(1)
        if end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if not middleware or path == "/silent":
        # A generator that is cancelled while send() has its piece is left to the garbage collector.
        wait_until(lambda: get(left, "/collect").status == 200 and left.stdout.count(f"ended {path} |") > before)
    assert get(left, "/nowhere").status == 404  # whatever was to be logged has been by now
    assert errors(left) == logged


@pytest.mark.parametrize(
    ("path", "is_polite"),
    # A client that is told more than it reads waits for its own queue as it closes.
    [("/endpoint", True), ("/endpoint", False), ("/echo", True), ("/echo", False), ("/pushes", False)],
)
def test_a_websocket_is_told_and_nothing_is_logged(left: PoolProcess, path: str, *, is_polite: bool) -> None:
    before, logged = left.stdout.count(f"ended {path} |"), errors(left)
    with connect_websocket(left.urls()[0].replace("tcp://", "ws://") + path) as socket:
        if path != "/pushes":
            socket.send("x")
        assert socket.recv()
        if not is_polite:
            socket.socket.close()
    has_said(left, f"ended {path}", before + 1)
    assert get(left, "/nowhere").status == 404
    assert errors(left) == logged


def test_a_websocket_has_a_version_of_its_own(left: PoolProcess) -> None:
    """Of http it is 2.3, of which Starlette ends a silent stream; here, send() raises at once."""
    with connect_websocket(left.urls()[0].replace("tcp://", "ws://") + "/plain/version") as socket:
        assert socket.recv() == "2.4"


def test_a_client_that_has_ended_its_side_may_still_read(left: PoolProcess) -> None:
    with connect(left.urls()[0]) as sock:
        sock.sendall(request("/plain/late", close=False))
        sock.shutdown(socket.SHUT_WR)
        assert parse(receive_all(sock), ["GET"])[0].body == b"late"
    has_said(left, "told /plain/late http.disconnect")


def test_an_application_may_return_when_it_is_told(left: PoolProcess) -> None:
    logged = errors(left)
    with connect(left.urls()[0]) as sock:
        sock.sendall(request("/plain/returns", close=False))
        sock.shutdown(socket.SHUT_WR)
        try:
            assert receive_all(sock) == b""
        except ConnectionResetError:
            pass
    assert errors(left) == logged


@pytest.mark.parametrize("name", ["ends", "endless", "deaf", "listens"])
def test_output_for_a_client_that_has_left(left: PoolProcess, name: str) -> None:
    """It is ignored, as ASGI 2.3 has it; but not for ever."""
    logged = errors(left)
    with connect(left.urls()[0]) as sock:
        sock.sendall(request(f"/plain/{name}", close=False))
        has_said(left, f"begun /plain/{name}")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: f"ended /plain/{name} " in left.stdout)
    assert get(left, "/nowhere").status == 404
    assert "by itself" not in left.stdout, "each message gives the others a turn, so that one that listens can end it"
    assert errors(left) == logged


def test_an_error_of_its_own_is_logged_though_the_client_has_gone(left: PoolProcess) -> None:
    with connect(left.urls()[0]) as sock:
        sock.sendall(request("/plain/fails", close=False))
        has_said(left, "begun /plain/fails")
    left.wait_logged("ValueError: the application's own")
