"""Heads that were judged before mean what they meant then, whatever stands beside them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from http_client import APPLICATIONS, Response, parse, request
from hypothesis import given
from hypothesis import strategies as st
from test_requests import CHUNKED, GET, POST, REFUSED, VALID, told

from corepool.spec.types import Address
from corepool.testing.sockets import connect, receive_all
from corepool_http import Http
from corepool_http.generations import Generations
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.heads import HeadReader, PythonHeadReader
from corepool_http.options import HttpOptions
from corepool_http.proxies import Proxies

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversations
    from corepool.testing.pool import PoolProcess

OPTIONS = HttpOptions(target="a:b")

LINES = [
    b"GET / HTTP/1.1",
    b"GET /a?b=c HTTP/1.1",
    b"HEAD /%41 HTTP/1.1",
    b"DELETE /x HTTP/1.1",
    b"OPTIONS / HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"POST / HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"GET / HTTP/1.0",
    b"GET / HTTP/1.2",
    b"GET  / HTTP/1.1",
    b"GET /  HTTP/1.1",
    b"GET /\xff HTTP/1.1",
    b"GET /# HTTP/1.1",
    b"GET http://b/ HTTP/1.1",
    b"get / HTTP/1.1",
    b"",
]
SECTIONS = [
    b"\r\nHost: a\r\n\r\n",
    b"\r\nHost: b\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
    b"\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    b"\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
    b"\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"\r\nHost: a\r\nExpect: x\r\n\r\n",
    b"\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"\r\nHost: a\r\nContent-Length: 37\r\n\r\n",
    b"\r\nHost: a\r\n\r\nGET /behind HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\n",
    b"\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n\r\n",
    b"\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
    b"\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
    b"\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    b"\r\nHost: a\r\nContent-Length: 00\r\n\r\n",
    b"\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
    b"\r\nHost: a\r\nX-Forwarded-Host: b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
]
HEADS = st.builds(bytes.__add__, st.sampled_from(LINES), st.sampled_from(SECTIONS))
OTHERS = st.sampled_from([data for data, _ in VALID] + [data[:2_000] for data, _ in REFUSED.values()])


class Nothing(HeadReader):
    """Leaves all heads to llhttp."""

    def read(self, data: bytes, at: int) -> None:  # noqa: ARG002
        return None


@given(st.lists(HEADS | OTHERS, min_size=1, max_size=20))
def test_a_known_request_is_the_one_that_would_be_parsed(segments: list[bytes]) -> None:
    known = PythonHeadReader(OPTIONS)
    for segment in segments:
        recalled = known.read(segment, 0)
        parser = RequestParser(OPTIONS, Nothing(OPTIONS))
        parser.feed(segment)
        if recalled is not None:
            assert not parser.in_head
            if recalled.body is None:
                assert told(parser.ready[0]) == told(recalled)


@given(st.lists(HEADS | OTHERS, min_size=1, max_size=20))
def test_a_connection_understands_the_same_with_and_without_it(segments: list[bytes]) -> None:
    heads = HeadReader(OPTIONS)
    for segment in segments:
        RequestParser(OPTIONS, heads).feed(segment)
    warm = RequestParser(OPTIONS, heads)
    cold = RequestParser(OPTIONS, Nothing(OPTIONS))
    for segment in segments:
        cold.feed(segment)
        warm.feed(segment)

    assert [told(each) for each in warm.ready] == [told(each) for each in cold.ready]
    assert (warm.refusal is None, warm.in_head) == (cold.refusal is None, cold.in_head)


def test_the_section_of_the_second_is_recalled() -> None:
    known = PythonHeadReader(OPTIONS)
    first = known.read(GET + b"\r\n", 0)
    other = known.read(b"HEAD /other?x HTTP/1.1\r\nHost: a\r\n\r\n", 0)
    assert first is not None
    assert other is not None
    assert other.section is first.section
    assert (other.line.method, other.line.raw_path, other.line.query) == ("HEAD", b"/other", b"x")


@pytest.mark.parametrize(
    "data", [POST + b"Content-Length: 3\r\n\r\nabc", CHUNKED + b"1\r\nx\r\n0\r\n\r\n", GET + b"\r\n"]
)
def test_requests_are_recalled_again_behind_one_that_was_parsed(data: bytes) -> None:
    parser = RequestParser(OPTIONS, HeadReader(OPTIONS))
    for at in range(len(data)):
        parser.feed(data[at : at + 1])
        assert parser.is_between == (at == len(data) - 1)

    parser.feed(b"\r\n")  # allowed, and skipped (RFC 9112, 2.2)
    assert not parser.is_between


def test_it_holds_no_more_than_it_may() -> None:
    table: Generations[bytes, int] = Generations(10)
    for number in range(1_000):
        table.keep(b"%d" % number, number)
        assert table[b"0"] == 0, "what is asked for stays"
    assert sum(table[b"%d" % number] is not None for number in range(1_000)) <= 20

    known = PythonHeadReader(OPTIONS)
    for data in (
        GET + b"A: " + b"x" * 5_000 + b"\r\n\r\n",
        GET + b"A: b\r\n" * 100 + b"\r\n",
        POST + b"Content-Length: 1\r\n\r\na",
    ):
        first, second = known.read(data, 0), known.read(data, 0)
        assert first is not None
        assert second is not None
        assert first.section is not second.section


def converse(running: PoolProcess, pieces: list[bytes]) -> list[Response]:
    """Send each piece when all requests before it are answered."""
    answer = b""
    asked = 0
    with connect(running.urls()[0]) as sock:
        for piece in pieces:
            while answer.count(b"HTTP/1.1 200") < asked:
                answer += sock.recv(65_536)
            sock.sendall(piece)
            asked += piece.count(b" HTTP/1.1\r\n")
        answer += receive_all(sock)
    return parse(answer, ["GET"] * asked)


def test_a_connection_goes_on_between_the_known_and_the_unknown(asgi: PoolProcess) -> None:
    known = request("/a", close=False)
    post = POST + b"Content-Length: 3\r\n\r\nabc"
    chunked = CHUNKED + b"1\r\nx\r\n0\r\n\r\n"
    responses = converse(asgi, [known, known, post, known, known + known, chunked, known, known, request("/last")])
    paths = [json.loads(each.body)["path"] for each in responses]
    assert paths == ["/a", "/a", "/", "/a", "/a", "/a", "/", "/a", "/a", "/last"]


def test_an_application_can_spoil_only_its_own_headers(asgi: PoolProcess) -> None:
    known = request("/greedy", "Accept: x", close=False)
    responses = converse(asgi, [known, known, known, request("/greedy")])
    assert [each.body for each in responses] == [b"2"] * 4


def test_whatever_an_application_spoils_is_its_own(connection: Conversations) -> None:
    client = connection(Http(HttpOptions(target="mirror:asgi", directory=str(APPLICATIONS))))
    answers = set()
    for _ in range(3):
        client.send(request("/spoil", "A: b", close=False))
        answers.add(client.receive().partition(b"\r\n\r\n")[2])
    [answer] = answers
    assert json.loads(answer)["asgi"] == {"version": "3.0", "spec_version": "2.3"}
    assert ["a", "b"] in json.loads(answer)["headers"]


def test_what_a_trusted_proxy_says_stays_with_its_request() -> None:
    known = PythonHeadReader(OPTIONS)
    data = GET + b"X-Forwarded-Host: outer\r\n\r\n"
    known.read(data, 0)
    proxies = Proxies(["*"])
    ends = SimpleNamespace(peer=Address("127.0.0.1", 1), local=Address("127.0.0.1", 2), facts={}, listener="a")
    believed, plain = known.read(data, 0), known.read(data, 0)
    assert believed is not None
    assert plain is not None
    proxies.forwarded(proxies.client_of(cast("Any", ends)), believed)
    assert believed.section.single(b"host") == dict(believed.section.headers)[b"host"] == b"outer"
    assert plain.section.single(b"host") == dict(plain.section.headers)[b"host"] == b"a"
