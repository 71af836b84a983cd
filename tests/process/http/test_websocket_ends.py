"""WebSockets: how each side ends one, what the other is told, and what an application may not send."""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from http_client import get, http_toml, parse, request
from sources import source
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pools import Pools

APPLICATION = source("served/websockets_that_end.py")

ACCEPT = {"type": "accept"}


def closing(**keys: Any) -> dict[str, Any]:
    return {"type": "close", **keys}


def sending(**keys: Any) -> dict[str, Any]:
    return {"type": "send", **keys}


@pytest.fixture(scope="module")
def ends() -> Iterator[PoolProcess]:
    """Serve an application that does what its query says."""
    with PoolProcess.run(http_toml(target="application:app"), files={"application.py": APPLICATION}) as running:
        [worker] = running.workers()
        yield running
        assert running.workers() == [worker]
        running.stop()


def path_of(*steps: object) -> str:
    return "/?" + "".join(f"%{byte:02x}" for byte in json.dumps(steps).encode())


def open_socket(running: PoolProcess, *steps: object) -> ClientConnection:
    return connect_websocket(running.urls()[0].replace("tcp://", "ws://") + path_of(*steps))


def events(running: PoolProcess) -> list[Any]:
    found: list[Any] = json.loads(get(running, "/").body)
    return found


def close_of(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.mark.parametrize(
    ("steps", "code", "reason"),
    [
        ([], 1000, ""),
        ([closing()], 1000, ""),
        ([closing(code=None, reason=None)], 1000, ""),
        ([closing(code=4999, reason="bye")], 4999, "bye"),
        ([closing(code=3000)], 3000, ""),
        ([closing(code=1012)], 1012, ""),
        ([closing(reason="x" * 200)], 1000, "x" * 123),
        ([closing(reason="long")], 1000, "é" * 61),
        (["raise"], 1011, ""),
        (["panic"], 1011, ""),
        ([closing(code=4001), "raise"], 4001, ""),
        *(([closing(code=code)], 1011, "") for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000, -1, "1000")),
        ([closing(reason=5)], 1011, ""),
        ([sending()], 1011, ""),
        ([sending(text=None, bytes=None)], 1011, ""),
        ([sending(text="a", raw="b")], 1011, ""),
        ([sending(text=5)], 1011, ""),
        ([sending(text="surrogate")], 1011, ""),
        ([sending(bytes="text")], 1011, ""),
        ([sending(bytes=5)], 1011, ""),
        ([ACCEPT], 1011, ""),
        ([{"type": "what"}], 1011, ""),
        ([{"type": "http.response.start", "status": 200}], 1011, ""),
    ],
)
def test_how_an_application_closes(ends: PoolProcess, steps: list[Any], code: int, reason: str) -> None:
    with open_socket(ends, ACCEPT, *steps) as socket:
        assert close_of(socket) == (code, reason)


@pytest.mark.parametrize(
    ("steps", "status", "body"),
    [
        ([closing()], 403, b"403 Forbidden\n"),
        ([], 500, b"500 Internal Server Error\n"),
        (["raise"], 500, b"500 Internal Server Error\n"),
        (["panic"], 500, b"500 Internal Server Error\n"),
        ([sending(text="too early")], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.body"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.start", "status": 401}], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.start", "status": "401"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.start"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.start", "status": 401}, "raise"], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.start", "status": 401}, ACCEPT], 500, b"500 Internal Server Error\n"),
        ([{"type": "http.response.start", "status": 401}, {"type": "http.response.body"}], 401, b""),
        (
            [
                {"type": "http.response.start", "status": 401, "headers": "pairs"},
                {"type": "http.response.body", "body": "view", "more_body": True},
                {"type": "http.response.body", "body": "array"},
            ],
            401,
            b"aceabc",
        ),
        ([{"type": "accept", "headers": "mapping"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "accept", "headers": "text-pairs"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "accept", "headers": "break"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "accept", "subprotocol": "a\r\nb: c"}], 500, b"500 Internal Server Error\n"),
        ([{"type": "accept", "subprotocol": 5}], 500, b"500 Internal Server Error\n"),
    ],
)
def test_how_a_handshake_is_refused(ends: PoolProcess, steps: list[Any], status: int, body: bytes) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_socket(ends, *steps)
    assert refused.value.response.status_code == status
    assert refused.value.response.body == body


def test_a_denial_that_fails_half_way_is_broken_off(ends: PoolProcess) -> None:
    head = {"type": "http.response.start", "status": 401, "headers": []}
    part = {"type": "http.response.body", "body": "view", "more_body": True}
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    with connect(ends.urls()[0]) as sock:
        sock.sendall(request(path_of(head, part, "raise"), *upgrade, close=False))
        try:
            data = receive_all(sock)
        except ConnectionResetError:
            data = b""
    with pytest.raises((AssertionError, ValueError)):
        parse(data, ["GET"])


def test_bytes_may_be_any_buffer(ends: PoolProcess) -> None:
    with open_socket(ends, ACCEPT, sending(bytes="view"), sending(bytes="array")) as socket:
        assert socket.recv() == b"ace"
        assert socket.recv() == b"abc"


