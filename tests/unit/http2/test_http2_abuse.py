"""Clients that have the server work for nothing: each meets a bound, and is told ENHANCE_YOUR_CALM (RFC 9113, 10.5)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from http2_frames import GET, POST, Played, frame

from corepool_http.http2.bounds import PERIOD_S
from corepool_http.http2.errors import Code
from corepool_http.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TURNS = 12_000


def stream_numbers() -> Iterator[int]:
    return iter(range(1, 2 * TURNS, 2))


def rapid_reset(played: Played) -> Iterator[bytes]:
    """CVE-2023-44487."""
    return (played.headers(each) + frame(RST_STREAM, 0, each, b"\0\0\0\x08") for each in stream_numbers())


def made_reset(played: Played) -> Iterator[bytes]:
    """CVE-2025-8671."""
    return (played.headers(each) + frame(WINDOW_UPDATE, 0, each, bytes(4)) for each in stream_numbers())


def malformed(played: Played) -> Iterator[bytes]:
    return (played.headers(each, [*GET, ("connection", "x")]) for each in stream_numbers())


def both_resets(played: Played) -> Iterator[bytes]:
    """Neither alone reaches its bound."""
    for each in stream_numbers():
        ending = frame(RST_STREAM, 0, each, b"\0\0\0\x08") if each % 4 == 1 else frame(WINDOW_UPDATE, 0, each, bytes(4))
        yield played.headers(each) + ending


def stream_flood(played: Played) -> Iterator[bytes]:
    return (played.headers(each) for each in stream_numbers())


def late_frames(played: Played) -> Iterator[bytes]:
    played.codec.reset(played.upload(1), Code.CANCEL)
    return (frame(DATA, 0, 1, b"x") for _ in range(TURNS))


def empty_data(played: Played) -> Iterator[bytes]:
    played.upload(1)
    return (frame(DATA, 0, 1) for _ in range(TURNS))


def small_updates(played: Played) -> Iterator[bytes]:
    played.request(1)
    return (frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01") for _ in range(TURNS))


def repeated(data: bytes) -> Iterator[bytes]:
    return (data for _ in range(TURNS))


ABUSES = {
    "rapid_reset": rapid_reset,
    "made_reset": made_reset,
    "made_reset by malformed requests": malformed,
    "rapid_reset or made_reset in turn": both_resets,
    "stream_flood": stream_flood,
    "settings_flood": lambda _: repeated(frame(SETTINGS, 0, 0)),
    "settings_flood of acks": lambda _: repeated(frame(SETTINGS, ACK, 0)),
    "ping_flood": lambda _: repeated(frame(PING, 0, 0, bytes(8))),
    "ping_flood of answers": lambda _: repeated(frame(PING, ACK, 0, bytes(8))),
    "empty_frames_flood": empty_data,
    "priority_flood": lambda _: repeated(frame(PRIORITY, 0, 7, bytes(5))),
    "priority_flood of updates": lambda _: repeated(frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x09u=1")),
    "window_flood": small_updates,
    "late_frames_flood": late_frames,
    "unknown_frames_flood": lambda _: repeated(frame(0x77, 0, 0)),
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_a_flood_ends_its_connection_with_a_name_for_the_counter(abuse: str) -> None:
    played = Played()
    for data in ABUSES[abuse](played):
        played.feed(data)
        if played.failure is not None:
            break
    assert played.failure is not None, "it is never noticed"
    assert played.failure.code == Code.ENHANCE_YOUR_CALM
    assert played.failure.abuse in abuse.split()
    assert played.sent[-1].kind == GOAWAY


def test_values_of_settings_are_counted_since_each_may_change_every_stream() -> None:
    played = Played()
    values = b"".join(b"\0\4" + number.to_bytes(4) for number in range(600))
    played.feed(frame(SETTINGS, 0, 0, values))
    assert played.failure is None
    played.feed(frame(SETTINGS, 0, 0, values))
    assert played.failure is not None
    assert (played.failure.code, played.failure.abuse) == (Code.ENHANCE_YOUR_CALM, "settings_flood")


@pytest.mark.parametrize("abuse", ["rapid_reset", "ping_flood", "settings_flood", "window_flood", "priority_flood"])
def test_the_same_in_a_longer_time_is_none(abuse: str) -> None:
    played = Played()
    for count, data in enumerate(ABUSES[abuse](played)):
        played.feed(data)
        if count % 100 == 99:
            played.clock.now += PERIOD_S
    assert played.failure is None


def test_a_client_that_is_served_may_make_any_number_of_requests() -> None:
    played = Played()
    for number in range(1, 20_001, 2):
        played.codec.send_head(played.request(number), 204, b"", -1, True)
    assert played.failure is None
    assert played.codec.streams == {}


def test_a_request_that_is_reset_in_the_same_bytes_reaches_no_application() -> None:
    played = Played()
    [stream] = played.codec.receive(played.headers(1) + frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
    assert stream.news == 1 | 4
    assert stream.is_closed
    assert (stream.reset_by_client, stream.reset_code) == (True, Code.CANCEL)


@pytest.mark.parametrize("size", [0, 1, 100, 16_384])
def test_a_block_without_end_is_bounded_in_bytes_and_frames(size: int) -> None:
    """The CONTINUATION flood (CVE-2024-27316 and its like)."""
    played = Played()
    played.feed(frame(HEADERS, 0, 1, played.block(GET)))
    sent = 0
    while played.failure is None:
        played.feed(frame(CONTINUATION, 0, 1, bytes(size)))
        sent += size
        assert sent < 100_000
    assert (played.failure.code, played.failure.abuse) == (Code.ENHANCE_YOUR_CALM, "continuation_flood")


def bomb(played: Played, entry: int, references: int) -> bytes:
    """A block that is small, and would be large: a field in the table, and many references to it."""
    block = played.block([*GET, ("x-bomb", "x" * entry)])
    return block + b"\xbe" * references


def test_a_bomb_that_is_a_little_too_large_is_answered_with_431_and_takes_no_memory() -> None:
    played = Played()
    played.feed(frame(HEADERS, 5, 1, bomb(played, 3000, 50)))
    assert played.streams[1].refusal.status == 431
    assert played.is_well()


def test_a_bomb_ends_its_connection() -> None:
    played = Played()
    played.feed(frame(HEADERS, 5, 1, bomb(played, 3000, 10_000)))
    assert played.failure is not None
    assert (played.failure.code, played.failure.abuse) == (Code.ENHANCE_YOUR_CALM, "header_bomb")


def test_a_bomb_among_the_trailers_or_on_a_refused_stream_ends_its_connection() -> None:
    for make in (
        lambda played: played.upload(1) and frame(HEADERS, 5, 1, bomb(played, 3000, 10_000)),
        lambda played: frame(HEADERS, 5, 3, bomb(played, 3000, 10_000)),
    ):
        played = Played(max_streams=1)
        played.upload(1)
        played.feed(make(played))
        assert played.failure is not None
        assert played.failure.abuse == "header_bomb"


def test_ten_thousand_streams_are_held_to_the_limit() -> None:
    played = Played(max_streams=100)
    for number in range(1, 20_001, 2):
        played.feed(played.headers(number))
        if number % 400 == 399:
            played.clock.now += PERIOD_S
    assert played.failure is None
    assert len(played.codec.streams) == 100
    assert {code for _, code in played.resets()} == {Code.REFUSED_STREAM}
    assert len(played.resets()) == 9_900
    assert len(played.codec.resets) <= 128, "the memory of closed streams is bounded"


def test_a_table_of_priorities_for_later_streams_is_bounded() -> None:
    played = Played()
    for number in range(101, 2_101, 2):
        played.feed(frame(PRIORITY_UPDATE, 0, 0, number.to_bytes(4) + b"u=1"))
    assert played.failure is None
    assert played.request(101).urgency == 3, "the oldest is forgotten"
    assert played.request(2_099).urgency == 1


def test_an_idle_connection_has_a_small_state() -> None:
    """Not of kilobytes: a worker holds ten thousands."""
    played = Played()
    for number in range(1, 101, 2):
        played.codec.send_head(played.request(number, [*GET, ("user-agent", "x" * 50)]), 204, b"", -1, True)
    played.feed(b"")
    codec = played.codec
    assert codec.streams == {}
    assert codec.resets == {}
    assert sys.getsizeof(codec.streams) < 4_000
    assert POST
