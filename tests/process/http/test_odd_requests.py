"""Requests that servers read differently. Each was tried on nginx, gunicorn and uvicorn as well.

Bytes that could be two different requests to two of them are refused, and nothing behind them is read. The tables add
to that of test_requests.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from http_client import APPLICATIONS, http_toml, parse, request

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.heads import HeadReader
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

REFUSED = {
    "a line folded with a tab": (GET + b"A: b\r\n\tc\r\n\r\n", 400),
    "nothing but bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "a Content-Length with a fraction": (POST + b"Content-Length: 5.0\r\n\r\nabcde", 400),
    "a Content-Length with a space inside": (POST + b"Content-Length: 5 5\r\n\r\nabcde", 400),
    "a Content-Length with an underscore": (POST + b"Content-Length: 5_0\r\n\r\nabcde", 400),
    "a negative Content-Length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "a Content-Length in other digits": (POST + b"Content-Length: \xb2\r\n\r\nab", 400),
    "no Content-Length beside chunks": (POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + END, 400),
    "identity with a length": (POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", 400),
    "an empty coding with a length": (POST + b"Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a vertical tab before the coding": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + END, 400),
    "NUL in a name": (GET + b"A\0: b\r\n\r\n", 400),
    "a byte above 127 in a name": (GET + b"A\x80: b\r\n\r\n", 400),
    "a vertical tab in a value": (GET + b"A: b\x0bc\r\n\r\n", 400),
    "a line of white space": (GET + b" \r\n\r\n", 400),
    "a user in the target": (b"GET http://u:p@b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two users in the target": (b"GET http://u@v@b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no host in the target": (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a port alone in the target": (b"GET http://:80/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a backslash in the target's host": (b"GET http://a\\b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a target with a host, but no Host": (b"GET http://b/x HTTP/1.1\r\n\r\n", 400),
    "a target with a host, and a wrong Host": (b"GET http://b/x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a target with a host, and two Hosts": (b"GET http://b/x HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", 400),
    "a list of Hosts": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "a port that is none": (b"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
    "a Host of other letters": (b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", 400),
    "half of an IPv6 Host": (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    "a very long method": (b"A" * 5_000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a method that begins like one": (b"GETX / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a method in mixed case": (b"Get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a method that is no token": (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space before the method": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space behind the version": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "a version in lower case": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    "a version with a zero before it": (b"GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400),
    "HTTP/3.0": (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    "a byte above 127 in the target": (b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a handshake of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 GET / HTTP/1.1\r\n\r\n", 400),
    "an expectation without content": (GET + b"Expect: a-miracle\r\n\r\n", 417),
    "a chunk's size with a sign": (CHUNKED + b"+3\r\nabc\r\n" + END, 400),
    "a chunk's size with an underscore": (CHUNKED + b"3_0\r\nabc\r\n" + END, 400),
    "a control character in an extension": (CHUNKED + b"3;a=\x01\r\nabc\r\n" + END, 400),
    "no line break behind a chunk": (CHUNKED + b"3\r\nabc0\r\n\r\n", 400),
    "a bare LF behind the last chunk": (CHUNKED + b"3\r\nabc\r\n0\n\n", 400),
    "a folded trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n", 400),
    "a trailer without a colon": (CHUNKED + b"3\r\nabc\r\n0\r\nAb\r\n\r\n", 400),
    "a trailer that is a length": (CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", 400),
}  # fmt: skip

SERVED = {
    "a length with a zero before it": (POST + b"Content-Length: 05\r\n\r\nabcde", "abcde"),
    "a chunk's size with zeros before it": (CHUNKED + b"00000000000000003\r\nabc\r\n" + END, "abc"),
    "a name with an underscore": (POST + b"Content_Length: 5\r\nContent-Length: 0\r\n\r\n", ""),
    "a coding with an underscore": (POST + b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", "abc"),
    "a coding in other letters": (POST + b"Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n" + END, "abc"),
    "an extension in quotes": (CHUNKED + b'3;a="b;\\"c"\r\nabc\r\n' + END, "abc"),
    "white space in an extension": (CHUNKED + b"3 ; a = b\r\nabc\r\n" + END, "abc"),
    "a trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nA: b\r\n\r\n", "abc"),
    "empty lines before it": (b"\r\n" * 5 + GET + b"\r\n", ""),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", ""),
    "a GET with content": (GET + b"Content-Length: 3\r\n\r\nabc", "abc"),
    "a method of WebDAV": (b"PROPFIND / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "abc"),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Pools() as pools:
        yield pools(http_toml(target="mirror:wsgi", directory=str(APPLICATIONS))).urls()[0]


def ask(url: str, data: bytes) -> bytes:
    with connect(url) as sock:
        sock.sendall(data)
        return receive_all(sock)


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(url: str, name: str) -> None:
    data, status = REFUSED[name]
    first, refusal = parse(ask(url, request("/before", close=False) + data + request("/behind")), ["GET", "GET"])
    assert (first.status, refusal.status, refusal.header("connection")) == (200, status, "close")


@pytest.mark.parametrize("name", SERVED)
def test_what_can_be_read_in_one_way_is_served(url: str, name: str) -> None:
    data, content = SERVED[name]
    first, last = parse(ask(url, data + request("/behind")), ["GET", "GET"])
    assert json.loads(first.body)["content"] == content
    assert json.loads(last.body)["PATH_INFO"] == "/behind"


@pytest.mark.parametrize("name", REFUSED)
def test_the_refusal_is_the_same_byte_by_byte(name: str) -> None:
    data, status = REFUSED[name]
    options = HttpOptions(target="a:b")
    parser = RequestParser(options, HeadReader(options))
    stream = data + request("/behind")
    for at in range(len(stream)):
        parser.feed(stream[at : at + 1])
    assert parser.refusal is not None
    assert parser.refusal.status == status
    assert all(each.line.path != b"/behind" for each in parser.ready)


def test_the_host_of_the_target_takes_the_place_of_the_other(url: str) -> None:
    for target, path in ((b"http://b/x?y", "/x?y"), (b"HTTP://b", "/"), (b"http://b?y", "/?y")):
        [response] = parse(ask(url, b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target), ["GET"])
        environ = json.loads(response.body)
        assert (environ["HTTP_HOST"], environ["REQUEST_URI"]) == ("b", path)
