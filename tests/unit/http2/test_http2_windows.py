"""Flow control in both directions (RFC 9113, 5.2 and 6.9)."""

from __future__ import annotations

import hpack
import pytest
from http2_frames import Played, frame

from corepool_http.http2.errors import Code
from corepool_http.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    SETTINGS,
    WINDOW_UPDATE,
)
from corepool_http.http2.windows import STREAM_WINDOW


def initial_window(size: int) -> bytes:
    return frame(SETTINGS, 0, 0, b"\0\4" + size.to_bytes(4))


def update(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4))


def test_the_window_of_a_stream_is_the_clients_setting_and_changes_with_it() -> None:
    """RFC 9113, 6.9.2, in the RFC's own example of a window below 0."""
    played = Played()
    played.feed(initial_window(3))
    stream = played.request(1)
    assert played.codec.room_of(stream) == 3
    played.codec.send_data(stream, b"abc", False)
    played.feed(initial_window(1))
    assert (stream.send_window, played.codec.room_of(stream)) == (-2, 0)
    assert played.feed(update(1, 2)) == []
    [told] = played.feed(update(1, 1))
    assert told is stream
    assert played.codec.room_of(stream) == 1


def test_the_window_of_the_connection_is_no_setting() -> None:
    """RFC 9113, 6.9.2."""
    played = Played()
    played.feed(initial_window(1 << 20))
    stream = played.request(1)
    assert played.codec.room_of(stream) == 65_535
    played.codec.send_data(stream, bytes(65_535), False)
    assert played.codec.room_of(stream) == 0
    assert not played.codec.opened
    played.feed(update(0, 5))
    assert played.codec.opened
    assert played.codec.room_of(stream) == 5


def test_content_is_cut_into_frames_that_the_client_takes() -> None:
    """RFC 9113, 4.2."""
    played = Played()
    stream = played.request(1)
    played.codec.send_data(stream, bytes(40_000), True)
    played.feed(b"")
    assert [(len(each.payload), each.flags) for each in played.sent] == [(16_384, 0), (16_384, 0), (7_232, END_STREAM)]


def test_a_head_that_is_longer_than_a_frame_is_continued() -> None:
    """RFC 9113, 6.10."""
    played = Played()
    stream = played.request(1)
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"\xff" * 1000) for number in range(40))
    played.codec.send_head(stream, 200, lines, -1, True)
    played.feed(b"")
    kinds = [(each.kind, each.flags) for each in played.sent]
    assert kinds == [(HEADERS, END_STREAM), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)]
    decoder = hpack.Decoder(max_header_list_size=100_000)
    assert len(decoder.decode(b"".join(each.payload for each in played.sent), raw=True)) == 41


def test_content_that_is_in_frames_uses_the_windows() -> None:
    played = Played()
    stream = played.request(1)
    room = played.codec.room_of(stream)
    first, last = frame(DATA, 0, 1, bytes(16_384)), frame(DATA, END_STREAM, 1, bytes(3_616))
    played.codec.send_frames(stream, first, 16_384, False)
    assert played.codec.room_of(stream) == room - 16_384
    assert played.codec.take() == first
    played.codec.send_frames(stream, last, 3_616, True)
    assert played.codec.take() == last
    assert stream.is_closed
    played.codec.send_frames(stream, last, 3_616, True)
    assert played.codec.take() == b""


def test_the_window_of_a_stream_opens_as_its_application_takes() -> None:
    played = Played()
    stream = played.upload(1)
    played.feed(*(frame(DATA, 0, 1, bytes(10_000)) for _ in range(4)))
    assert stream.unread == 40_000
    assert played.of_kind(WINDOW_UPDATE) == []
    played.codec.consumed(stream, 40_000)
    played.feed(b"")
    assert [(each.stream, int.from_bytes(each.payload)) for each in played.of_kind(WINDOW_UPDATE)] == [
        (1, 40_000 + STREAM_WINDOW)
    ]


