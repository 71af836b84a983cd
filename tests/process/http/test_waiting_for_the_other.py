"""The client waits for the application, or the application's responses for the client: no deadline and no limit ends
that.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from http_client import get, http_toml, parse, request
from sources import source
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all, receive_exactly
from corepool.testing.waiting import wait_until
from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.conversation import Conversations
    from corepool.testing.pool import PoolProcess

APPLICATION = source("served/waits.py")

LIMITS = "output_high_water = 65536\noutput_limit = 1048576"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolProcess]:
    folder: Path = tmp_path_factory.mktemp("application")
    folder.joinpath("waits.py").write_text(APPLICATION)
    options = {"body_timeout": 0.1, "keep_alive": 1.0}
    with Pools() as pools:
        yield pools(http_toml(target="waits:app", directory=str(folder), listener=LIMITS, **options), traceback=True)


@pytest.fixture(scope="module")
def threads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolProcess]:
    """Serve with a single thread: whatever keeps it keeps everyone."""
    folder: Path = tmp_path_factory.mktemp("threads")
    folder.joinpath("waits.py").write_text(APPLICATION)
    with Pools() as pools:
        yield pools(http_toml(target="waits:wsgi", directory=str(folder), threads=1, body_timeout=0.1))


def test_a_client_is_not_late_with_content_that_it_was_not_asked_for(running: PoolProcess) -> None:
    with connect(running.urls()[0]) as sock:
        sock.sendall(b"POST /asks-late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert receive_exactly(sock, len(interim)) == interim
        [response] = parse(receive_all(sock), ["POST"])
        assert response.status == 408  # now it is


def test_responses_to_pipelined_requests_wait_until_the_client_reads(running: PoolProcess) -> None:
    count = 4
    asked = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * (count - 1)
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    received = b""
    while not received:  # a busy machine can make the client so late that keep_alive has passed: it asks again
        with _slow_client(running) as sock:
            sock.sendall(asked + last)
            received = receive_all(sock)
    responses = parse(received, ["GET"] * count)
    assert [len(response.body) for response in responses] == [8_000_000] * (count - 1) + [2]


def test_no_deadline_ends_a_broken_response_as_if_it_were_whole(running: PoolProcess) -> None:
    with _slow_client(running) as sock, connect(running.urls()[0]) as idle:
        sock.sendall(b"GET /breaks HTTP/1.0\r\n\r\n")
        assert idle.recv(1) == b""  # keep_alive has passed: for both, since the other one came first
        with pytest.raises(ConnectionResetError):
            receive_all(sock)


def test_a_thread_does_not_wait_for_content_that_never_came(threads: PoolProcess) -> None:
    asked = request("/", "Content-Length: 5", "Expect: 100-continue", method="POST", close=False)
    with connect(threads.urls()[0]) as sock:
        sock.sendall(asked)
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert receive_exactly(sock, len(interim)) == interim
        [response] = parse(receive_all(sock), ["POST"])
        assert response.status == 408
    assert get(threads, "/").body == b"0"


def test_a_client_that_ends_before_it_was_asked_for_its_content_has_an_answer(threads: PoolProcess) -> None:
    asked = request("/", "Content-Length: 5", "Expect: 100-continue", method="POST", close=False)
    with connect(threads.urls()[0]) as sock:
        sock.sendall(asked)
        sock.shutdown(socket.SHUT_WR)
        # The interim response comes if the thread has asked before the end was seen.
        final = receive_all(sock).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    [response] = parse(final, ["POST"])
    assert response.status in {400, 408}  # 408: a busy machine saw the end after body_timeout
    assert get(threads, "/").body == b"0"


def test_content_that_is_refused_while_an_application_reads_it(pool: Pools, tmp_path: Path) -> None:
    tmp_path.joinpath("waits.py").write_text(APPLICATION)
    one = pool(http_toml(target="waits:app", directory=str(tmp_path), max_body=1_000_000))
    for content, status in (
        (b"f4241\r\n" + b"x" * 1_000_001, 413),
        (b"0\r\n" + b"Trailer: x\r\n" * 10_000, 431),
        (b"5\r\nabcdefgh", 400),
    ):
        with connect(one.urls()[0]) as sock:
            sock.sendall(b"POST /content HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + content)
            [response] = parse(receive_all(sock), ["POST"])
        assert response.status == status


def test_an_empty_list_of_expectations_is_none(running: PoolProcess) -> None:
    with connect(running.urls()[0]) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect:\r\nConnection: close\r\n\r\nab")
        [response] = parse(receive_all(sock), ["POST"])
    assert response.status == 200


def test_an_accept_can_not_contradict_the_handshake(running: PoolProcess) -> None:
    url = running.urls()[0].replace("tcp://", "ws://")
    with connect_websocket(url, subprotocols=["a"]) as client:  # type: ignore[list-item]
        assert client.response is not None
        headers = client.response.headers
        assert client.subprotocol == "a"
    assert headers["x-own"] == "other"
    assert "content-length" not in headers
    assert "transfer-encoding" not in headers


def test_a_websocket_that_is_accepted_while_its_worker_leaves_is_told_so(pool: Pools, tmp_path: Path) -> None:
    tmp_path.joinpath("waits.py").write_text(APPLICATION)
    one = pool(http_toml(target="waits:app", directory=str(tmp_path)))
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"
    with connect(one.urls()[0]) as sock:
        sock.sendall(request("/late", "Connection: Upgrade", "Upgrade: websocket", *key, close=False))
        one.wait_logged("the handshake waits")
        one.request("reload")
        wait_until(lambda: "draining" in [worker["state"] for worker in one.status()["workers"]])
        tmp_path.joinpath("go").touch()
        received = b""
        while b"\r\n\r\n" not in received or not received.partition(b"\r\n\r\n")[2][3:]:
            piece = sock.recv(65_536)
            assert piece, received
            received += piece
    assert received.partition(b"\r\n\r\n")[2] == b"\x88\x02\x03\xe9"  # 1001


def test_a_client_that_is_still_sending_holds_its_worker_until_it_has_read_the_refusal(
    connection: Conversations, tmp_path: Path
) -> None:
    client = connection(Http(HttpOptions(root=str(tmp_path))))
    client.send(b"GET / HTTP/1.1\r\nHost a\r\n\r\n")
    assert client.has_met_the_end
    assert client.conn.busy
    assert not client.conn.closed


def test_a_request_that_has_begun_to_come_holds_its_worker(connection: Conversations, tmp_path: Path) -> None:
    client = connection(Http(HttpOptions(root=str(tmp_path))))
    for first, second in ((b"GET / HTTP/1.1\r\nHo", b"st: a\r\n\r\nGET /"), (b" HTTP/1.1\r\n", b"Host: a\r\n\r\n")):
        client.send(first)
        assert client.conn.busy
        client.send(second)
    assert not client.conn.busy


def _slow_client(running: PoolProcess) -> socket.socket:
    host, _, port = running.urls()[0].removeprefix("tcp://").rpartition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(60)
    sock.connect((host, int(port)))
    return sock
