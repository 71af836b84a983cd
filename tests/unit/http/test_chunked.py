"""The chunked coding (RFC 9112, 7.1): what it means however it is cut, and that it means the same to llhttp."""

from __future__ import annotations

import itertools
import re

import httptools
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corepool_http.http1.chunked import ChunkedDecoder
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.heads import HeadReader
from corepool_http.message import RefusedError
from corepool_http.options import HttpOptions

MOST = 1_000
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"


class Decoded:
    """The outcome for a stream."""

    def __init__(self, segments: list[bytes], most: int = MOST) -> None:
        decoder = ChunkedDecoder(most)
        self.content = b""
        self.status = 0
        self.behind: bytes | None = None
        for segment in segments:
            if self.behind is not None:
                self.behind += segment
                continue
            try:
                at = decoder.feed(segment, 0, self._take)
            except RefusedError as refusal:
                self.status = refusal.status
                return
            if decoder.is_complete:
                self.behind = segment[at:]
            else:
                assert at == len(segment)

    def _take(self, piece: bytes) -> None:
        assert piece
        assert type(piece) is bytes
        self.content += piece

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decoded) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[begin:end] for begin, end in itertools.pairwise(edges)]


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=5).map(str.encode)
QUOTED = st.lists(
    st.one_of(
        st.sampled_from([b"a", b" ", b"\t", b";", b"=", b",", b"\x80", b"\xff", b"0", b"{", b"!", b"[", b"]", b"~"]),
        st.sampled_from([b'\\"', b"\\\\", b"\\a", b"\\ ", b"\\\t", b"\\\xff"]),
    ),
    max_size=5,
).map(lambda parts: b'"' + b"".join(parts) + b'"')
BWS = st.sampled_from([b"", b"", b" ", b"\t", b" \t ", b"   "])


def extensions(bws: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    value = st.builds(b"%b=%b%b".__mod__, st.tuples(bws, bws, st.one_of(TOKENS, QUOTED)))
    each = st.builds(b"%b;%b%b%b".__mod__, st.tuples(bws, bws, TOKENS, st.one_of(st.just(b""), value)))
    return st.lists(each, max_size=3).map(b"".join)


def sizes(size: int) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda zeros, upper: b"0" * zeros + (b"%X" if upper else b"%x") % size, st.integers(0, 20), st.booleans()
    )


TRAILERS = st.lists(
    st.builds(
        b"%b:%b\r\n".__mod__, st.tuples(TOKENS, st.sampled_from([b"", b" ", b" b ", b"\tb\xff", b"a: b", b'"\\', b"0"]))
    ),
    max_size=3,
).map(b"".join)


@st.composite
def streams(draw: st.DrawFn, bws: st.SearchStrategy[bytes] = BWS) -> tuple[bytes, bytes]:
    """Return a stream and its content."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
    stream = b""
    for piece in pieces:
        stream += b"%b%b\r\n%b\r\n" % (draw(sizes(len(piece))), draw(extensions(bws)), piece)
    stream += b"%b%b\r\n%b\r\n" % (draw(sizes(0)), draw(extensions(bws)), draw(TRAILERS))
    return stream, b"".join(pieces)


PLACES = st.lists(st.integers(0, 2_000), max_size=8)
BEHIND = st.sampled_from([b"", GET, b"0\r\n\r\n", b"\r\n", b"x"])
ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@ON_A_BUSY_MACHINE
@given(streams(), BEHIND, PLACES)
def test_a_stream_has_one_content_however_it_is_cut(
    stream: tuple[bytes, bytes], behind: bytes, places: list[int]
) -> None:
    data, content = stream
    for segments in ([data + behind], cut(data + behind, places), one_by_one(data + behind)):
        decoded = Decoded(segments)
        assert (decoded.content, decoded.status, decoded.behind) == (content, 0, behind)


SYNTAX = st.lists(
    st.sampled_from(
        [bytes((byte,)) for byte in b'\r\n \t;="\\01aAg:+-_x\0\x01\x7f\x80\xff,\x0b\x0c']
        + [b"\r\n", b"\r\n\r\n", b"1\r\nx\r\n", b"0\r\n", b"a=b", b"Content-Length: 1", b"transfer-encoding:", b"0x1"]
    ),
    max_size=30,
).map(b"".join)


@st.composite
def nearly(draw: st.DrawFn, bws: st.SearchStrategy[bytes] = BWS) -> bytes:
    """Return a stream with a fault."""
    data = draw(streams(bws))[0]
    place = draw(st.integers(0, len(data)))
    return data[:place] + draw(SYNTAX)[:3] + data[place + draw(st.integers(0, 2)) :]


@ON_A_BUSY_MACHINE
@given(st.one_of(SYNTAX, nearly(), st.binary(max_size=100)), PLACES, st.integers(0, 30))
@example(b"1;" + b"a" * 27 + b"\r\nx\r\n0\r\n\r\n", [3], 30)
def test_any_bytes_have_one_verdict_however_they_are_cut(data: bytes, places: list[int], most: int) -> None:
    for bound in (MOST, most):
        whole = Decoded([data], bound)
        assert whole.status in {0, 400, 431}
        assert Decoded(cut(data, places), bound) == whole
        assert Decoded(one_by_one(data), bound) == whole


TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
QUOTED_STRING = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
EXTENSIONS = rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*" % (TOKEN, TOKEN, QUOTED_STRING)
SIZE_LINE = re.compile(rb"0*([0-9A-Fa-f]{1,16})%b\r\n" % EXTENSIONS)
TRAILER_SECTION = re.compile(
    rb"(?:(?!(?:content-length|transfer-encoding):)%b:[\t -~\x80-\xff]*\r\n)*\r\n" % TOKEN, re.IGNORECASE
)


def by_the_book(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the content and the bytes behind it, by the grammar as the RFC writes it; None if it is not complete."""
    at, content = 0, b""
    while line := SIZE_LINE.match(data, at):
        at, size = line.end(), int(line[1], 16)
        if not size:
            end = TRAILER_SECTION.match(data, at)
            return None if end is None else (content, data[end.end() :])
        content += data[at : at + size]
        at += size
        if data[at : at + 2] != b"\r\n":
            break
        at += 2
    return None


