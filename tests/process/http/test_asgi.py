"""ASGI applications: streams both ways, lifespan, contexts, WebSockets."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import psutil
import pytest
from http_client import APPLICATIONS, ask, get, http_toml, parse, receive_response, request
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools


def events(running: PoolProcess) -> list[str]:
    found: list[str] = json.loads(get(running, "/events").body)
    return found


def test_an_application_gets_the_request(asgi: PoolProcess) -> None:
    told = json.loads(get(asgi, "/a%20b/%C3%A9?c=d", "X-Thing: 1", "X-Thing: 2").body)
    assert (told["path"], told["method"], told["http_version"]) == ("/a b/é", "GET", "1.1")
    assert [value for name, value in told["headers"] if name == "x-thing"] == ["1", "2"]
    assert told["client"][0] == "127.0.0.1"


def test_content_is_streamed(asgi: PoolProcess) -> None:
    content = bytes(range(256)) * 8_000
    told = json.loads(get(asgi, "/", method="POST", content=content).body)
    assert (told["size"], told["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    with connect(asgi.urls()[0]) as sock:
        sock.sendall(request("/", "Expect: 100-continue", "Content-Length: 5", method="POST", close=False))
        assert receive_exactly(sock, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abcde")
        assert json.loads(receive_response(sock).body)["size"] == 5
    answer = ask(asgi, request("/unread", "Expect: 100-continue", "Content-Length: 5", method="POST", close=False))
    assert parse(answer, ["POST"])[0].header("connection") == "close"


def test_requests_of_one_connection_are_answered_in_order(asgi: PoolProcess) -> None:
    asked = [request(f"/{number}", close=number == 99) for number in range(100)]
    responses = parse(ask(asgi, b"".join(asked)), ["GET"] * 100)
    assert [json.loads(response.body)["path"] for response in responses] == [f"/{n}" for n in range(100)]


def test_a_client_that_does_not_read_pauses_the_application(asgi: PoolProcess) -> None:
    worker = psutil.Process(asgi.workers()[0])
    before = worker.memory_info().rss
    with connect(asgi.urls()[0]) as sock:
        sock.sendall(request("/large/655360000"))
        counts: list[int] = []

        def has_stopped() -> bool:
            counts.append(int(get(asgi, "/sent").body))
            return len(counts) > 20 and counts[-20] == counts[-1] > 0

        wait_until(has_stopped)
        assert counts[-1] < 200
    assert worker.memory_info().rss - before < 30 * 1024 * 1024
    wait_until(lambda: get(asgi, "/").status == 200)


def test_the_application_learns_that_the_client_has_gone(asgi: PoolProcess) -> None:
    with connect(asgi.urls()[0]) as sock:
        sock.sendall(request("/wait-for-disconnect"))
    wait_until(lambda: "http.disconnect" in events(asgi))


def test_an_application_that_waits_for_the_end_is_told(asgi: PoolProcess) -> None:
    with connect(asgi.urls()[0]) as sock:
        sock.sendall(request("/concurrent", close=False))
        assert receive_response(sock).body == b"done"
        wait_until(lambda: "then http.disconnect" in events(asgi))


def test_tasks_outlive_the_response_and_contexts_do_not(asgi: PoolProcess) -> None:
    assert get(asgi, "/background").body == b"done"
    wait_until(lambda: "background" in events(asgi))
    assert get(asgi, "/context").body == b"none"
    assert get(asgi, "/context").body == b"none"
    assert get(asgi, "/state").body == b"at startup"


@pytest.mark.parametrize("path", ["/raise", "/return", "/inject", "/exit"])
def test_a_failing_application_is_answered_for(asgi: PoolProcess, path: str) -> None:
    pids = asgi.workers()
    assert get(asgi, path).status == 500
    if path == "/inject":
        asgi.wait_logged('response_invalid request="GET /inject" reason="line break in a header: ')
    assert get(asgi, "/path-send").body == (APPLICATIONS / "applications.py").read_bytes()
    assert asgi.workers() == pids


def test_lifespan(pool: Pools, tmp_path: Path) -> None:
    mark = tmp_path / "shut-down"
    toml = http_toml(target="applications:asgi", directory=str(APPLICATIONS))
    running = pool(toml, environment={"TEST_SHUTDOWN_MARK": str(mark)})
    running.stop()
    assert mark.exists()


def test_an_application_that_cannot_start_stops_the_boot() -> None:
    with PoolProcess.run(http_toml(target="applications:failing", directory=str(APPLICATIONS)), wait=False) as running:
        assert running.wait() == 3
        assert "the database is away" in running.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere:app", "there is no module 'nowhere'"),
        ("applications:nothing", "module 'applications' has no 'nothing'"),
        ("applications:HERE_IS_NONE", "has no"),
    ],
)
def test_an_application_that_is_not_there_stops_the_boot(target: str, words: str) -> None:
    with PoolProcess.run(http_toml(target=target, directory=str(APPLICATIONS)), wait=False) as running:
        assert running.wait() == 3
        assert words in running.stderr


def websocket_url(running: PoolProcess, path: str) -> str:
    return running.urls()[0].replace("tcp://", "ws://") + path


def test_websocket(asgi: PoolProcess) -> None:
    with connect_websocket(websocket_url(asgi, "/"), subprotocols=["other", "chat"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "chat"
        assert socket.response is not None
        assert socket.response.headers["x-from"] == "application"
        for message in ("hello", b"\0\1", "é" * 100_000, b"", ""):
            socket.send(message)
            assert socket.recv() == message
        socket.send(["in ", "three ", "parts"])
        assert socket.recv() == "in three parts"
        assert socket.ping().wait(60)
        socket.close(4000, "bye")
    wait_until(lambda: "disconnect 4000" in events(asgi))


def test_websocket_without_deflate_and_with_small_messages(pool: Pools) -> None:
    running = pool(http_toml(target="applications:asgi", directory=str(APPLICATIONS), deflate=False, max_message=1000))
    with connect_websocket(websocket_url(running, "/")) as socket:
        socket.send("x" * 1000)
        assert socket.recv() == "x" * 1000
        socket.send("x" * 1001)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_websocket_refusals(asgi: PoolProcess) -> None:
    for path, status, body in (("/refuse", 403, b"403 Forbidden\n"), ("/deny", 401, b"who are you?")):
        with pytest.raises(InvalidStatus) as refused:
            connect_websocket(websocket_url(asgi, path))
        assert refused.value.response.status_code == status
        assert refused.value.response.body == body
    for path, code in (("/raise", 1011), ("/close", 4001)):
        with connect_websocket(websocket_url(asgi, path)) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    assert parse(ask(asgi, request("/", *upgrade, close=False) + b"x" * 100), ["GET"])[0].status == 400
    assert get(asgi, "/", *upgrade, *["A: b"] * 200).status == 400  # websockets takes 128 headers
    assert "response_invalid" not in asgi.stderr, "it is not the application's fault"


def test_websockets_are_told_that_the_worker_leaves(asgi: PoolProcess) -> None:
    with connect_websocket(websocket_url(asgi, "/")) as socket:
        socket.send("x")
        assert socket.recv() == "x"
        asgi.send_signal(15)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    assert asgi.wait() == 0


def test_messages_that_wait_are_bounded_in_bytes(pool: Pools) -> None:
    """Packed, each of these messages has a kilobyte. Their client is read on when the application has taken some."""
    running = pool(
        http_toml(target="applications:asgi", directory=str(APPLICATIONS), max_message=2**20, ping_interval=0.5)
    )
    worker = psutil.Process(running.workers()[0])
    with connect_websocket(websocket_url(running, "/late"), ping_interval=None) as socket:
        wait_until(lambda: "accepted" in events(running))
        before = worker.memory_info().rss
        for _ in range(60):
            socket.send(bytes(2**20))
        for _ in range(50):  # each answer is one turn of the loop at least, and the socket is in each
            events(running)
        assert worker.memory_info().rss < before + 16 * 2**20
        get(running, "/go")
        socket.send("how many bytes?")
        assert socket.recv() == str(60 * 2**20)


def test_many_small_parts_of_a_message(asgi: PoolProcess) -> None:
    with connect_websocket(websocket_url(asgi, "/"), compression=None) as socket:
        socket.send([b"", b"a", b"", *[b"bc"] * 5000, b""])
        assert socket.recv() == b"a" + b"bc" * 5000


def test_websocket_pings_end_a_client_that_is_gone(pool: Pools) -> None:
    running = pool(http_toml(target="applications:asgi", directory=str(APPLICATIONS), ping_interval=0.1))
    with connect(running.urls()[0]) as sock:
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
        sock.sendall(request("/", *upgrade, close=False))
        data = b""
        try:
            while piece := sock.recv(1000):
                data += piece
        except ConnectionResetError:
            pass
    assert data.startswith(b"HTTP/1.1 101 ")
    wait_until(lambda: "disconnect 1006" in events(running))
