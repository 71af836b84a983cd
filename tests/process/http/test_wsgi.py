"""WSGI applications (PEP 3333), in the loop and in threads."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import psutil
import pytest
from http_client import APPLICATIONS, ask, get, http_toml, parse, receive_response, request

from corepool.testing.sockets import connect, receive_exactly, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


def test_an_application_gets_the_request(wsgi: PoolProcess) -> None:
    response = get(wsgi, "/a%20b?c=d", "X-Thing: 1", "X-Thing: 2", "Cookie: a=1", "Cookie: b=2", "X_Thing: no")
    told = json.loads(response.body)

    assert response.status == 200
    assert response.header("server") == "corepool"
    assert response.header("content-length") == str(len(response.body))
    assert (told["PATH_INFO"], told["QUERY_STRING"], told["REQUEST_METHOD"]) == ("/a b", "c=d", "GET")
    assert (told["HTTP_X_THING"], told["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")
    assert told["REMOTE_ADDR"] == "127.0.0.1"
    assert told["SERVER_PROTOCOL"] == "HTTP/1.1"


@pytest.mark.parametrize("threads", [0, 2])
def test_wsgiref_finds_no_fault(pool: Pools, threads: int) -> None:
    running = pool(http_toml(target="applications:validated", directory=str(APPLICATIONS), threads=threads))
    assert get(running, "/").status == 200
    assert json.loads(get(running, "/", method="POST", content=b"x" * 10).body)["size"] == 10
    assert get(running, "/", method="HEAD").status == 200


def test_requests_of_one_connection_are_answered_in_order(wsgi: PoolProcess) -> None:
    asked = [request(f"/{number}", close=number == 99) for number in range(100)]
    responses = parse(ask(wsgi, b"".join(asked)), ["GET"] * 100)

    assert [json.loads(response.body)["PATH_INFO"] for response in responses] == [f"/{n}" for n in range(100)]


def test_content_arrives_whole_however_it_is_sent(wsgi: PoolProcess) -> None:
    content = bytes(range(256)) * 8_000
    expected = hashlib.sha256(content).hexdigest()
    told = json.loads(get(wsgi, "/", method="POST", content=content).body)
    assert (told["size"], told["sha256"]) == (len(content), expected)

    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:10], content[10:70_000], content[70_000:])
    )
    head = request("/", "Transfer-Encoding: chunked", method="POST")
    [response] = parse(ask(wsgi, head + chunks + b"0\r\nX: trailer\r\n\r\n"), ["POST"])
    told = json.loads(response.body)
    assert (told["size"], told["sha256"], told["CONTENT_LENGTH"]) == (len(content), expected, str(len(content)))


def test_a_large_upload_takes_little_memory(wsgi: PoolProcess) -> None:
    worker = psutil.Process(wsgi.workers()[0])
    before = worker.memory_info().rss
    size = 200 * 1024 * 1024
    block = b"x" * 1024 * 1024
    with connect(wsgi.urls()[0]) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        most = 0
        for _ in range(200):
            sock.sendall(block)
            most = max(most, worker.memory_info().rss)
        assert json.loads(receive_response(sock).body)["size"] == size

    assert most - before < 20 * 1024 * 1024


def test_continue_is_sent_before_content_is_read(wsgi: PoolProcess) -> None:
    with connect(wsgi.urls()[0]) as sock:
        sock.sendall(request("/", "Expect: 100-continue", "Content-Length: 5", method="POST", close=False))
        assert receive_exactly(sock, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abcde")
        assert json.loads(receive_response(sock).body)["size"] == 5


@pytest.mark.parametrize("wsgi", ["threads"], indirect=True)
def test_continue_is_not_sent_when_the_content_is_not_read(wsgi: PoolProcess) -> None:
    answer = ask(wsgi, request("/unread", "Expect: 100-continue", "Content-Length: 5", method="POST", close=False))
    [response] = parse(answer, ["POST"])
    assert (response.status, response.header("connection")) == (200, "close")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/write", 200, b"one two three"),
        ("/exc-info", 503, b"sorry"),
        ("/empty", 204, b""),
        ("/nothing", 200, b""),
        ("/pieces/3", 200, b"0000000\n0000001\n0000002\n"),
        ("/pieces/30000", 200, b"".join(b"%07d\n" % number for number in range(30_000))),
        ("/file", 200, (APPLICATIONS / "applications.py").read_bytes()),
        ("/no-loop", 200, b"ran a loop of its own"),
        ("/long", 200, b"long"),
        ("/raise", 500, b"500 Internal Server Error\n"),
        ("/raise-first", 500, b"500 Internal Server Error\n"),
        ("/inject", 500, b"500 Internal Server Error\n"),
        ("/inject-name", 500, b"500 Internal Server Error\n"),
        ("/no-start", 500, b"500 Internal Server Error\n"),
        ("/exit", 500, b"500 Internal Server Error\n"),
        ("/cancelled", 500, b"500 Internal Server Error\n"),
        ("/twice", 500, b"500 Internal Server Error\n"),
    ],
)
def test_responses(wsgi: PoolProcess, path: str, status: int, body: bytes) -> None:
    pids = wsgi.workers()
    response = get(wsgi, path)
    assert (response.status, response.body) == (status, body)
    old = b"".join(part + b"\r\n" for part in (f"GET {path} HTTP/1.0".encode(), b""))
    [response] = parse(ask(wsgi, old), ["GET"])
    assert (response.status, response.body) == (status, body)
    response = get(wsgi, path, method="HEAD")
    assert (response.status, response.body) == (status, b"")
    assert wsgi.workers() == pids


def test_text_is_no_content(wsgi: PoolProcess) -> None:
    assert get(wsgi, "/text").status == 500


def test_an_error_is_logged_with_its_request(wsgi: PoolProcess) -> None:
    assert get(wsgi, "/raise?a=b").status == 500
    wsgi.wait_logged("raised on purpose", 'request_failed request="GET /raise?a=b"')


@pytest.mark.parametrize("path", ["/short", "/raise-later"])
def test_a_response_that_breaks_off_is_seen_to(wsgi: PoolProcess, path: str) -> None:
    closed = int(get(wsgi, "/closed").body)
    with connect(wsgi.urls()[0]) as sock:
        sock.sendall(request(path, close=False))
        data = b""
        try:
            while piece := sock.recv(65_536):
                data += piece
        except ConnectionResetError:
            pass
    assert not data.endswith(b"0\r\n\r\n")
    if path == "/raise-later":
        assert int(get(wsgi, "/closed").body) == closed + 1


def test_cookies_are_set_one_by_one(wsgi: PoolProcess) -> None:
    headers = get(wsgi, "/cookies").headers
    assert [value for name, value in headers if name == "Set-Cookie"] == ["a=1", "b=2"]


def test_a_client_that_does_not_read_costs_little(wsgi: PoolProcess) -> None:
    worker = psutil.Process(wsgi.workers()[0])
    before = worker.memory_info().rss
    socks = [connect(wsgi.urls()[0]) for _ in range(2)]
    for sock in socks:
        sock.sendall(request(f"/large/{655_360_000}"))
    with connect(wsgi.urls()[0]) as probe:
        if wsgi_is_inline(wsgi):
            for _ in range(20):
                probe.sendall(request("/", close=False))
                assert receive_response(probe).status == 200
    assert worker.memory_info().rss - before < 30 * 1024 * 1024
    for sock in socks:
        sock.close()
    wait_until(lambda: get(wsgi, "/").status == 200)


def wsgi_is_inline(running: PoolProcess) -> bool:
    return "threads = 0" in (running.directory / "corepool.toml").read_text()


@pytest.mark.parametrize("wsgi", ["threads"], indirect=True)
def test_threads_keep_the_loop_free(wsgi: PoolProcess) -> None:
    with connect(wsgi.urls()[0]) as slow, connect(wsgi.urls()[0]) as quick:
        slow.sendall(request("/sleep/1", close=False))
        quick.sendall(request("/", close=False))
        assert receive_response(quick).status == 200
        slow.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.recv(1)
        slow.settimeout(60)
        assert receive_response(slow).body == b"slept"


@pytest.mark.parametrize("wsgi", ["threads"], indirect=True)
def test_saturated_threads_are_logged(wsgi: PoolProcess) -> None:
    with connect(wsgi.urls()[0]) as first, connect(wsgi.urls()[0]) as second, connect(wsgi.urls()[0]) as third:
        for sock in (first, second, third):
            sock.sendall(request("/sleep/0.2", close=False))
        for sock in (first, second, third):
            assert receive_response(sock).body == b"slept"
    wsgi.wait_logged("threads_busy protocol=http threads=2 waiting=1")


CROWDED = """
import threading
import time
from pathlib import Path