@pytest.mark.parametrize(
    "late", [sending(text="late"), closing(), ACCEPT, {"type": "http.response.start", "status": 200}, {"type": "what"}]
)
def test_a_message_after_the_end_is_an_error_of_the_application(ends: PoolProcess, late: dict[str, Any]) -> None:
    before = len(events(ends))
    with open_socket(ends, ACCEPT, closing(code=4001), late) as socket:
        assert close_of(socket) == (4001, "")
    with pytest.raises(InvalidStatus):
        open_socket(ends, closing(), late)
    wait_until(lambda: len(events(ends)) == before + 2)
    for name, words in events(ends)[before:]:
        assert name == "RuntimeError"
        assert words == f"websocket.{late['type']} was sent after websocket.close"


def tell_code(ends: PoolProcess, before: int) -> list[Any]:
    wait_until(lambda: len(events(ends)) > before)
    code: list[Any] = events(ends)[before]
    return code


def test_the_code_that_an_application_is_told(ends: PoolProcess) -> None:
    for code, reason in ((1000, ""), (1001, "leaving"), (4321, "é")):
        before = len(events(ends))
        with open_socket(ends, ACCEPT, "receive", "receive") as client:
            client.close(code, reason)
        assert tell_code(ends, before) == [code, reason]
        assert tell_code(ends, before + 1) == [code, reason]  # asked again, it is told again


FRAMES = {
    1005: b"\x88\x80\0\0\0\0",  # a close frame without a code
    1006: b"",  # none
    1002: b"\x83\x80\0\0\0\0",  # a reserved opcode
    1007: b"\x81\x81\0\0\0\0\xff",  # text that is not UTF-8
}


@pytest.mark.parametrize("code", FRAMES)
@pytest.mark.parametrize("end", ["close", "reset"])
def test_codes_of_ends_without_a_code(ends: PoolProcess, code: int, end: str) -> None:
    before = len(events(ends))
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    with connect(ends.urls()[0]) as sock:
        sock.sendall(request(path_of(ACCEPT, "receive"), *upgrade, close=False))
        assert sock.recv(1)
        if FRAMES[code]:
            sock.sendall(FRAMES[code])
            wait_until(lambda: len(events(ends)) > before)
        elif end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert tell_code(ends, before)[0] == code


def test_after_its_own_close_an_application_is_told_its_own_code(ends: PoolProcess) -> None:
    before = len(events(ends))
    with open_socket(ends, ACCEPT, closing(code=4002, reason="enough"), "receive") as client:
        assert close_of(client) == (4002, "enough")
    assert tell_code(ends, before) == [4002, "enough"]


def test_what_the_application_does_not_take_is_no_obstacle_to_its_end(ends: PoolProcess) -> None:
    """The client's answer to the close frame is behind messages that are not taken: more than may wait."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    with connect(ends.urls()[0]) as sock:
        sock.sendall(request(path_of(ACCEPT, "receive", closing(code=4003)), *upgrade, close=False))
        assert sock.recv(1)
        sock.sendall(b"\x82\x81\0\0\0\0x" * 10_000)
        sock.sendall(b"\x88\x82\0\0\0\0\x0f\xa3")
        assert receive_all(sock).endswith(b"\x88\x02\x0f\xa3")  # and no reset


def test_sending_to_a_client_that_has_closed(ends: PoolProcess) -> None:
    """It is no error of the application if it isn't caught."""
    for message in (sending(text="late"), closing(), ACCEPT):
        before = len(events(ends))
        with open_socket(ends, ACCEPT, "receive", message) as client:
            client.close(4000)
        told, (name, _) = tell_code(ends, before), tell_code(ends, before + 1)
        assert told == [4000, ""]
        assert name == "ClientDisconnectedError"
    assert "ClientDisconnectedError" not in ends.stderr


def test_the_code_as_the_worker_leaves(pool: Pools) -> None:
    running = pool(http_toml(target="application:app"), files={"application.py": APPLICATION})
    with open_socket(running, ACCEPT, sending(text="there"), "receive") as client:
        assert client.recv() == "there"
        running.send_signal(15)
        assert close_of(client)[0] == 1001
    assert running.wait() == 0
    assert "told 1001" in running.stdout


def test_a_client_that_sends_is_there_though_its_pong_is_late(pool: Pools) -> None:
    """A pong can't come within a frame, and a frame may take longer than the time between two pings."""
    running = pool(http_toml(target="application:app", ping_interval=1), files={"application.py": APPLICATION})
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    with connect(running.urls()[0]) as sock:
        sock.sendall(request(path_of(ACCEPT, "receive", closing(code=4000)), *upgrade, close=False))
        data = sock.recv(4096)
        assert data.startswith(b"HTTP/1.1 101 ")
        sock.sendall(b"\x82\xfe\xff\xff\0\0\0\0")
        sent = pings = 0
        while sent < 65_535 and pings < 2:
            sock.sendall(b"x")
            sent += 1
            sock.settimeout(0.01)
            try:
                pings += sock.recv(4096).count(b"\x89\0")
            except TimeoutError:
                pass
        sock.settimeout(60)
        sock.sendall(b"x" * (65_535 - sent))
        data = b""
        while not data.endswith(b"\x88\x02\x0f\xa0"):
            piece = sock.recv(4096)
            assert piece, data
            data += piece
