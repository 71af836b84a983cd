"""Windows of uploads grow with what applications take (RFC 9113, 6.9), within bounds of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http2_frames import Played, frame

from corepool_http.http2.frames import DATA, END_STREAM, RST_STREAM, WINDOW_UPDATE
from corepool_http.http2.windows import MAX_EXTRA, MAX_EXTRA_OF_WORKER, MAX_STREAM_WINDOW, STREAM_WINDOW, ExtraRoom

if TYPE_CHECKING:
    from corepool_http.http2.streams import BaseStream


def send_window(played: Played, stream: BaseStream) -> None:
    """Send content until the window of the stream is used up."""
    while stream.receive_window:
        played.feed(frame(DATA, 0, stream.number, bytes(min(16_384, stream.receive_window))))
    assert played.resets() == []
    assert played.failure is None


def take(played: Played, stream: BaseStream) -> None:
    """Have the application take all that has come."""
    assert stream.body is not None
    stream.body.take()
    played.codec.consumed(stream, stream.unread)


def grow(played: Played, stream: BaseStream, times: int = 10) -> None:
    for _ in range(times):
        send_window(played, stream)
        take(played, stream)


def test_a_window_doubles_each_time_its_application_has_taken_all() -> None:
    played = Played(max_body=1 << 40)
    stream = played.upload(1)
    sizes = []
    for _ in range(6):
        send_window(played, stream)
        take(played, stream)
        sizes.append(stream.receive_window)
    assert sizes == [min(STREAM_WINDOW * factor, MAX_STREAM_WINDOW) for factor in (2, 4, 8, 16, 32, 64)]
    played.feed(b"")
    told = [each for each in played.of_kind(WINDOW_UPDATE) if each.stream == 1]
    assert len(told) == 6, "the larger window is in the update that is due anyway"


def test_a_window_stays_while_its_application_lags_behind() -> None:
    played = Played(max_body=1 << 40)
    stream = played.upload(1)
    for _ in range(10):
        send_window(played, stream)
        played.codec.consumed(stream, stream.unread - 1)
    assert stream.whole_window == STREAM_WINDOW


def test_a_window_is_no_larger_than_the_content_that_is_to_come() -> None:
    played = Played(max_body=1 << 40)
    size = STREAM_WINDOW + 100_000
    stream = played.upload(1, ("content-length", str(size)))
    send_window(played, stream)
    take(played, stream)
    assert stream.receive_window == 100_000
    send_window(played, stream)
    take(played, stream)
    assert stream.body is not None
    assert stream.body.received == size
    played.feed(frame(DATA, END_STREAM, 1, b""))
    assert stream.body.complete


def test_a_client_that_sends_beyond_a_window_that_has_grown_loses_the_stream() -> None:
    played = Played(max_body=1 << 40)
    stream = played.upload(1)
    grow(played, stream, 1)
    send_window(played, stream)
    played.feed(frame(DATA, 0, 1, b"x"))
    assert [number for number, _ in played.resets()] == [1]


def test_the_windows_of_a_connection_grow_within_one_bound() -> None:
    played = Played(max_body=1 << 40)
    streams = [played.upload(number) for number in range(1, 41, 2)]
    for stream in streams:
        grow(played, stream)
    assert sum(stream.whole_window - STREAM_WINDOW for stream in streams) == MAX_EXTRA
    played.feed(frame(RST_STREAM, 0, 1, bytes(4)))
    grow(played, streams[-1])
    assert streams[-1].whole_window == MAX_STREAM_WINDOW, "a stream that ends makes room for others"


@pytest.mark.parametrize("ends", ["a reset", "the connection"])
def test_the_windows_of_a_worker_grow_within_one_bound(ends: str) -> None:
    extra = ExtraRoom()
    extra.left = 100_000
    first, second = Played(max_body=1 << 40, extra=extra), Played(max_body=1 << 40, extra=extra)
    for played in (first, second):
        grow(played, played.upload(1))
    assert extra.left == 0
    assert [played.streams[1].whole_window for played in (first, second)] == [STREAM_WINDOW + 100_000, STREAM_WINDOW]
    if ends == "a reset":
        first.feed(frame(RST_STREAM, 0, 1, bytes(4)))
    else:
        first.codec.let_go()
    grow(second, second.streams[1], 1)
    assert second.streams[1].whole_window == 2 * STREAM_WINDOW
    second.codec.let_go()
    assert extra.left == 100_000


def test_the_bound_of_a_worker_is_that_of_several_connections() -> None:
    assert ExtraRoom().left == MAX_EXTRA_OF_WORKER >= 4 * MAX_EXTRA
