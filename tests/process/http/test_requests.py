"""Requests that are well-formed or not (RFC 9112); no stream of bytes can be read in two ways."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
from http_client import ask, get, parse, request
from hypothesis import given
from hypothesis import strategies as st

from corepool.testing.sockets import connect, receive_all
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.heads import HeadReader
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool_http.message import Request

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "a conflicting Content-Length": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "a Content-Length twice": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a list of Content-Lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "a signed Content-Length": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "an empty Content-Length": (POST + b"Content-Length: \r\n\r\n", 400),
    "a hexadecimal Content-Length": (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    "a Content-Length without end": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "both lengths": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "both lengths, the other way round": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
    "an unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "an unknown coding before chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked that is not the last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "nearly chunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunked in quotes": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 400),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (GET + b"A : b\r\n\r\n", 400),
    "a folded line": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "a folded first line": (b"GET / HTTP/1.1\r\n A: b\r\nHost: a\r\n\r\n", 400),
    "a bare LF in the section": (GET + b"A: b\nC: d\r\n\r\n", 400),
    "a bare LF at the end": (GET + b"A: b\r\n\n", 400),
    "a bare LF after the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a bare CR in a value": (GET + b"A: b\rc\r\n\r\n", 400),
    "a bare CR before CRLF": (GET + b"A: b\r\r\n\r\n", 400),
    "NUL in a value": (GET + b"A: b\0c\r\n\r\n", 400),
    "a control character in a value": (GET + b"A: b\x01c\r\n\r\n", 400),
    "DEL in a value": (GET + b"A: b\x7fc\r\n\r\n", 400),
    "no name": (GET + b": b\r\n\r\n", 400),
    "no colon": (GET + b"Abc\r\n\r\n", 400),
    "a name that is no token": (GET + b"A(b: c\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (GET + b"Host: a\r\n\r\n", 400),
    "a Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a Host with a user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "a Host with a space": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    "HTTP/1.10": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "no known method": (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a tab after the method": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a fragment": (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a target without a slash": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an asterisk that asks for no options": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a scheme that is not http": (b"GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "an expectation": (POST + b"Expect: a-miracle\r\nContent-Length: 3\r\n\r\nabc", 417),
    "a long target": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "a target without end": (b"GET /" + b"a" * 200_000, 414),
    "long headers": (GET + b"".join(b"A%d: %b\r\n" % (n, b"b" * 1_000) for n in range(40)) + b"\r\n", 431),
    "a header without end": (GET + b"A: " + b"b" * 200_000, 431),
    "a large content": (POST + b"Content-Length: 2000000000\r\n\r\n", 413),
    "a bare LF after a chunk's size": (CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400),
    "a bare LF after a chunk": (CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400),
    "a bare LF in a chunk's extension": (CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n", 400),
    "a negative chunk": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk's size with a prefix": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk's size with a space": (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    "a chunk's size without end": (CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400),
}


@pytest.mark.parametrize("wsgi", ["inline"], indirect=True)
def test_a_malformed_request_is_refused_and_the_bytes_behind_it_are_never_read(wsgi: PoolProcess) -> None:
    for name, (data, status) in REFUSED.items():
        # A request before it is answered, and one behind it, which an attacker hides there, is not.
        answer = ask(wsgi, request("/before", close=False) + data + request("/behind"))
        responses = parse(answer, ["GET", "GET"])
        assert [response.status for response in responses] == [200, status], name
        assert responses[1].header("connection") == "close", name


SAID = {
    "no Host": "400 Bad Request: missing Host header",
    "two Hosts": "400 Bad Request: more than one Host header",
    "a Host with a path": "400 Bad Request: invalid Host header",
    "a scheme that is not http": "400 Bad Request: invalid request target",
    "HTTP/2.0": "505 HTTP Version Not Supported: HTTP/2.0",
    "an unknown coding before chunked": "501 Not Implemented: unsupported transfer coding",
    "an expectation": "417 Expectation Failed: unsupported expectation",
    "long headers": "431 Request Header Fields Too Large: header section of more than 32768 bytes",
}


@pytest.mark.parametrize("wsgi", ["inline"], indirect=True)
def test_a_refusal_says_why(wsgi: PoolProcess) -> None:
    for name, words in SAID.items():
        [response] = parse(ask(wsgi, REFUSED[name][0]), ["GET"])
        assert response.body.decode() == f"{words}\n"


VALID = [
    (GET + b"\r\n", [("GET", b"/", None)]),
    (b"\r\n" + GET + b"\r\n", [("GET", b"/", None)]),
    (b"GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n", [("GET", b"/c?d", None)]),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [("OPTIONS", b"*", None)]),
    (POST + b"Content-Length: 3\r\n\r\nabc", [("POST", b"/", b"abc")]),
    (CHUNKED + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n", [("POST", b"/", b"abcde")]),
    (POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc", [("POST", b"/", b"abc")]),
    (GET + b"A: \xff\xfe\r\nB:\tc \r\n\r\n", [("GET", b"/", None)]),
    (b"GET /%2e%2e/?q=%00 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", [("GET", b"/%2e%2e/?q=%00", None)]),
]


def told(request: Request) -> tuple[object, ...]:
    """Everything that a request says."""
    line, section = request.line, request.section
    return (
        (line.method, line.target, line.raw_path, line.path, line.query, request.version, request.keep_alive),
        (request.expects_continue, request.upgrade, section.headers),
        None if request.body is None else (request.body.pieces, request.body.complete),
    )


def new_parser() -> RequestParser:
    options = HttpOptions(target="a:b")
    return RequestParser(options, HeadReader(options))


def read(chunks: list[bytes]) -> tuple[list[tuple[str, bytes, bytes | None]], bool]:
    parser = new_parser()
    for chunk in chunks:
        parser.feed(chunk)
    found = [
        (each.line.method, each.line.target, None if each.body is None else b"".join(each.body.pieces))
        for each in parser.ready
    ]
    assert all(each.body is None or each.body.complete for each in parser.ready) or parser.refusal
    return found, parser.refusal is None


@given(st.lists(st.sampled_from(VALID), min_size=1, max_size=6), st.lists(st.integers(0, 2_000), max_size=12))
def test_requests_are_the_same_however_they_are_cut(requests: list, places: list[int]) -> None:
    stream = b"".join(data for data, _ in requests)
    expected = [found for _, each in requests for found in each]
    edges = sorted({0, len(stream), *(place % len(stream) for place in places)})

    assert read([stream[begin:end] for begin, end in itertools.pairwise(edges)]) == (expected, True)
    assert read([stream[at : at + 1] for at in range(len(stream))]) == (expected, True)


@given(st.sampled_from(sorted(REFUSED)), st.lists(st.integers(0, 2_000), max_size=5))
def test_a_malformed_request_is_malformed_however_it_is_cut(name: str, places: list[int]) -> None:
    data, _ = REFUSED[name]
    stream = data + request("/behind")
    edges = sorted({0, len(stream), *(place % len(stream) for place in places)})
    found, accepted = read([stream[begin:end] for begin, end in itertools.pairwise(edges)])

    assert not accepted
    assert all(target != b"/behind" for _, target, _ in found)


def test_one_byte_at_a_time_gives_the_same_answers(asgi: PoolProcess) -> None:
    for data, _ in VALID:
        last = data + request("/last")
        with connect(asgi.urls()[0]) as sock:
            for at in range(len(last)):
                sock.sendall(last[at : at + 1])
            slow = receive_all(sock)

        assert without_date(slow) == without_date(ask(asgi, last))


def without_date(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.startswith(b"Date:") and b'"client"' not in line]


def test_mutated_requests_end_nothing(asgi: PoolProcess) -> None:
    dice = random.Random(20261123)  # noqa: S311
    seeds = [data for data, _ in VALID] + [data[:2_000] for data, _ in REFUSED.values()]
    pids = asgi.workers()
    for _ in range(3_000):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 6)):
            place = dice.randrange(len(data))
            match dice.randrange(4):
                case 0:
                    data[place] = dice.randrange(256)
                case 1:
                    del data[place : place + dice.randrange(1, 8)]
                case 2:
                    data[place:place] = dice.choice([b"\r\n", b"\n", b" ", b"\0", b":", b"0", b"Content-Length: 1\r\n"])
                case _:
                    data[place:place] = data[: dice.randrange(20)]
            data = data or bytearray(b"x")
        with connect(asgi.urls()[0]) as sock:
            sock.sendall(data)
            sock.shutdown(1)
            receive_all(sock)
    assert asgi.workers() == pids
    assert "Traceback" not in asgi.stderr
    assert get(asgi, "/").status == 200


def test_requests_before_the_end_of_a_client_are_answered(asgi: PoolProcess) -> None:
    with connect(asgi.urls()[0]) as sock:
        sock.sendall(b"".join(request(f"/{number}", close=False) for number in range(20)))
        sock.shutdown(1)
        responses = parse(receive_all(sock), ["GET"] * 20)
    assert [response.status for response in responses] == [200] * 20


def test_a_thousand_wishes_to_upgrade_in_one_segment(asgi: PoolProcess) -> None:
    count = 1_100
    wish = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    assert read([wish * count]) == ([("GET", b"/", None)] * count, True)
    with connect(asgi.urls()[0]) as sock:
        sock.sendall(wish * count)
        sock.shutdown(1)
        responses = parse(receive_all(sock), ["GET"] * count)
    assert {response.status for response in responses} == {200}


@pytest.mark.parametrize(
    "tail", [b"0\r\n" + b"A: b\r\n" * 100_000, b"0\r\nA: " + b"b" * 400_000, b"3;" + b"x" * 400_000]
)
def test_what_stands_beside_a_body_is_bounded(asgi: PoolProcess, tail: bytes) -> None:
    with connect(asgi.urls()[0]) as sock:
        try:
            sock.sendall(CHUNKED + b"3\r\nabc\r\n" + tail)
            answer = receive_all(sock)
        except OSError:
            return  # it was closed before it had taken everything
    assert b" 431 " in answer.partition(b"\r\n")[0]


def test_no_bytes_break_the_parser() -> None:
    """100,000 requests with faults: each is read or refused, and nothing else ever happens."""
    dice = random.Random(9112)  # noqa: S311
    seeds = [data for data, _ in VALID] + [data[:300] for data, _ in REFUSED.values()]
    pieces = [
        b"\r\n",
        b"\n",
        b" ",
        b"\0",
        b":",
        b"0",
        b"Content-Length: 1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\xff",
    ]
    options = HttpOptions(target="a:b")
    known = HeadReader(options)
    refused = 0
    for _ in range(100_000):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 5)):
            place = dice.randrange(len(data) + 1)
            if dice.random() < 0.5:
                data[place : place + dice.randrange(4)] = dice.choice(pieces)
            else:
                data[place : place + 1] = bytes((dice.randrange(256),))
        parser = RequestParser(options, known)
        middle = dice.choice((0, dice.randrange(len(data) + 1)))
        for chunk in (bytes(data[:middle]), bytes(data[middle:])):
            if chunk:
                parser.feed(chunk)
        refused += parser.refusal is not None
        for found in parser.ready:
            assert found.version in {"1.0", "1.1"}
            assert found.line.target[:1] in {b"/", b"*"}
    assert 20_000 < refused < 100_000