@ON_A_BUSY_MACHINE
@given(st.one_of(SYNTAX, nearly(), streams().map(lambda stream: stream[0])), BEHIND)
def test_the_accepted_bytes_are_those_of_the_grammar(data: bytes, behind: bytes) -> None:
    decoded = Decoded([data + behind])
    expected = by_the_book(data + behind)
    if expected is None:
        assert decoded.behind is None
    else:
        assert (decoded.content, decoded.behind) == expected


class Llhttp:
    """The same stream, read by llhttp."""

    def __init__(self, stream: bytes) -> None:
        self.content = b""
        self.urls: list[bytes] = []
        self.complete = 0
        self.is_refused = False
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(stream)
        except httptools.HttpParserError:
            self.is_refused = True

    def on_url(self, url: bytes) -> None:
        self.urls.append(url)

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.complete += 1


LENIENT = re.compile(rb';[ \t]*[=;]|=\r|=;|";;|[^=" \t;]"')
"""Extensions that llhttp takes and the grammar does not have: no name, no value, quotes within a word."""


def parsed(segments: list[bytes]) -> RequestParser:
    options = HttpOptions(target="a:b")
    parser = RequestParser(options, HeadReader(options))
    for segment in segments:
        parser.feed(segment)
    return parser


NO_BWS = st.just(b"")


@ON_A_BUSY_MACHINE
@given(st.one_of(streams(NO_BWS).map(lambda stream: stream[0]), nearly(NO_BWS)), PLACES)
def test_llhttp_reads_the_same(data: bytes, places: list[int]) -> None:
    stream = HEAD + data + GET
    theirs = Llhttp(stream)
    for segments in ([stream], [HEAD + data, GET], cut(stream, places), one_by_one(stream)):
        ours = parsed([segment for segment in segments if segment])
        body = ours.ready[0].body
        assert body is not None
        content = b"".join(body.pieces)
        if theirs.is_refused:
            # White space, which llhttp does not take, comes into a stream with a fault, too.
            assert ours.refusal is not None or re.search(rb"[ \t]", data)
        elif ours.refusal is not None:
            assert LENIENT.search(data)
            continue
        if not theirs.is_refused:
            assert body.complete == (theirs.complete > 0)
            assert content == theirs.content
            assert [each.line.target for each in ours.ready] == theirs.urls[: len(ours.ready)]
            assert len(ours.ready) == max(1, theirs.complete)


ACCEPTED = {
    "before the semicolon": b"5 ;a=b",
    "behind it": b'5; a = "x y"',
    "a tab": b"5 \t;a",
    "everywhere": b'5 ; a = b ; c\t=\t"d" ;e',
    "quotes within quotes": b'5;a="\\"\\\\;"',
    "zeros": b"0" * 40 + b"5 ;a",
}
REFUSED = {
    "at the end of a size": b"5 ",
    "at the end of an extension": b"5;a ",
    "at the end of a value": b"5;a=b\t",
    "behind quotes": b'5;a="b" ',
    "before a size": b" 5",
    "within a size": b"5 0",
    "no name": b"5 ;",
    "no value": b"5;a= ",
    "a line break": b"5;a=b\r\n ;c",
    "a CR in quotes": b'5;a="\r"',
    "a LF in quotes": b'5;a="\n"',
    "CRLF in quotes": b'5;a="\r\n"',
    "an escaped CR": b'5;a="\\\r"',
    "NUL": b'5;a="\0"',
    "a vertical tab": b"5\x0b;a",
    "no quote at the end": b'5;a="b',
    "no size": b"",
    "no size before an extension": b";a",
    "17 digits": b"1" + b"0" * 15 + b"5f",
}


