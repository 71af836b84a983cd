"""Access logs with headers of the response and variables of the environ or scope, as text and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from http_client import ask, get, http_toml, request

from corepool.testing.sockets import connect, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

WSGI = """
def app(environ, start_response):
    environ["REMOTE_USER"] = "ann lee" if environ["PATH_INFO"] == "/ann" else ""
    environ["shop.cart"] = 7
    environ["shop.secret"] = object()
    if environ["PATH_INFO"] == "/fail":
        1 // 0
    headers = [("X-Cache", "hit 1"), ("Set-Cookie", "a=1"), ("Set-Cookie", 'b="2"')]
    start_response("200 OK", headers)
    return [b"ab", b"c"] if environ["PATH_INFO"] == "/pieces" else [b"abc"]
"""

ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    scope["REMOTE_USER"] = "ann lee"
    scope["shop.cart"] = 7
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-cache", b"none")]})
        await receive()
        return
    headers = [(b"x-cache", b"hit 1"), (b"set-cookie", b"a=1"), (b"set-cookie", b'b="2"')]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"abc"})
"""

TEXT = '%(m)s %(U)s %(q)s %({X-Cache}o)s "%({set-cookie}o)s" %({remote_user}e)s %({shop.cart}e)s'
JSON = "json cache=%({x-cache}o)s length=%({content-length}o)s user=%({REMOTE_USER}e)s query=%(q)s host2=%({host}i)s"


def lines(running: PoolProcess, count: int) -> list[str]:
    path = running.directory / "access.log"
    wait_until(lambda: len(path.read_text().splitlines()) >= count)
    return path.read_text().splitlines()


def start(pool: Pools, application: str, access_log: str, **options: object) -> PoolProcess:
    files = {"application.py": application, "static/a.txt": "text"}
    toml = http_toml(target="application:app", access_log=access_log, access_log_file="access.log", **options)
    return pool(toml.replace('"/static/":', '"/static/" ='), files=files, traceback=True)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_line_has_what_a_wsgi_application_has_answered_and_written(pool: Pools, threads: int) -> None:
    running = start(pool, WSGI, TEXT, threads=threads)
    for path in ("/ann?x=1", "/", "/pieces", "/fail"):
        get(running, path)
    ask(running, b"GET / HTTP/1.1\r\n\r\n")
    get(running, "/", method="HEAD")

    rest = 'hit\\x201 "a=1, b=\\x222\\x22"'
    assert lines(running, 6) == [
        f"GET /ann x=1 {rest} ann\\x20lee 7",
        f"GET / - {rest} - 7",
        f"GET /pieces - {rest} - 7",
        'GET /fail - - "-" - 7',
        'GET / - - "-" - -',
        f"HEAD / - {rest} - 7",
    ]


def test_a_line_has_what_an_asgi_application_has_answered_and_written(pool: Pools) -> None:
    running = start(pool, ASGI, TEXT)
    get(running, "/ann?x=1")
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    with connect(running.urls()[0]) as sock:
        sock.sendall(request("/chat", *upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", close=False))
        assert sock.recv(12) == b"HTTP/1.1 101"
        reset(sock)

    assert lines(running, 2) == [
        'GET /ann x=1 hit\\x201 "a=1, b=\\x222\\x22" ann\\x20lee 7',
        'GET /chat - none "-" ann\\x20lee 7',
    ]


def test_json_has_the_fields_that_the_format_names_beside_the_usual_ones(pool: Pools) -> None:
    running = start(pool, WSGI, JSON, static={"/static/": "static"})
    for path in ("/ann", "/pieces?y", "/static/a.txt"):
        get(running, path)

    found: list[dict[str, Any]] = [json.loads(line) for line in lines(running, 3)]
    assert [[each[name] for name in ("cache", "length", "user", "query", "host2")] for each in found] == [
        ["hit 1", "3", "ann lee", "", "a"],
        ["hit 1", "", "", "y", "a"],
        ["", "4", "", "", "a"],
    ]
    assert [(each["status"], each["target"]) for each in found] == [
        (200, "/ann"),
        (200, "/pieces?y"),
        (200, "/static/a.txt"),
    ]
