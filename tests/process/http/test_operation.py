"""Proxies, access logs, deadlines, drain: what an operator relies on."""

from __future__ import annotations

import json
import re
import resource
import signal
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from http_client import APPLICATIONS, ask, get, http_toml, parse, receive_response, request
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from corepool.testing.pools import Pools

ECHO = {"target": "applications:echo", "directory": str(APPLICATIONS)}


def told(running: PoolProcess, *headers: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(get(running, "/", *headers).body)
    return found


def test_only_trusted_proxies_are_believed(pool: Pools) -> None:
    headers = ("X-Forwarded-For: 9.9.9.9, 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: example.org")
    trusting = pool(http_toml(**ECHO, trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"]))
    others = pool(http_toml(**ECHO, trusted_proxies=["10.0.0.0/8"]))

    seen = told(trusting, *headers)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == ("203.0.113.7", "https", "example.org")
    seen = told(others, *headers)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == ("127.0.0.1", "http", "a")

    # Behind two trusted proxies; the outermost address was claimed by the client itself.
    assert told(trusting, "X-Forwarded-For: 9.9.9.9, 203.0.113.7, 10.1.2.3")["REMOTE_ADDR"] == "203.0.113.7"
    forwarded = 'Forwarded: for=9.9.9.9, for="[2001:db8::1]:4711";proto=https;host="example.org:8443"'
    seen = told(trusting, forwarded)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("2001:db8::1", "https")
    assert seen["HTTP_HOST"] == "example.org:8443"
    for nonsense in ("Forwarded: for=", "Forwarded: ;;,,=", "Forwarded: for=unknown", "X-Forwarded-For: <script>"):
        assert told(trusting, nonsense)["REMOTE_ADDR"] == "127.0.0.1"
    assert told(trusting, "X-Forwarded-Host: a/b")["HTTP_HOST"] == "a"


def test_a_proxy_on_a_unix_socket(pool: Pools, tmp_path: Path) -> None:
    running = pool(http_toml(bind=f"unix://{tmp_path}/http.sock", **ECHO, trusted_proxies=["unix"]))
    assert told(running, "X-Forwarded-For: 203.0.113.7")["REMOTE_ADDR"] == "203.0.113.7"
    assert told(running)["SERVER_NAME"] == "localhost"


COMMON = r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a\?b HTTP/1\.1" 200 \d+'


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("common", COMMON),
        ("combined", COMMON + r' "http://r/" "agent \\x22\\x5C"'),
        ("json", r'\{"time": "\d{4}-\d\d-\d\dT[\d:.]{12}Z",.*"target": "/a\?b".*"status": 200.*"duration_ms": .*\}'),
    ],
)
def test_access_log(pool: Pools, kind: str, pattern: str) -> None:
    running = pool(http_toml(**ECHO, access_log=kind, access_log_file="access.log"))
    path = running.directory / "access.log"
    get(running, "/a?b", "Referer: http://r/", 'User-Agent: agent "\\')
    wait_until(path.read_text)
    assert re.fullmatch(pattern + r"\n", path.read_text()), path.read_text()

    path.rename(running.directory / "access.log.1")
    psutil.Process(running.workers()[0]).send_signal(10)
    wait_until(path.exists)
    get(running, "/a?b", "Referer: http://r/", 'User-Agent: agent "\\')
    wait_until(path.read_text)


def test_access_log_on_standard_output(pool: Pools) -> None:
    running = pool(http_toml(**ECHO, access_log="common"))
    get(running, "/a?b")
    wait_until(lambda: re.search(COMMON, running.stdout))


def test_headers_of_the_server(pool: Pools) -> None:
    silent = pool(http_toml(**ECHO, server="", keep_alive=0))
    response = parse(ask(silent, request("/", close=False)), ["GET"])[0]
    assert response.header("server") is None
    assert response.header("connection") == "close"
    assert response.header("date") is not None


def connections(running: PoolProcess) -> int:
    return sum(worker["connections"] for worker in running.status()["workers"])


def test_late_clients_are_cut(pool: Pools) -> None:
    running = pool(http_toml(**ECHO, header_timeout=1, body_timeout=1, keep_alive=1))
    for data, status in [
        (b"GET / HTTP/1.1\r\nHo", 408),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 408),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", 408),
    ]:
        [response] = parse(ask(running, data), ["GET"])
        assert (response.status, response.header("connection")) == (status, "close")
    assert ask(running, b"") == b""
    with connect(running.urls()[0]) as sock:
        # A byte now and then is no progress.
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nA: ")
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.05):
                try:
                    sock.sendall(b"b")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        assert receive_all(sock).startswith(b"HTTP/1.1 408 "), "it comes although the bytes do"
        over.set()
        thread.join()


def test_each_request_has_its_time_anew(pool: Pools) -> None:
    """Waits that together are longer than `keep_alive`, and each far shorter: a busy machine makes them longer."""
    running = pool(http_toml(**ECHO, keep_alive=4))
    with connect(running.urls()[0]) as sock:
        began_s = time.monotonic()
        while time.monotonic() - began_s < 5:
            time.sleep(0.2)
            sock.sendall(request("/", close=False))
            assert receive_response(sock).status == 200
        assert receive_all(sock) == b""


