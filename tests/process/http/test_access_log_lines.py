"""Every response has one line in the access log, whatever it answers, and no client can forge one."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from http_client import ask, http_toml, request
from judge import exchange
from scripted_pool import literal, scripted_pool

from corepool.testing.sockets import connect, receive_all, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

OK = literal("200 OK", [], [b"abc"])
COMMON = re.compile(r'(\S+) - - \[[^\]]+\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)')

REFUSED = {
    "nothing that is known": (b"\x16\x03\x01\x02\x00", "", "", 400),
    "no colon": (b"GET /colon HTTP/1.1\r\nHost a\r\n\r\n", "GET", "/colon", 400),
    "no Host": (b"GET /host HTTP/1.1\r\n\r\n", "GET", "/host", 400),
    "two Hosts": (b"GET /hosts HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET", "/hosts", 400),
    "a slow head": (b"GET /slow HTTP/1.1\r\nHo", "GET", "/slow", 408),
    "a slow line": (b"GET /sl", "GET", "/sl", 408),
    "a large content": (
        b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\n\r\n",
        "POST",
        "/large",
        413,
    ),
    "a long target": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/" + "a" * 8_191, 414),
    "an expectation": (
        b"POST /expect HTTP/1.1\r\nHost: a\r\nExpect: b\r\nContent-Length: 1\r\n\r\n",
        "POST",
        "/expect",
        417,
    ),
    "a long header": (b"GET /head HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", "GET", "/head", 431),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT", "a:443", 501),
    "a version": (b"GET /version HTTP/2.0\r\nHost: a\r\n\r\n", "GET", "/version", 505),
    "behind a request": (request(OK, close=False) + b"GET /behind HTTP/1.1\r\n\r\n", "GET", "/behind", 400),
}


def lines(running: PoolProcess) -> list[str]:
    return (running.directory / "access.log").read_text().splitlines()


def records(running: PoolProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(running)]


def wait_for_lines(running: PoolProcess, count: int) -> None:
    wait_until(lambda: len(lines(running)) >= count)
    assert len(lines(running)) == count


def new_records(running: PoolProcess, before: int, count: int = 1) -> list[dict[str, Any]]:
    """Wait for the next lines."""
    wait_for_lines(running, before + count)
    return records(running)[before:]


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    options = {"access_log": "json", "access_log_file": "access.log", "header_timeout": 0.5, "body_timeout": 0.5}
    with scripted_pool(**options, trusted_proxies=["127.0.0.0/8"]) as pool:
        yield pool


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(running: PoolProcess, name: str) -> None:
    data, method, target, status = REFUSED[name]
    before = len(lines(running))
    received, _ = exchange(running, data, "loop")
    answer = received[received.rindex(b"HTTP/1.1 ") :]
    *_, found = new_records(running, before, 2 if name == "behind a request" else 1)
    assert (found["status"], found["method"], found["target"]) == (status, method, target)
    assert found["bytes"] == len(answer.partition(b"\r\n\r\n")[2])
    assert found["client"] == "127.0.0.1"
    assert found["duration_ms"] >= 0


def test_a_refusal_names_the_client_of_a_trusted_proxy_if_its_header_section_is_whole(running: PoolProcess) -> None:
    before = len(lines(running))
    whole = b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    part = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nA: " + b"a" * 40_000
    for data in (whole, part):
        exchange(running, data, "loop")
    assert [found["client"] for found in new_records(running, before, 2)] == ["192.0.2.1", "127.0.0.1"]


def test_clients_that_leave(running: PoolProcess) -> None:
    before = len(lines(running))
    for mode in ("loop", "threads"):
        with connect(running.urls(mode)[0]) as sock:
            sock.sendall(b"POST /left HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            reset(sock)
    found = new_records(running, before, 2)
    assert [(each["status"], each["method"], each["target"]) for each in found] == [(499, "POST", "/left")] * 2


def test_a_slow_body(running: PoolProcess) -> None:
    before = len(lines(running))
    exchange(running, b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", "loop")
    assert [each["status"] for each in new_records(running, before)] == [408]


def test_pipelined_requests_have_a_line_each(running: PoolProcess) -> None:
    before = len(lines(running))
    exchange(running, request(OK, close=False) * 40 + request(OK), "loop")
    assert [each["status"] for each in new_records(running, before, 41)] == [200] * 41


ECHO = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await receive()
    if scope["type"] == "http":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/refuse":
        await send({"type": "websocket.close"})
    elif scope["path"] == "/deny":
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"who?"})
    elif scope["path"] != "/wait":
        await send({"type": "websocket.accept"})
        if scope["path"] == "/close":
            await send({"type": "websocket.close"})
            return
    await receive()
"""


