"""Requests as the codec hands them over: neutral, whatever the frames that they came in (RFC 9113, 8)."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest
from http2_frames import GET, Played, frame

from corepool_http.http2 import frames
from corepool_http.http2.codec import Codec, KnownBlocks
from corepool_http.http2.streams import CONTENT, REQUEST, BaseStream
from corepool_http.options import ServerOptions


def test_a_client_of_the_library_h2_has_its_requests_answered() -> None:
    codec = Codec(ServerOptions(), KnownBlocks(), BaseStream)
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    client.receive_data(codec.take())
    client.send_headers(1, GET, end_stream=True)
    client.send_headers(3, [(":method", "PUT"), *GET[1:], ("content-length", "5")])
    client.send_data(3, b"hello", end_stream=True)

    get, put = codec.receive(client.data_to_send())
    assert (get.news, put.news) == (REQUEST, REQUEST | CONTENT)
    assert get.request.line.method == "GET"
    assert get.request.body is None
    assert put.request.body is put.body
    assert (put.body.take(), put.body.complete) == (b"hello", True)
    for stream in (get, put):
        codec.send_head(stream, 200, b"Content-Type: text/plain\r\n", 5, False)
        codec.send_data(stream, b"hello", True)
    assert codec.streams == {}

    events = client.receive_data(codec.take())
    heads = [event for event in events if isinstance(event, h2.events.ResponseReceived)]
    assert [event.stream_id for event in heads] == [1, 3]
    assert heads[0].headers == [(b":status", b"200"), (b"content-type", b"text/plain"), (b"content-length", b"5")]
    assert [event.data for event in events if isinstance(event, h2.events.DataReceived)] == [b"hello"] * 2
    assert sum(isinstance(event, h2.events.StreamEnded) for event in events) == 2


def test_host_is_the_authority_and_cookies_are_joined() -> None:
    played = Played()
    request = played.request(1, [*GET, ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]).request
    assert request.version == "2"
    assert request.section.headers == [(b"host", b"example.com"), (b"cookie", b"a=1; b=2"), (b"x", b"y")]


def test_a_repeated_section_is_judged_once() -> None:
    played = Played()
    fields = [*GET, ("user-agent", "browser"), ("accept", "*/*")]
    first, second, third = (played.request(number, fields).request for number in (1, 3, 5))
    assert first.section is second.section is third.section
    assert second.line is third.line, "the same bytes"


def test_the_same_block_for_another_host_is_another_section() -> None:
    played = Played()
    sections = []
    for number in range(1, 12, 2):
        host = "a.example" if number % 4 == 1 else "b.example"
        fields = [*GET[:2], (":authority", host), GET[3], ("user-agent", "browser")]
        sections.append((host, played.request(number, fields).request.section))
    for host, section in sections:
        assert section.single(b"host") == host.encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_any_cutting_of_the_bytes_gives_the_same_requests(size: int) -> None:
    fields = [*GET, ("cookie", "a=b"), ("user-agent", "x" * 300)]
    whole, cut = Played(begin=False), Played(begin=False)
    data = b"".join(
        (
            frames.PREFACE,
            frame(frames.SETTINGS, 0, 0),
            whole.headers(1, fields),
            whole.headers(3, [(":method", "POST"), *fields[1:]], ends=False),
            frame(frames.DATA, 0, 3, b"first "),
            frame(frames.DATA, frames.PADDED, 3, b"\x03second\0\0\0"),
            whole.headers(3, [("trailer", "yes")]),
        )
    )
    whole.feed(data)
    for at in range(0, len(data), size):
        cut.feed(data[at : at + size])
    for played in (whole, cut):
        assert played.streams[1].request.section.headers == [(b"host", b"example.com"), *_bytes(fields[4:])]
        body = played.streams[3].body
        assert body.take() == b"first second"
        assert (body.complete, body.trailers) == (True, [(b"trailer", b"yes")])


def _bytes(fields: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in fields]