def test_a_request_that_keeps_the_loop_ends_its_worker(pool: Pools) -> None:
    stuck = "import signal\n\ndef app(environ, start_response):\n    signal.pause()\n"
    toml = http_toml(target="stuck:app").replace("[pool]", '[pool]\nheartbeat_timeout = "1s"', 1)
    running = pool(toml, files={"stuck.py": stuck})
    [victim] = running.workers()
    with running.connect() as client:
        client.sendall(request("/"))
        assert receive_all(client) == b""
    wait_until(lambda: "cause=hung " in running.stderr and running.workers() not in ([], [victim]))


def test_a_crowd_of_slow_clients_harms_no_other(pool: Pools) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    socks: list[socket.socket] = []
    try:
        running = pool(
            http_toml(**ECHO, header_timeout=10, body_timeout=10, listener="backlog = 4096"),
            wrapper=("prlimit", "--nofile=20000:20000"),
        )
        url = running.urls()[0]
        for number in range(6_000):
            sock = connect(url)
            socks.append(sock)
            body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
            sock.sendall(body if number % 6 == 0 else b"GET / HTTP/1.1\r\n")
        worker = psutil.Process(running.workers()[0])
        before_s = sum(worker.cpu_times()[:2])
        with connect(url) as probe:
            for _ in range(50):
                probe.sendall(request("/", close=False))
                assert receive_response(probe).status == 200
        assert sum(worker.cpu_times()[:2]) - before_s < 50 * 0.1, "of its own time, which no other process delays"
        for sock in socks:
            sock.settimeout(60)
            assert receive_all(sock).startswith(b"HTTP/1.1 408 ")
    finally:
        for sock in socks:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_clients_that_never_read_are_cut_at_the_write_deadline(pool: Pools) -> None:
    options = {"target": "applications:asgi", "directory": str(APPLICATIONS)}
    running = pool(http_toml(**options, listener='write_timeout = "2s"'))
    worker = psutil.Process(running.workers()[0])
    before = worker.memory_info().rss
    socks = [connect(running.urls()[0]) for _ in range(200)]
    try:
        for sock in socks:
            sock.sendall(request("/large/10485760"))
        wait_until(lambda: int(get(running, "/sent").body) > 200)
        assert worker.memory_info().rss - before < 200 * 1024 * 1024
        wait_until(lambda: connections(running) == 0)
    finally:
        for sock in socks:
            sock.close()


def test_a_leaving_worker_ends_its_connections_between_requests(pool: Pools) -> None:
    running = pool(http_toml(target="applications:wsgi", directory=str(APPLICATIONS), threads=2))
    with connect(running.urls()[0]) as busy, connect(running.urls()[0]) as idle:
        idle.sendall(request("/", close=False))
        receive_response(idle)
        busy.sendall(request("/sleep/0.5", close=False))
        wait_until(lambda: connections(running) == 2)
        running.send_signal(15)
        response = receive_response(busy)
        assert (response.body, response.header("connection")) == (b"slept", "close")
        assert receive_all(idle) == b""
    assert running.wait() == 0


def test_an_access_log_that_is_not_read_stops_no_client(pool: Pools) -> None:
    wrapper = ("sh", "-c", 'mkfifo log && exec 3<>log && exec "$@" >log', "sh")
    running = pool(http_toml(**ECHO, access_log="combined"), wrapper=wrapper)
    asked = b"".join(request("/" + "a" * 1000, close=False) for _ in range(199)) + request("/last")
    assert len(parse(ask(running, asked), ["GET"] * 200)) == 200
    running.wait_logged("lines_lost")


def test_an_access_log_that_can_not_be_opened_stops_a_boot_and_nothing_else(pool: Pools) -> None:
    no_reader = PoolProcess.run(
        http_toml(**ECHO, access_log="common", access_log_file="pipe"),
        wrapper=("sh", "-c", 'mkfifo pipe && exec "$@"', "sh"),
        wait=False,
    )
    with no_reader:
        assert no_reader.wait() == 3
        assert "log file pipe can't be opened: No such device or address" in no_reader.stderr
        assert "Traceback" not in no_reader.stderr

    running = pool(http_toml(**ECHO, access_log="common", access_log_file="logs/a"), files={"logs/.keep": ""})
    (running.directory / "logs").rename(running.directory / "old")
    psutil.Process(running.workers()[0]).send_signal(signal.SIGUSR1)
    running.wait_logged("lines_not_reopened path=logs/a")
    get(running, "/a?b")
    wait_until((running.directory / "old" / "a").read_text)
    assert "Traceback" not in running.stderr


def test_a_request_is_one_however_it_comes_in(pool: Pools) -> None:
    """By reads this upload was thirty, the pipeline one, and half a request one more."""
    echo = '[[listener]]\nname = "echo"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'
    running = pool(http_toml(target="applications:asgi", directory=str(APPLICATIONS)) + echo)
    with running.connect("echo") as client:
        client.sendall(b"one event")
        assert client.recv(100) == b"one event"
    with running.connect("http") as client:
        client.sendall(request("/", close=False) * 5 + request("/", close=False)[:20])
        data = b""
        while data.count(b"HTTP/1.1 200") < 5 or not data.endswith(b"}"):
            data += client.recv(65_536)
    assert json.loads(get(running, "/", method="POST", content=b"x" * 2_000_000).body)["size"] == 2_000_000
    with connect_websocket(running.urls("http")[0].replace("tcp:", "ws:") + "/") as socket:
        for _ in range(3):
            socket.send("hello")
            socket.recv()
    # The echo has one: its client's end was none.
    wait_until(lambda: running.status()["totals"]["requests"] == 5 + 1 + 1 + 1)