def test_the_window_of_the_connection_opens_as_content_arrives() -> None:
    """A stream that is not read holds up no other."""
    played = Played()
    for number in range(1, 25, 2):
        played.upload(number)
        played.feed(*(frame(DATA, 0, number, bytes(16_000)) for _ in range(4)))
    assert played.failure is None
    assert {each.stream for each in played.of_kind(WINDOW_UPDATE)} == {0}


def test_padding_is_given_back() -> None:
    """RFC 9113, 6.9.1: all of the payload counts."""
    played = Played()
    stream = played.upload(1)
    for _ in range(100):
        played.feed(frame(DATA, PADDED, 1, b"\xffabc" + bytes(255)))
        stream.body.take()
        played.codec.consumed(stream, stream.unread)
    played.feed(frame(DATA, 0, 1, bytes(16_000)))
    assert played.failure is None
    assert played.resets() == []
    assert stream.receive_window + stream.credit + stream.unread == stream.whole_window


def test_a_client_that_ignores_the_window_of_a_stream_loses_it() -> None:
    """RFC 9113, 6.9.1."""
    played = Played()
    played.upload(1)
    played.feed(*(frame(DATA, 0, 1, bytes(16_384)) for _ in range(4)))
    assert played.resets() == [(1, Code.FLOW_CONTROL_ERROR)]
    assert played.lost == [1]
    assert played.streams[1].body.failed
    assert played.is_well()


def test_a_client_that_ignores_the_window_of_the_connection_loses_it() -> None:
    """RFC 9113, 6.9.1."""
    played = Played()
    for number in range(1, 41, 2):
        played.upload(number)
    pieces = [frame(DATA, 0, number, bytes(16_000)) for number in range(1, 41, 2) for _ in range(4)]
    played.feed(*pieces)
    assert played.failure is not None
    assert played.failure.code == Code.FLOW_CONTROL_ERROR


def test_content_of_single_bytes_costs_little_more_than_its_bytes() -> None:
    played = Played()
    stream = played.upload(1)
    played.feed(*(frame(DATA, 0, 1, b"x") for _ in range(10_000)))
    assert len(stream.body.pieces) < 10
    assert stream.body.take() == b"x" * 10_000


@pytest.mark.parametrize("size", [0, 100, 4095])
def test_a_client_that_allows_a_smaller_table_is_told_that_none_is_used(size: int) -> None:
    """RFC 7541, 4.2."""
    played = Played()
    stream = played.request(1)
    played.feed(frame(SETTINGS, 0, 0, b"\0\1" + size.to_bytes(4)))
    played.decoder.max_allowed_table_size = size
    for _ in range(2):
        played.codec.send_head(stream, 200, b"Server: corepool\r\n", -1, False)
    played.feed(b"")
    heads = [played.decoder.decode(each.payload) for each in played.of_kind(HEADERS)]
    assert heads == [[(":status", "200"), ("server", "corepool")]] * 2


def test_a_response_has_trailers_interim_heads_and_no_headers_of_a_connection() -> None:
    """RFC 9113, 8.1 and 8.2.2."""
    played = Played()
    stream = played.request(1)
    played.codec.send_head(stream, 103, b"Link: </a.css>\r\n", -1, False)
    played.codec.send_head(stream, 299, b"Connection: close\r\nKeep-Alive: x\r\nX-A: b\r\n", 2, False)
    played.codec.send_data(stream, b"ok", False)
    played.codec.send_trailers(stream, [(b"grpc-status", b"0")])
    played.feed(b"")
    blocks = [played.decoder.decode(each.payload) for each in played.of_kind(HEADERS)]
    assert blocks == [
        [(":status", "103"), ("link", "</a.css>")],
        [(":status", "299"), ("x-a", "b"), ("content-length", "2")],
        [("grpc-status", "0")],
    ]
    assert [each.flags & END_STREAM for each in played.sent] == [0, 0, 0, 1]
    assert stream.is_closed
    played.codec.send_data(stream, b"late", True)
    played.codec.send_head(stream, 200, b"", -1, True)
    played.codec.reset(stream, Code.CANCEL)
    assert played.codec.take() == b"", "nothing is sent on a closed stream"
