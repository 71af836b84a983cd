"""What a pool does with requests of HTTP/2, as with those of HTTP/1: proxies' headers, lifespan, recycling, counts."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import hpack
import pytest
from http2_client import Http2Client
from http2_frames import frame, split
from http2_smuggled import CASES
from http_client import APPLICATIONS, get, http_toml
from rich.console import Console

from corepool.cli.top import View
from corepool.testing.pools import Pools
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until
from corepool_http.http2.frames import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

OPTIONS = {"directory": str(APPLICATIONS)}

STATEFUL = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["begun"] = "begun"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the lifespan has ended", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"]["begun"].encode()})
"""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("x-forwarded-for", "203.0.113.7:4711"), ("x-forwarded-proto", "https")], ("203.0.113.7", "https")),
        ([("forwarded", 'for="203.0.113.7:4711";proto=https')], ("203.0.113.7", "https")),
        ([], ("127.0.0.1", "http")),
    ],
)
@pytest.mark.parametrize("trusts", [True, False])
def test_a_trusted_proxy_tells_of_its_client(
    pool: Pools, headers: list[tuple[str, str]], expected: tuple[str, str], *, trusts: bool
) -> None:
    trusted = ["127.0.0.0/8"] if trusts else []
    running = pool(http_toml(target="mirror:wsgi", trusted_proxies=trusted, **OPTIONS))
    with connect(running.urls()[0]) as sock:
        client = Http2Client.over(sock)
        told = [json.loads(client.ask("/", *each).content) for each in ([], headers, [])]
    found = [(environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) for environ in told]
    own = ("127.0.0.1", "http")
    assert found == [own, expected if trusts else own, own], "each request of a connection has its own client"


def test_the_lifespan_is_that_of_the_worker(pool: Pools) -> None:
    running = pool(http_toml(target="application:app"), files={"application.py": STATEFUL})
    with connect(running.urls()[0]) as sock:
        client = Http2Client.over(sock)
        assert [client.ask("/").content for _ in range(2)] == [b"begun"] * 2
        running.send_signal(15)
        while client.read():
            pass
        assert client.goaways
    assert running.wait() == 0
    assert "the lifespan has ended" in running.stderr + running.stdout


def test_workers_are_recycled_after_so_many_requests_of_one_connection(pool: Pools) -> None:
    toml = http_toml(target="mirror:asgi", **OPTIONS).replace("workers = 1", "workers = 1\nrecycle_requests = 20")
    assert "recycle_requests" in toml
    running = pool(toml)
    first = running.workers()
    asked = 0
    while running.workers() == first:
        with connect(running.urls()[0]) as sock:
            client = Http2Client.over(sock)
            while not client.goaways:
                assert client.ask("/").status == 200
                asked += 1
    assert asked >= 20
    running.wait_logged("cause=recycled")


def test_status_counts_requests_and_connections(pool: Pools) -> None:
    running = pool(http_toml(target="mirror:asgi", **OPTIONS))
    with connect(running.urls()[0]) as sock:
        client = Http2Client.over(sock)
        client.wait(*(client.begin("/") for _ in range(30)))

        def counts() -> tuple[int, int]:
            totals = running.status()["totals"]
            return totals["requests"], totals["accepted"]

        wait_until(lambda: counts() == (30, 1))


def test_top_counts_connections_and_each_of_their_streams_as_a_request(pool: Pools) -> None:
    running = pool(http_toml(target="streams:wsgi", interface="wsgi", threads=4, **OPTIONS))
    url = running.urls()[0]
    view = View()
    view.add(running.status(), 100.0)

    def shown(name: str) -> float:
        text = io.StringIO()
        Console(width=140, file=text).print(view.render(140, 40))
        found = re.search(rf"^{name} +([\d.]+)", text.getvalue(), re.MULTILINE)
        assert found is not None
        return float(found[1])

    with connect(url) as one, connect(url) as other:
        held, quick = Http2Client.over(one), Http2Client.over(other)
        streams = [held.begin(f"/hold{number}") for number in range(3)]
        for number in range(3):
            running.wait_logged(f"held /hold{number}")
        quick.wait(*(quick.begin("/") for _ in range(20)))
        wait_until(lambda: running.status()["totals"]["requests"] == 20)
        view.add(running.status(), 102.0)
        assert (shown("requests/s"), shown("connections")) == (10.0, 2.0)

        (running.directory / "go").touch()
        held.wait(*streams)
        wait_until(lambda: running.status()["totals"]["requests"] == 23)
        view.add(running.status(), 103.0)
        assert (shown("requests/s"), shown("connections")) == (3.0, 2.0)


@pytest.mark.parametrize("threads", [0, 4])
def test_early_hints_of_wsgi_come_from_the_loop_and_from_threads(pool: Pools, threads: int) -> None:
    running = pool(http_toml(target="hints:wsgi", interface="wsgi", threads=threads, **OPTIONS))
    with connect(running.urls()[0]) as sock:
        answer = Http2Client.over(sock).ask("/?" + quote(repr([[("Link", "</a>")], [("Link", "</b>")]])))
    assert answer.interim == [(103, [("link", "</a>")]), (103, [("link", "</b>")])]
    assert answer.content == b"first second"


@pytest.fixture(scope="module")
def mirror() -> Iterator[PoolProcess]:
    with Pools() as pools:
        yield pools(http_toml(target="mirror:asgi", **OPTIONS))


def end_of(sock: socket.socket, stream: int) -> str:
    """Return how a stream has ended: its status, or the name of the frame that ended it."""
    data = b""
    while more := sock.recv(65_536):
        data += more
        for each in split(data[: whole(data)]):
            if each.kind == HEADERS and each.stream == stream:
                return dict(hpack.Decoder().decode(each.payload))[":status"]
            if each.kind == RST_STREAM and each.stream == stream:
                return "reset"
            if each.kind == GOAWAY:
                return "goaway"
    return "closed"


def whole(data: bytes) -> int:
    """Return how many bytes the frames have that have come as a whole."""
    at = 0
    while len(data) - at >= 9 and len(data) - at >= (size := 9 + int.from_bytes(data[at : at + 3])):
        at += size
    return at


@pytest.mark.parametrize("case", CASES)
def test_a_request_with_two_meanings_is_refused(mirror: PoolProcess, case: str) -> None:
    block = hpack.Encoder().encode(CASES[case])
    with connect(mirror.urls()[0]) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
        sock.sendall(frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, b"abc"))
        assert re.fullmatch("reset|400", end_of(sock, 1))
        sock.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 3, hpack.Encoder().encode(PLAIN)))
        assert end_of(sock, 3) == "200", "the others of its connection are served"
    assert get(mirror, "/").status == 200


PLAIN = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