def app(environ, start_response):
    start_response("200 OK", [])
    with Path("called").open("a") as called:
        print(environ["PATH_INFO"], file=called)
    if environ["PATH_INFO"] == "/hold":
        threading.stack_size(2**47)  # of which there is not as much: no further thread can be started
        while not Path("go").exists():
            time.sleep(0.01)
    return [environ["PATH_INFO"].encode()]
"""


def test_a_thread_that_can_not_be_started_is_done_without(pool: Pools) -> None:
    running = pool(http_toml(target="application:app", threads=2), files={"application.py": CROWDED})
    with connect(running.urls()[0]) as first, connect(running.urls()[0]) as second:
        first.sendall(request("/hold", close=False))
        wait_until((running.directory / "called").exists)
        second.sendall(request("/next", close=False))
        stuck = 'threads=1 waiting=1 reason="can\'t start new thread"'
        running.wait_logged(stuck)
        (running.directory / "go").touch()
        assert receive_response(first).body == b"/hold"
        assert receive_response(second).body == b"/next"
    wait_until(lambda: running.status()["workers"][0]["threads_busy"] == 0)
    wait_until(lambda: running.status()["workers"][0]["threads_waiting"] == 0)


def test_a_request_whose_client_goes_before_it_has_a_thread_is_not_served(pool: Pools) -> None:
    running = pool(http_toml(target="application:app", threads=1), files={"application.py": CROWDED})
    with connect(running.urls()[0]) as first, connect(running.urls()[0]) as second, connect(running.urls()[0]) as third:
        first.sendall(request("/hold", close=False))
        wait_until((running.directory / "called").exists)
        second.sendall(request("/gone", close=False))
        third.sendall(request("/next", close=False))
        wait_until(lambda: running.status()["workers"][0]["threads_waiting"] == 2)
        reset(second)
        wait_until(lambda: running.status()["workers"][0]["connections"] == 2)
        (running.directory / "go").touch()
        assert receive_response(third).body == b"/next"
    assert (running.directory / "called").read_text() == "/hold\n/next\n"


def test_a_factory_makes_the_application(pool: Pools) -> None:
    running = pool.serve(
        "http", "applications:make()", "-b", "tcp://127.0.0.1:0", "-w", "1", "-o", f"directory={APPLICATIONS}"
    )
    assert get(running, "/").status == 200