def test_websockets_and_a_client_that_leaves(pool: Pools) -> None:
    toml = http_toml(target="application:app", access_log="json", access_log_file="access.log")
    running = pool(toml, files={"application.py": ECHO})
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    for path, status in [("/refuse", 403), ("/deny", 401), ("/close", 101), ("/accept", 101), ("/wait", 499)]:
        before = len(lines(running))
        with connect(running.urls()[0]) as sock:
            sock.sendall(request(path, *upgrade, key, close=False))
            if status == 101:
                assert sock.recv(12) == b"HTTP/1.1 101"
            elif path != "/wait":
                receive_all(sock)
            reset(sock)
        [found] = new_records(running, before)
        assert (found["status"], found["target"]) == (status, path)
    before = len(lines(running))
    with connect(running.urls()[0]) as sock:
        sock.sendall(b"POST /left HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        reset(sock)
    assert [found["status"] for found in new_records(running, before)] == [499]
    before = len(lines(running))
    ask(running, request("/", *upgrade, close=False))
    assert [found["status"] for found in new_records(running, before)] == [400]


@pytest.mark.parametrize("kind", ["common", "combined"])
def test_no_line_is_forged(pool: Pools, kind: str) -> None:
    toml = http_toml(
        target="application:app", access_log=kind, access_log_file="access.log", trusted_proxies=["127.0.0.1"]
    )
    running = pool(toml, files={"application.py": WSGI})
    for target in ('/"', '/a"b', "/\\", "/\xe9", '/" 200 5 "', "/\x7f"):
        before = len(lines(running))
        agent = 'b" 1\\ \t \xe9'
        ask(running, request(target, f"User-Agent: {agent}", f"Referer: {agent}"))
        wait_for_lines(running, before + 1)
        match = COMMON.match(lines(running)[-1])
        assert match is not None
        assert lines(running)[-1].isascii()
        rest = lines(running)[-1][match.end() :]
        assert rest == "" if kind == "common" else re.fullmatch(r'( "(?:[^"\\]|\\x[0-9A-F]{2})*"){2}', rest)
    for forwarded in ('for="[fe80::1%a\\" b]"', 'for="[fe80::1%a 200 5]"'):
        before = len(lines(running))
        ask(running, request("/", f"Forwarded: {forwarded}"))
        wait_for_lines(running, before + 1)
        assert COMMON.match(lines(running)[-1])


WSGI = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"abc"]
"""


def test_a_log_that_can_not_be_written_costs_no_response(pool: Pools) -> None:
    toml = http_toml(target="application:app", access_log="common", access_log_file="logs/access.log")
    running = pool(toml, files={"application.py": WSGI, "logs/.keep": ""})
    [pid] = running.workers()
    folder = running.directory / "logs"
    folder.rename(running.directory / "moved")
    psutil.Process(pid).send_signal(signal.SIGUSR1)
    running.wait_logged("lines_not_reopened path=logs/access.log")
    assert ask(running, request("/")).endswith(b"abc")
    wait_until(lambda: " 200 3" in (running.directory / "moved" / "access.log").read_text())
    folder.mkdir()
    psutil.Process(pid).send_signal(signal.SIGUSR1)
    wait_until((folder / "access.log").exists)
    assert ask(running, request("/")).endswith(b"abc")
    wait_until(lambda: " 200 3" in (folder / "access.log").read_text())

    full = pool(
        http_toml(target="application:app", access_log="common", access_log_file="/dev/full"),
        files={"application.py": WSGI},
    )
    for _ in range(5):
        assert ask(full, request("/")).endswith(b"abc")
    full.wait_logged("lines_lost path=/dev/full")
