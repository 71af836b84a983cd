"""Plain requests are read as llhttp and the parser read them, in Python and in machine code alike."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_http.http1.codec import RequestParser
from corepool_http.http1.known import KnownHeads
from corepool_http.http1.names import Names
from corepool_http.http1.plain import PlainRequests, split, split_in_python
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from corepool_http.http1.plain import Split
    from corepool_http.message import Request

OPTIONS = HttpOptions(target="a:b", max_body=1_000)

BROWSER = (
    b"GET /items/7?page=2 HTTP/1.1\r\nHost: example.com:8000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\nCookie: session=7f3a; theme=dark\r\nX-Request-Id: 5\r\n\r\n"
)
HEADS = [
    BROWSER,
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /%41/b HTTP/1.1\r\nHost: [::1]\r\nConnection: keep-alive\r\n\r\n",
    b"DELETE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"OPTIONS /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /form HTTP/1.1\r\nContent-Length: 2\r\nHost: a\r\n\r\nhi",
    b"PATCH /form HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
]
PIECES = [
    *(b"\r\n", b"\r", b"\n", b": ", b":", b" ", b"  ", b"\t", b"\0", b"\x7f", b"\x80", b"\xff", b",", b";", b'"', b"_"),
    *(b"/", b"#", b"?", b"%", b"@", b"\\", b"{", b"0", b"1", b"-", b"+", b"HTTP/1.1", b"HTTP/1.0", b"GET ", b"get "),
    *(b"Host: b\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: +5\r\n"),
    *(b"Connection: close\r\n", b"Connection: Keep-Alive\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n"),
    *(
        b"Expect: 100-continue\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Cookie: a=b\r\n",
        b"A:\r\n",
        b"A: \r\n",
        b" b\r\n",
    ),
]
HUGE = b"9" * 30


def told(request: Request) -> tuple[object, ...]:
    line, section = request.line, request.section
    body = None if request.body is None else (b"".join(request.body.pieces), request.body.complete)
    names = {name: (section.single(name), section.joined(name)) for name, _ in section.headers}
    return (
        (line.method, line.target, line.raw_path, line.path, line.query, request.version, request.keep_alive),
        (request.expects_continue, request.upgrade, section.headers, section.keep_alive, names),
        body,
    )


def mutated(chance: random.Random) -> bytes:
    data = chance.choice(HEADS)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        at = chance.randrange(len(data) + 1)
        how = chance.randrange(5)
        if how == 0:
            data = data[:at] + chance.choice(PIECES) + data[at:]
        elif how == 1:
            data = data[:at] + chance.randbytes(1) + data[at + 1 :]
        elif how == 2:
            data = data[:at] + data[at + chance.randrange(1, 4) :]
        elif how == 3:  # a whole line, where one may stand
            at = data.find(b"\r\n", at) + 2
            data = data[:at] + chance.choice(PIECES) + data[at:]
        else:
            lines = data.split(b"\r\n")
            chance.shuffle(lines)
            data = b"\r\n".join(lines)
    return data


def is_read_alike(data: bytes, requests: PlainRequests, names: Names) -> bool:
    """Compare all readers; return whether the request is a plain one."""
    assert split(data, names) == split_in_python(data, names), data
    request = requests.read(data)
    if request is None:
        return False
    parser = RequestParser(OPTIONS, KnownHeads(OPTIONS))
    parser.feed(data)
    assert parser.refusal is None, data
    assert not parser.in_head, data
    assert [told(each) for each in parser.ready] == [told(request)], data
    assert parser.is_between == request.keep_alive, data
    return True


@pytest.mark.parametrize("seed", range(4))
def test_mutated_heads_are_read_as_the_parser_reads_them(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = Names()
    requests = PlainRequests(OPTIONS, names)

    plain = sum(is_read_alike(mutated(chance), requests, names) for _ in range(250_000))

    assert 30_000 < plain < 200_000


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12))
def test_any_bytes_are_read_as_the_parser_reads_them(pieces: list[bytes]) -> None:
    names = Names()
    is_read_alike(b"GET /" + b"".join(pieces) + b" HTTP/1.1\r\nHost: a\r\n\r\n", PlainRequests(OPTIONS, names), names)
    is_read_alike(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(pieces), PlainRequests(OPTIONS, names), names)


@pytest.mark.parametrize("read", [split, split_in_python])
@pytest.mark.parametrize("data", [HEADS[0], HEADS[5]], ids=["browser", "form"])
def test_every_beginning_of_a_request_is_none_yet(data: bytes, read: Split) -> None:
    head = data[: data.index(b"\r\n\r\n") + 4]
    for end in range(len(head)):
        assert read(data[:end], Names()) is None
    found = read(data, Names())
    assert found is not None
    assert found[3] == len(head)


@pytest.mark.parametrize("data", HEADS[:7])
def test_these_are_plain(data: bytes) -> None:
    names = Names()
    assert is_read_alike(data, PlainRequests(OPTIONS, names), names)


@pytest.mark.parametrize(
    "data",
    [
        *HEADS[7:],
        BROWSER + b"G",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + HUGE + b"\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /" + b"x" * OPTIONS.max_request_line + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_these_are_for_the_parser(data: bytes) -> None:
    names = Names()
    assert not is_read_alike(data, PlainRequests(OPTIONS, names), names)


def test_a_name_has_one_object() -> None:
    names = Names()
    [first], [second] = (split(data, names)[2] for data in (HEADS[1], HEADS[1]))  # type: ignore[index]
    assert first[0] is second[0]
