"""Errors of one stream, which leave the connection alone: each case names the section of RFC 9113 that it proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http2_frames import GET, POST, Played, frame

from corepool_http.http2.errors import Code
from corepool_http.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PRIORITY,
    RST_STREAM,
    WINDOW_UPDATE,
    WITH_PRIORITY,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL, CLOSED = Code.PROTOCOL_ERROR, Code.STREAM_CLOSED


def with_fields(*more: tuple[str, str], base: list[tuple[str, str]] = GET) -> Callable[[Played], bytes]:
    return lambda played: played.headers(1, [*base, *more])


def without(name: str) -> Callable[[Played], bytes]:
    return lambda played: played.headers(1, [field for field in GET if field[0] != name])


def content(*data: bytes, length: str) -> Callable[[Played], bytes]:
    def make(played: Played) -> bytes:
        pieces = [frame(DATA, 0, 1, piece) for piece in data]
        return played.headers(1, [*POST, ("content-length", length)], ends=False) + b"".join(pieces)

    return make


def ended(played: Played) -> bytes:
    return played.headers(1)


def reset(played: Played) -> bytes:
    return played.headers(1, ends=False) + frame(RST_STREAM, 0, 1, b"\0\0\0\x08")


def trailers(*fields: tuple[str, str], ends: bool = True) -> Callable[[Played], bytes]:
    return lambda played: played.headers(1, POST, ends=False) + played.headers(1, fields, ends=ends)


CASES: dict[str, tuple[Callable[[Played], bytes], Code]] = {
    "5.1 half-closed (remote): DATA": (lambda p: ended(p) + frame(DATA, END_STREAM, 1, b"x"), CLOSED),
    "5.1 half-closed (remote): HEADERS": (lambda p: ended(p) + p.headers(1), CLOSED),
    "5.1 closed by RST_STREAM: DATA": (lambda p: reset(p) + frame(DATA, END_STREAM, 1, b"x"), CLOSED),
    "5.1 closed by RST_STREAM: HEADERS": (lambda p: reset(p) + p.headers(1), CLOSED),
    "6.3 PRIORITY of a wrong size": (
        lambda p: p.headers(1, ends=False) + frame(PRIORITY, 0, 1, b"abcd"),
        Code.FRAME_SIZE_ERROR,
    ),
    "6.9 WINDOW_UPDATE of 0": (lambda p: p.headers(1) + frame(WINDOW_UPDATE, 0, 1, bytes(4)), PROTOCOL),
    "6.9.1 a window above 2^31-1": (
        lambda p: p.headers(1) + frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"),
        Code.FLOW_CONTROL_ERROR,
    ),
    "8.1 trailers without END_STREAM": (trailers(("x", "y"), ends=False), PROTOCOL),
    "8.1 trailers with a pseudo-header field": (trailers((":method", "GET")), PROTOCOL),
    "8.1.1 a Content-Length without content": (with_fields(("content-length", "1")), PROTOCOL),
    "8.1.1 more content than Content-Length": (
        lambda p: content(b"abc", length="2")(p) + frame(DATA, END_STREAM, 1, b""),
        PROTOCOL,
    ),
    "8.1.1 more content than Content-Length, in pieces": (
        lambda p: content(b"a", b"b", length="1")(p) + frame(DATA, END_STREAM, 1, b"c"),
        PROTOCOL,
    ),
    "8.1.1 less content than Content-Length": (
        lambda p: content(b"a", length="2")(p) + frame(DATA, END_STREAM, 1),
        PROTOCOL,
    ),
    "8.1.1 less content than Content-Length, with trailers": (
        lambda p: content(b"a", length="2")(p) + p.headers(1, [("x", "y")]),
        PROTOCOL,
    ),
    "8.2.1 upper case in a name": (with_fields(("X-Test", "a")), PROTOCOL),
    "8.2.1 a name without a byte": (with_fields(("", "a")), PROTOCOL),
    "8.2.1 a space in a name": (with_fields(("a b", "a")), PROTOCOL),
    "8.2.1 a colon in a name": (with_fields(("a:b", "a")), PROTOCOL),
    "8.2.1 a byte above 0x7f in a name": (with_fields(("\xe4", "a")), PROTOCOL),
    "8.2.1 CR in a value": (with_fields(("a", "b\rc")), PROTOCOL),
    "8.2.1 LF in a value": (with_fields(("a", "b\nc")), PROTOCOL),
    "8.2.1 NUL in a value": (with_fields(("a", "b\0c")), PROTOCOL),
    "8.2.1 white space before a value": (with_fields(("a", " b")), PROTOCOL),
    "8.2.1 white space behind a value": (with_fields(("a", "b\t")), PROTOCOL),
    "8.2.2 Connection": (with_fields(("connection", "keep-alive")), PROTOCOL),
    "8.2.2 Proxy-Connection": (with_fields(("proxy-connection", "keep-alive")), PROTOCOL),
    "8.2.2 Keep-Alive": (with_fields(("keep-alive", "timeout=5")), PROTOCOL),
    "8.2.2 Transfer-Encoding": (with_fields(("transfer-encoding", "chunked")), PROTOCOL),
    "8.2.2 Upgrade": (with_fields(("upgrade", "websocket")), PROTOCOL),
    "8.2.2 TE that is not trailers": (with_fields(("te", "trailers, deflate")), PROTOCOL),
    "8.3 an unknown pseudo-header field": (with_fields((":test", "ok")), PROTOCOL),
    "8.3 a pseudo-header field of responses": (with_fields((":status", "200")), PROTOCOL),
    "8.3 a pseudo-header field behind others": (lambda p: p.headers(1, [*GET[:3], ("x", "y"), GET[3]]), PROTOCOL),
    "8.3.1 no :method": (without(":method"), PROTOCOL),
    "8.3.1 no :scheme": (without(":scheme"), PROTOCOL),
    "8.3.1 no :path": (without(":path"), PROTOCOL),
    "8.3.1 an empty :path": (lambda p: p.headers(1, [*GET[:3], (":path", "")]), PROTOCOL),
    "8.3.1 two :method": (with_fields((":method", "GET")), PROTOCOL),
    "8.3.1 two :scheme": (lambda p: p.headers(1, [*GET, (":scheme", "https")]), PROTOCOL),
    "8.3.1 two :path": (lambda p: p.headers(1, [*GET, (":path", "/")]), PROTOCOL),
    "8.3.1 two :authority": (lambda p: p.headers(1, [*GET, (":authority", "example.com")]), PROTOCOL),
    "8.3.1 a Host that is not :authority": (with_fields(("host", "other.example")), PROTOCOL),
    "8.5 CONNECT with a :path": (lambda p: p.headers(1, [(":method", "CONNECT"), *GET[2:]]), PROTOCOL),
    "8.5 CONNECT without :authority": (lambda p: p.headers(1, [(":method", "CONNECT")]), PROTOCOL),
    "8441 4 :protocol without CONNECT": (with_fields((":protocol", "websocket")), PROTOCOL),
}


@pytest.mark.parametrize("case", CASES)
def test_a_stream_ends_with_the_code_of_the_section(case: str) -> None:
    make, code = CASES[case]
    played = Played()
    played.feed(make(played))

    assert played.failure is None, "the whole connection has ended"
    assert played.resets() == [(1, code)]
    assert all(number in played.lost for number in played.streams), "its application is not told"
    assert played.is_well()
    assert played.request(3).request is not None, "another stream is served"


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith(("8.2", "8.3", "8.5"))])
def test_a_malformed_request_reaches_no_application(case: str) -> None:
    """RFC 9113, 8.1.1."""
    played = Played()
    played.feed(CASES[case][0](played))
    assert played.streams == {}


def test_a_malformed_entry_of_the_table_makes_each_request_malformed_that_refers_to_it() -> None:
    """RFC 7541, 2.3.2: the entry stays in the table, though its request was malformed."""
    played = Played()
    bad = played.headers(1, [*GET, ("x-bad", "a\nb")])
    again = played.headers(3, [*GET, ("x-bad", "a\nb")])
    assert len(again) < len(bad), "it is an index"
    played.feed(bad, again)
    assert played.resets() == [(1, PROTOCOL), (3, PROTOCOL)]
    assert played.request(5).request is not None


def test_frames_that_cross_our_reset_are_ignored() -> None:
    """RFC 9113, 5.1: they were sent before it was received, and HPACK goes on."""
    played = Played()
    stream = played.upload(1)
    played.codec.reset(stream, Code.CANCEL)
    played.feed(frame(DATA, 0, 1, b"x"), played.headers(1, [("x-new", "y")]), frame(RST_STREAM, 0, 1, bytes(4)))
    assert played.resets() == [(1, Code.CANCEL)]
    assert played.request(3, [*GET, ("x-new", "y")]).request.section.single(b"x-new") == b"y"


def test_frames_that_cross_the_end_of_a_stream_are_ignored() -> None:
    """RFC 9113, 5.1: WINDOW_UPDATE and RST_STREAM for a stream that was closed meanwhile."""
    played = Played()
    played.codec.send_head(played.request(1), 204, b"", -1, True)
    played.feed(
        frame(WINDOW_UPDATE, 0, 1, b"\0\0\1\0"), frame(RST_STREAM, 0, 1, bytes(4)), frame(PRIORITY, 0, 1, bytes(5))
    )
    assert played.resets() == []
    assert played.is_well()


def test_a_response_before_the_end_of_its_request_resets_the_stream_without_an_error() -> None:
    """RFC 9113, 8.1."""
    played = Played()
    stream = played.upload(1)
    played.codec.send_head(stream, 200, b"", 0, True)
    played.feed(b"")
    assert played.resets() == [(1, Code.NO_ERROR)]
    assert stream.is_closed
    assert played.codec.streams == {}


def test_streams_beyond_the_limit_are_refused_and_may_come_again() -> None:
    """RFC 9113, 5.1.2 and 8.7."""
    played = Played(max_streams=2)
    first = played.request(1)
    played.feed(played.headers(3), played.headers(5))
    assert sorted(played.streams) == [1, 3]
    assert played.resets() == [(5, Code.REFUSED_STREAM)]
    played.codec.send_head(first, 204, b"", -1, True)
    assert played.request(7).request is not None


def test_streams_behind_the_last_goaway_are_refused() -> None:
    """RFC 9113, 6.8: the first of two GOAWAY names no last stream, the second does."""
    played = Played()
    played.request(1)
    played.codec.goaway(Code.NO_ERROR)
    played.request(3)
    played.codec.goaway(Code.NO_ERROR, played.codec.last_stream)
    played.feed(played.headers(5))
    assert played.resets() == [(5, Code.REFUSED_STREAM)]
    assert sorted(played.streams) == [1, 3]
    assert [int.from_bytes(each.payload[:4]) for each in played.of_kind(7)] == [(1 << 31) - 1, 3]


def test_padding_priorities_and_continuations_are_taken_off() -> None:
    """RFC 9113, 6.2 and 6.10."""
    played = Played()
    block = played.block([*GET, ("x", "y")])
    flags = END_STREAM | PADDED | WITH_PRIORITY
    played.feed(
        frame(HEADERS, flags, 1, b"\x03" + bytes(5) + block[:4] + bytes(3)),
        frame(CONTINUATION, 0, 1, block[4:6]),
        frame(CONTINUATION, 0, 1, b""),
        frame(CONTINUATION, END_HEADERS, 1, block[6:]),
    )
    assert played.streams[1].request.section.single(b"x") == b"y"
