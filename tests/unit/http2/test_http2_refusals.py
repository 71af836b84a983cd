"""Requests that are answered with a status, as HTTP/1 answers them: the same options bound both versions."""

from __future__ import annotations

import pytest
from http2_frames import GET, POST, Played, frame

from corepool_http.http2 import frames
from corepool_http.http2.errors import Code
from corepool_http.http2.frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS

LONG = [("x-long", "a" * 700), ("x-longer", "b" * 700)]

CASES: dict[str, tuple[int, list[tuple[str, str]]]] = {
    "a section above max_head": (431, [*GET, *LONG]),
    "a section of many lines": (431, [*GET, *((f"x-{number}", "") for number in range(200))]),
    "a target above max_request_line": (414, [*GET[:3], (":path", "/" + "a" * 256)]),
    "content above max_body": (413, [*POST, ("content-length", "101")]),
    "a target that is no path": (400, [*GET[:3], (":path", "index.html")]),
    "a target with a fragment": (400, [*GET[:3], (":path", "/a#b")]),
    "a target with a space": (400, [*GET[:3], (":path", "/a b")]),
    "a target beyond ASCII": (400, [*GET[:3], (":path", "/\xe4")]),
    "* with GET": (400, [*GET[:3], (":path", "*")]),
    "no authority": (400, [*GET[:2], GET[3]]),
    "an authority with a user": (400, [*GET[:2], (":authority", "user@example.com"), GET[3]]),
    "an authority with a path": (400, [*GET[:2], (":authority", "example.com/a"), GET[3]]),
    "two lines of Content-Length": (400, [*POST, ("content-length", "1"), ("content-length", "1")]),
    "two lines of Authorization": (400, [*GET, ("authorization", "a"), ("authorization", "b")]),
    "an unknown expectation": (417, [*POST, ("expect", "wonders")]),
    "CONNECT": (501, [(":method", "CONNECT"), (":authority", "example.com:443")]),
    "CONNECT with another protocol": (501, [(":method", "CONNECT"), *GET[1:], (":protocol", "connect-udp")]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_refused_with_the_status_of_http1(case: str) -> None:
    status, fields = CASES[case]
    played = Played(max_head=1024, max_request_line=256, max_body=100)
    played.feed(played.headers(1, fields, ends=status != 413))

    stream = played.streams[1]
    assert stream.refusal is not None
    assert stream.refusal.status == status
    assert stream.request.body is None
    played.codec.send_head(stream, status, b"", 0, True)
    assert played.is_well()
    assert played.request(3).refusal is None


def test_a_refused_request_is_seen_with_its_line_and_section_for_the_log() -> None:
    played = Played(max_head=1024)
    request = played.request(1, [*GET, ("user-agent", "x"), ("expect", "wonders")]).request
    assert (request.line.method, request.line.target) == ("GET", b"/")
    assert request.section.single(b"user-agent") == b"x"
    assert played.request(3, [*GET, *LONG]).request.section.headers == [(b"host", b"example.com")]


def test_content_that_grows_beyond_max_body_fails_with_413() -> None:
    played = Played(max_body=100)
    stream = played.upload(1)
    played.feed(frame(DATA, 0, 1, bytes(60)), frame(DATA, 0, 1, bytes(60)), frame(DATA, END_STREAM, 1, b"x"))
    assert stream.body.failed
    assert stream.body.refusal.status == 413
    played.codec.send_head(stream, 413, b"", 0, True)
    assert played.is_well()


def test_a_block_in_many_frames_is_refused_as_one_in_one_frame() -> None:
    played = Played(max_head=1024)
    block = played.block([*GET, *((f"x-{number}", "v" * 40) for number in range(1000))])
    pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
    assert 2 < len(pieces) < 6
    played.feed(frame(HEADERS, END_STREAM, 1, pieces[0]))
    for piece in pieces[1:]:
        played.feed(frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, 1, piece))
    assert played.streams[1].refusal.status == 431
    assert played.request(3, [*GET, ("x-999", "v" * 40)]).request.section.single(b"x-999") == b"v" * 40


def test_expectations_and_methods_of_http1_are_those_of_http2() -> None:
    played = Played()
    assert played.upload(1, ("expect", "100-continue")).request.expects_continue
    assert played.request(3, [(":method", "OPTIONS"), *GET[1:3], (":path", "*")]).request.line.target == b"*"
    assert (
        played.request(5, [*GET[:2], GET[3], ("host", "Example.com")]).request.section.single(b"host") == b"Example.com"
    )
    assert played.request(7, [*GET, ("host", "EXAMPLE.com")]).request.section.headers == [(b"host", b"example.com")]
    assert played.request(9, [*GET, ("te", "trailers")]).request.section.single(b"te") == b"trailers"


def test_a_websocket_is_a_tunnel_whose_bytes_are_no_content() -> None:
    """RFC 8441, 4 and 5."""
    connect = [(":method", "CONNECT"), *GET[1:], (":protocol", "websocket"), ("sec-websocket-version", "13")]
    played = Played(max_body=4)
    played.feed(played.headers(1, connect, ends=False), frame(DATA, 0, 1, b"frames of it"))
    stream = played.streams[1]
    assert stream.request.upgrade
    assert stream.is_tunnel
    assert stream.request.body is None
    assert stream.body.take() == b"frames of it"
    played.codec.send_head(stream, 200, b"", -1, False)
    played.codec.send_data(stream, b"more", True)
    played.feed(frame(DATA, 0, 1, b"answer"))
    assert stream.body.take() == b"answer", "each side ends for itself"
    played.feed(frame(DATA, END_STREAM, 1))
    assert stream.body.complete
    assert stream.is_closed


def test_a_websocket_is_malformed_without_the_setting() -> None:
    """RFC 8441, 3."""
    played = Played(websockets=False)
    played.feed(played.headers(1, [(":method", "CONNECT"), *GET[1:], (":protocol", "websocket")], ends=False))
    assert played.resets() == [(1, Code.PROTOCOL_ERROR)]


@pytest.mark.parametrize(
    ("value", "urgency", "incremental"),
    [
        (None, 3, True),
        ("u=0", 0, False),
        ("u=7, i", 7, True),
        ("i=?0,u=2", 2, False),
        ("i", 3, True),
        ("u=8", 3, False),
        ("u=-1", 3, False),
        ("u=1.5", 3, False),
        ('u="1", i=7', 3, False),
        ("x=1;a=b, u=5;y", 5, False),
        ("u=1, u=2", 2, False),
        ("U=1", 3, True),
        ("u=1, ???", 3, True),
    ],
)
def test_priorities_are_those_of_rfc_9218(value: str | None, urgency: int, incremental: bool) -> None:  # noqa: FBT001
    """RFC 9218, 4 and 5. Without a word of the client's, responses share the connection."""
    played = Played()
    stream = played.request(1, GET if value is None else [*GET, ("priority", value)])
    assert (stream.urgency, stream.incremental) == (urgency, incremental)


def test_a_priority_update_changes_a_stream_and_precedes_its_header() -> None:
    """RFC 9218, 7."""
    played = Played()
    early = b"\0\0\0\3u=1, i"
    played.feed(frame(frames.PRIORITY_UPDATE, 0, 0, early))
    assert played.request(3, [*GET, ("priority", "u=6")]).urgency == 1
    stream = played.request(5)
    [told] = played.feed(frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\5u=0"))
    assert told is stream
    assert (stream.urgency, stream.incremental) == (0, False)