@pytest.mark.parametrize("line", ACCEPTED.values(), ids=ACCEPTED)
def test_white_space_in_extensions(line: bytes) -> None:
    stream = HEAD + line + b"\r\nhello\r\n0" + line[line.index(b"5") + 1 :] + b"\r\nA: b\r\n\r\n" + GET
    for segments in ([stream], one_by_one(stream)):
        first, second = parsed(segments).ready
        assert first.body is not None
        assert (b"".join(first.body.pieces), first.body.complete, second.line.target) == (b"hello", True, b"/behind")


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_a_malformed_extension_is_refused(line: bytes) -> None:
    stream = HEAD + line + b"\r\nhello\r\n0\r\n\r\n" + GET
    for segments in ([stream], one_by_one(stream)):
        parser = parsed(segments)
        assert parser.refusal is not None
        assert parser.refusal.status == 400
        [request] = parser.ready
        assert request.body is not None
        assert request.body.failed
        assert b"hello" not in b"".join(request.body.pieces)


def test_a_refusal_does_not_wait_for_the_end_of_the_line() -> None:
    for begin in (b"g", b"+", b"5 5", b"5;a=\x01", b"5\rx", b"1\r\nxy", b"0\r\n ", b"0\r\n:", b"0\r\nContent-length:"):
        assert Decoded([begin]).status == 400


def test_the_largest_size() -> None:
    assert Decoded([b"f" * 16 + b"\r\nx"]).content == b"x"
    assert Decoded([b"0" * 20 + b"f" * 16 + b"\r\nx"]).content == b"x"


@pytest.mark.parametrize(
    ("begin", "fill"),
    [(b"", b"0"), (b"0;", b"a"), (b'0;a="', b" "), (b"0\t", b"\t"), (b"0\r\n", b"a"), (b"0\r\nA:", b" ")],
)
def test_the_bound_is_exact(begin: bytes, fill: bytes) -> None:
    stream = b"1\r\nx" + (b"\r\n" + begin).ljust(MOST, fill)
    for segments in ([stream], one_by_one(stream)):
        assert Decoded(segments).status == 0
        assert Decoded([*segments, fill]).status == 431
    assert Decoded([stream + fill + b"\r\n"]).status == 431


def test_each_piece_of_content_begins_anew() -> None:
    line = b"1;" + b"a" * (MOST - 6) + b"\r\nx\r\n"
    for segments in ([line * 5], one_by_one(line * 5)):
        assert Decoded(segments).content == b"x" * 5
    assert Decoded([line, b"1;a" + line[2:]]).status == 431


def test_content_with_empty_lines_between_pipelined_requests() -> None:
    """A head ends at an empty line, but not every empty line is the end of one."""
    length = b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    content = b"\r\n\r\n\r\n" + HEAD + b"\r\n\r\n\r"
    stream = (
        b"\r\n\r\n" + length % len(content) + content + HEAD + b"1 ;a\r\n\r\r\n0\r\n\r\n" + b"\r\n" + length % 0 + GET
    )
    for size in (*range(1, 12), len(stream)):
        parser = parsed([stream[at : at + size] for at in range(0, len(stream), size)])
        assert parser.refusal is None
        assert [
            (each.line.target, None if each.body is None else b"".join(each.body.pieces)) for each in parser.ready
        ] == [(b"/length", content), (b"/", b"\r"), (b"/length", None), (b"/behind", None)]
        assert parser.body is None


def test_nothing_is_read_behind_chunks_on_a_connection_that_closes() -> None:
    head = HEAD.replace(b"Host: a", b"Host: a\r\nConnection: close")
    for upgrade in (b"close", b"close, upgrade\r\nUpgrade: h2c"):
        stream = head.replace(b"close", upgrade) + b"1 ;a\r\nx\r\n0\r\n\r\n" + GET
        for segments in ([stream], one_by_one(stream)):
            parser = parsed(segments)
            [request] = parser.ready
            assert request.body is not None
            assert (request.body.pieces, request.body.complete, parser.refusal) == ([b"x"], True, None)


class WithoutEnd(RequestParser):
    """Finds no end of a head."""

    def _find_end(self, data: bytes, at: int) -> int:  # noqa: ARG002
        return len(data)


def test_chunks_that_llhttp_would_read_itself_are_refused() -> None:
    """No known head makes it; if the two parsers did not agree on the end of one, nothing behind it would be read."""
    for behind in (b"3", b"3\r\nabc\r\n0\r\n\r\n"):
        options = HttpOptions(target="a:b")
        parser = WithoutEnd(options, HeadReader(options))
        parser.feed(b"\r\n" + HEAD + behind)
        assert parser.refusal is not None
        assert not parser.ready
