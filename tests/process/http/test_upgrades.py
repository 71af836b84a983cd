"""Wishes to upgrade (RFC 9110, 7.8): granted to WebSockets of an ASGI application, ignored everywhere else."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from http_client import APPLICATIONS, Response, parse, request
from hypothesis import given
from hypothesis import strategies as st

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.heads import HeadReader
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
VERSION = "Sec-WebSocket-Version: 13"
WISH = ("Connection: Upgrade", "Upgrade: websocket", KEY, VERSION)
TOML = """
[[listener]]
name = "wsgi"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
target = "mirror:wsgi"
directory = "{here}"
[[listener]]
name = "files"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
root = "{here}"
[[listener]]
name = "admin"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
[[listener]]
name = "asgi"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
target = "mirror:asgi"
directory = "{here}"
max_head = "64KiB"
"""


class Urls(NamedTuple):
    wsgi: str
    files: str
    admin: str
    asgi: str


@pytest.fixture(scope="module")
def urls() -> Iterator[Urls]:
    """Serve everything that speaks HTTP."""
    with Pools() as pools:
        yield Urls(*pools(TOML.format(here=APPLICATIONS)).urls())


def ask(url: str, data: bytes, count: int = 1) -> list[Response]:
    with connect(url) as sock:
        sock.sendall(data)
        return parse(receive_all(sock), ["GET"] * count)


PATHS = {"wsgi": "/first", "files": "/mirror.py", "admin": "/livez", "asgi": "/first"}
UNGRANTED = {
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "TLS": ("Connection: upgrade", "Upgrade: TLS/1.0"),
    "lines": ("Connection: upgrade", "Connection: keep-alive", "Upgrade: a", "Upgrade: b"),
}


@pytest.mark.parametrize("name", ["wsgi", "files", "admin"])
@pytest.mark.parametrize("wish", [WISH, *UNGRANTED.values()])
def test_a_wish_that_is_not_granted_is_ignored(urls: Urls, name: str, wish: tuple[str, ...]) -> None:
    first = request(PATHS[name], *wish, close=False)
    answers = ask(getattr(urls, name), first + first + request(PATHS[name]), 3)
    assert [each.status for each in answers] == [200, 200, 200]
    assert [each.header("connection") for each in answers] == [None, None, "close"]

    with connect(getattr(urls, name)) as sock:  # and when the next request comes in a segment of its own
        sock.sendall(first)
        answer = sock.recv(65_536)
        sock.sendall(request(PATHS[name]))
        responses = parse(answer + receive_all(sock), ["GET", "GET"])
    assert [each.status for each in responses] == [200, 200]


def test_the_application_sees_the_wish(urls: Urls) -> None:
    [response] = ask(urls.wsgi, request("/", *UNGRANTED["h2c"], close=False) + request("/"), 2)[:1]
    environ = json.loads(response.body)
    assert (environ["HTTP_UPGRADE"], environ["HTTP_CONNECTION"]) == ("h2c", "Upgrade, HTTP2-Settings")
    [response] = ask(urls.asgi, request("/", *UNGRANTED["h2c"]))
    assert ["upgrade", "h2c"] in json.loads(response.body)["headers"]


@pytest.mark.parametrize(
    "body", [("Content-Length: 3", b"abc"), ("Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n")]
)
@pytest.mark.parametrize("closes", [False, True])
def test_the_content_beside_a_wish_is_read(urls: Urls, body: tuple[str, bytes], closes: bool) -> None:  # noqa: FBT001
    for url, method in itertools.product((urls.wsgi, urls.asgi), ("POST", "GET")):
        options = ["close, upgrade"] if closes else ["upgrade"]
        lines = [*(f"Connection: {each}" for each in options), "Upgrade: websocket", KEY, VERSION, body[0]]
        data = request("/", *lines, method=method, close=False) + body[1]
        with connect(url) as sock:
            sock.sendall(data + request("/behind"))
            responses = parse(receive_all(sock), ["GET"] * (1 if closes else 2))
        assert json.loads(responses[0].body)["content"] == "abc"
        assert responses[-1].header("connection") == "close"
        assert closes or json.loads(responses[1].body)["content"] == ""


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ("1.0", WISH),  # RFC 9110, 7.8: a server must ignore it there
        ("1.1", ("Upgrade: websocket", KEY, VERSION)),
        ("1.1", ("Connection: upgraded", "Upgrade: websocket", KEY, VERSION)),
        ("1.1", ("Connection: Upgrade", KEY, VERSION)),
        ("1.1", ("Connection: Upgrade", "Upgrade: websockets", KEY, VERSION)),
        ("1.1", ("Connection: Upgrade", "Upgrade: h2c", KEY, VERSION)),
    ],
)
def test_anything_but_a_wish_for_a_websocket_is_a_plain_request(
    urls: Urls, version: str, lines: tuple[str, ...]
) -> None:
    data = request("/", *lines, close=False).replace(b"HTTP/1.1", b"HTTP/" + version.encode())
    with connect(urls.asgi) as sock:
        sock.sendall(data)
        sock.shutdown(1)
        [response] = parse(receive_all(sock), ["GET"])
    assert json.loads(response.body)["type"] == "http"


def shake_hands(url: str, *lines: str, path: str = "/") -> tuple[int, dict[str, object]]:
    """Return the status, and what the application was told."""
    with connect(url) as sock:
        sock.sendall(request(path, *lines, close=False))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = sock.recv(1)
            assert piece, head
            head += piece
        status = int(head.split(b" ")[1])
        if status != 101:
            return status, {
                name.decode().lower(): value.decode()
                for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:-2])
            }
        sock.sendall(b"\x88\x82\0\0\0\0\x03\xe8")  # a close, masked with zeros
        answer = receive_all(sock)
    size, at = answer[1], 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, at = int.from_bytes(answer[2 : 2 + width]), 2 + width
    told: dict[str, object] = json.loads(answer[at : at + size])
    return status, told


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: Upgrade", "Upgrade: websocket"),
        ("Connection: keep-alive, Upgrade", "Upgrade: websocket"),
        ("connection: keep-alive", "CONNECTION: UPGRADE", "upgrade: WebSocket"),
        ("Connection: Upgrade", "Upgrade: foo, websocket"),
        ("Connection: Upgrade", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"),
        ("Connection: ,Upgrade,", "Upgrade: websocket"),
    ],
)
def test_a_wish_is_a_list_without_case(urls: Urls, lines: tuple[str, ...]) -> None:
    status, told = shake_hands(urls.asgi, *lines, KEY, VERSION)
    assert (status, told["type"]) == (101, "websocket")


def test_the_only_limits_are_our_own(urls: Urls) -> None:
    for lines in (
        ["Cookie: a=" + "x" * 20_000],
        ["Cookie: a=" + "x" * 60_000],
        [f"X-{number}: {number}" for number in range(1_000)],
        ["X-Bytes: \xe9\xff\x80", "Cookie: \xfc"],
        ["X-Empty:", "X-Twice: a", "X-Twice: b"],
    ):
        status, told = shake_hands(urls.asgi, *WISH, *lines)
        assert status == 101
        expected = [[name.lower(), value.strip(" ")] for name, _, value in (line.partition(":") for line in lines)]
        headers = told["headers"]
        assert isinstance(headers, list)
        assert headers[-len(expected) :] == expected
    status, _ = shake_hands(urls.asgi, *WISH, path="/" + "a" * 8_000)
    assert status == 101
    with connect(urls.asgi) as sock:
        sock.sendall(request("/", *WISH, "Cookie: " + "x" * 70_000))
        assert b" 431 " in receive_all(sock).partition(b"\r\n")[0]


@pytest.mark.parametrize("lines", [["chat, v2"], ["chat", "v2"], ["chat,", ",v2"]])
def test_subprotocols_in_lines(urls: Urls, lines: list[str]) -> None:
    status, told = shake_hands(urls.asgi, *WISH, *(f"Sec-WebSocket-Protocol: {line}" for line in lines))
    assert (status, told["subprotocols"]) == (101, ["chat", "v2"])


def test_extensions_in_lines(urls: Urls) -> None:
    for lines in (
        ["x-unknown", "permessage-deflate"],
        ["permessage-deflate; client_max_window_bits", "x-unknown; a=1; b"],
        ["permessage-deflate", "permessage-deflate; client_no_context_takeover"],
    ):
        with connect(urls.asgi) as sock:
            sock.sendall(request("/", *WISH, *(f"Sec-WebSocket-Extensions: {line}" for line in lines), close=False))
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(65_536)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nSec-WebSocket-Extensions: permessage-deflate" in head


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([KEY], 426),
        ([KEY, "Sec-WebSocket-Version: 8"], 426),
        ([KEY, "Sec-WebSocket-Version: 130"], 426),
        ([KEY, "Sec-WebSocket-Version: 13, 8"], 426),
        ([KEY, VERSION, VERSION], 400),
        ([KEY, VERSION, "Sec-WebSocket-Version: 8"], 400),
        ([VERSION], 400),
        ([KEY, KEY, VERSION], 400),
        ([VERSION, "Sec-WebSocket-Key:"], 400),
        ([VERSION, "Sec-WebSocket-Key: short=="], 400),
        ([VERSION, "Sec-WebSocket-Key: \xe9AAAAAAAAAAAAAAAAAAAAA=="], 400),
        ([VERSION, "Sec-WebSocket-Key: AAAAAAAAAAA AAAAAAAAAAA=="], 400),
        ([KEY, VERSION, "Sec-WebSocket-Extensions: a b"], 400),
        ([KEY, VERSION, "Sec-WebSocket-Extensions: ;"], 400),
    ],
)
def test_an_invalid_handshake_is_refused_before_the_application_is_asked(
    urls: Urls, lines: list[str], status: int
) -> None:
    [response] = ask(urls.asgi, request("/never", *WISH[:2], *lines, close=False) + b"\x88\x80\0\0\0\0")
    # A 426 names the protocol to upgrade to, and the sender of Upgrade names that in Connection (RFC 9110, 7.8).
    options = "close, Upgrade" if status == 426 else "close"
    assert (response.status, response.header("connection")) == (status, options)
    if status == 426:
        assert response.header("sec-websocket-version") == "13"
        assert response.header("upgrade") == "websocket"


OPTIONS = HttpOptions(target="a:b")
SECTIONS = [b"".join(f"{line}\r\n".encode() for line in lines) for lines in (WISH, *UNGRANTED.values(), ())]
HEADS = st.builds(
    lambda method, version, section, close: b"%b / HTTP/%b\r\nHost: a\r\n%b%b\r\n" % (method, version, section, close),
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE"]),
    st.sampled_from([b"1.0", b"1.1"]),
    st.sampled_from(SECTIONS),
    st.sampled_from([b"", b"", b"", b"Connection: close\r\n", b"Content-Length: 0\r\n"]),
)


@given(st.lists(HEADS, min_size=1, max_size=12), st.booleans())
def test_a_wish_is_judged_alike_whatever_came_before(heads: list[bytes], serves: bool) -> None:  # noqa: FBT001
    """Requests of other connections, earlier requests of this one, and the places of cuts make no difference."""
    known = HeadReader(OPTIONS)
    for head in heads:  # as on other connections
        RequestParser(OPTIONS, known, serves_websockets=serves).feed(head)
    for head in heads:
        cold = RequestParser(OPTIONS, HeadReader(OPTIONS), serves_websockets=serves)
        for at in range(len(head)):
            cold.feed(head[at : at + 1])
        warm = RequestParser(OPTIONS, known, serves_websockets=serves)
        warm.feed(head)
        [found] = warm.ready
        [expected] = cold.ready
        assert found.upgrade == expected.upgrade
        assert found.upgrade == (serves and head.startswith(b"GET / HTTP/1.1") and b"websocket" in head)
        assert found.keep_alive == expected.keep_alive
        assert found.section.headers == expected.section.headers
