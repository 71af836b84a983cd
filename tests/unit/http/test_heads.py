"""Plain heads are read as llhttp reads them, in Python and in machine code alike, and judged alike."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_http.http1.codec import RequestParser
from corepool_http.http1.heads import HeadReader, PythonHeadReader
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from corepool_http.message import Request

OPTIONS = HttpOptions(target="a:b", max_body=1_000)

BROWSER = (
    b"GET /items/7?page=2 HTTP/1.1\r\nHost: example.com:8000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\nCookie: session=7f3a; theme=dark\r\nX-Request-Id: 5\r\n\r\n"
)
PLAIN = [
    BROWSER,
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /%41/b HTTP/1.1\r\nHost: [::1]\r\nConnection: keep-alive\r\n\r\n",
    b"DELETE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"OPTIONS /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /form HTTP/1.1\r\nContent-Length: 2\r\nHost: a\r\n\r\nhi",
    b"PATCH /form HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost:\r\nAccept:*/*\r\nX_A: \xe4\t\xff b\r\nX-Empty: \r\n\r\n",
]
ODD = [
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nab",
    b"GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: a \r\n\r\n",
]
HEADS = PLAIN + ODD
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


class Nothing(HeadReader):
    """Leaves all heads to llhttp."""

    def read(self, data: bytes, at: int) -> None:  # noqa: ARG002
        return None


class Heads:
    """The readers that are compared."""

    def __init__(self) -> None:
        self.ours = HeadReader(OPTIONS)
        self.in_python = PythonHeadReader(OPTIONS)
        self.none = Nothing(OPTIONS)


def told(request: Request) -> tuple[object, ...]:
    line, section = request.line, request.section
    names = {name: (section.single(name), section.joined(name), name in section) for name, _ in section.headers}
    body = None if request.body is None else (b"".join(request.body.pieces), request.body.complete)
    return (
        (line.method, line.target, line.raw_path, line.path, line.query, request.version, request.keep_alive),
        (request.expects_continue, request.upgrade, section.headers, section.keep_alive, names),
        body,
    )


def state_of(parser: RequestParser) -> tuple[object, ...]:
    refusal = None if parser.refusal is None else (parser.refusal.status, str(parser.refusal))
    between = (parser.in_head, parser.is_between, parser.left, parser.body is None, bytes(parser.after_upgrade or b""))
    return [told(each) for each in parser.ready], refusal, between, told(parser.seen())[0] if refusal else None


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


def read_by(heads: HeadReader, segments: list[bytes]) -> tuple[object, ...]:
    parser = RequestParser(OPTIONS, heads)
    for segment in segments:
        parser.feed(segment)
    return state_of(parser)


def is_read_alike(data: bytes, heads: Heads, cut: int = 0) -> bool:
    """Compare all readers; return whether the first head is a plain one."""
    request, in_python = heads.ours.read(data, 0), heads.in_python.read(data, 0)
    assert (request is None) == (in_python is None), data
    if request is not None and in_python is not None:
        assert told(request) == told(in_python), data
        assert (heads.ours.end, heads.ours.length) == (heads.in_python.end, heads.in_python.length), data
    segments = [data[:cut], data[cut:]]
    assert read_by(heads.ours, segments) == read_by(heads.none, segments), segments
    return request is not None


@pytest.mark.parametrize("seed", range(int(os.environ.get("COREPOOL_TEST_SEEDS", "2"))))
def test_mutated_heads_are_read_as_llhttp_reads_them(seed: int) -> None:
    """50 seeds are a million heads."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    heads = Heads()

    plain = 0
    for _ in range(20_000):
        data = b"".join(mutated(chance) for _ in range(chance.choice((1, 1, 2, 3))))
        plain += is_read_alike(data, heads, chance.choice((0, chance.randrange(len(data) + 1))))

    assert 4_000 < plain < 19_000


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12))
def test_any_bytes_are_read_as_llhttp_reads_them(pieces: list[bytes]) -> None:
    heads = Heads()
    is_read_alike(b"GET /" + b"".join(pieces) + b" HTTP/1.1\r\nHost: a\r\n\r\n", heads)
    is_read_alike(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(pieces), heads)


@pytest.mark.parametrize("place", ["target", "name", "value", "end of a value"])
def test_each_byte_at_each_place(place: str) -> None:
    """In values of every length: eight bytes are looked at together."""
    heads = Heads()
    for byte in map(bytes, zip(range(256))):
        for size in range(18):
            filling = b"x" * size
            target, name, value = b"", b"A", b"b"
            if place == "target":
                target = filling + byte + b"x"
            elif place == "name":
                name = filling + byte + b"x"
            elif place == "value":
                value = filling + byte + b"x" * 9
            else:
                value = filling + byte
            is_read_alike(b"GET /%b HTTP/1.1\r\nHost: a\r\n%b: %b\r\n\r\n" % (target, name, value), heads)


@pytest.mark.parametrize("data", [HEADS[0], HEADS[5]], ids=["browser", "form"])
def test_every_beginning_of_a_head_is_none_yet(data: bytes) -> None:
    head = data[: data.index(b"\r\n\r\n") + 4]
    heads = Heads()
    for reader in (heads.ours, heads.in_python):
        for end in range(len(head)):
            assert reader.read(data[:end], 0) is None
        assert reader.read(b"junk" + data, 4) is not None
        assert reader.end == 4 + len(head)


@pytest.mark.parametrize("data", PLAIN)
def test_these_are_plain(data: bytes) -> None:
    assert is_read_alike(data, Heads())


@pytest.mark.parametrize(
    "data",
    [
        *ODD,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + HUGE + b"\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
        b"GET /" + b"x" * OPTIONS.max_request_line + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * OPTIONS.max_head + b"\r\n\r\n",
    ],
)
def test_these_are_for_llhttp(data: bytes) -> None:
    assert not is_read_alike(data, Heads())


def test_a_name_has_one_object() -> None:
    heads = Heads()
    for reader in (heads.ours, heads.in_python):
        [first], [second] = (reader.read(PLAIN[1] + b" " * number, 0).section.headers for number in range(2))  # type: ignore[union-attr]
        assert first[0] is second[0]
        assert reader.lower(b"hOST") == b"host"


def test_names_are_bounded() -> None:
    """Also those that a client has chosen so that they are looked for in one place."""
    reader = HeadReader(OPTIONS)
    for number in range(5_000):
        name = b"X%db%08dX" % (number % 10, number)
        request = reader.read(b"GET / HTTP/1.1\r\nHost: a\r\n%b: b\r\n\r\n" % name, 0)
        assert request is not None
        assert request.section.headers == [(b"host", b"a"), (name.lower(), b"b")]
        assert request.section.single(name.lower()) == b"b"


def test_a_section_keeps_its_own_head_alone() -> None:
    data = BROWSER + b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
    heads = Heads()
    first = heads.ours.read(data, 0)
    second = heads.ours.read(data, heads.ours.end)
    assert first is not None
    assert second is not None
    assert heads.ours.end == len(data)
    assert second.section.headers == [(b"host", b"b")]
    assert (b"x-request-id", b"5") in first.section.headers
    assert first.section.with_host(b"c").single(b"host") == b"c"
