"""How long a client of HTTP/2 may take: each stream has deadlines of its own, and one timer serves them all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest import mock

import hpack
import mirror
import pytest
from http2_client import Http2Client
from http2_frames import frame, split
from http_client import APPLICATIONS
from mirror_client import let_go

from corepool.hot.leaving import notify_drain
from corepool.spec.types import TimeoutKind
from corepool_http import Http, HttpOptions
from corepool_http.http2 import deadlines
from corepool_http.http2.errors import Code
from corepool_http.http2.frames import ACK, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.conversation import Conversation, Conversations

HOLD = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/hold")]


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def pass_by(self, seconds: float, conversation: Conversation) -> None:
        """Have the timer of the connection fire after so many seconds."""
        self.now += seconds
        conversation.time_out(TimeoutKind.READ)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(deadlines, "time", clock):
        yield clock


@pytest.fixture
def conversation(connection: Conversations, clock: Clock) -> Conversation:  # noqa: ARG001  # it comes first
    mirror.Handshakes.go = asyncio.Event()
    settings = {
        "target": "mirror:asgi",
        "directory": str(APPLICATIONS),
        "keep_alive": 75,
        "header_timeout": 15,
        "body_timeout": 30,
    }
    return connection(Http(HttpOptions.model_validate(settings)))


def test_an_idle_connection_ends_with_a_goaway(clock: Clock, conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    client.begin("/")
    client.read_all()
    clock.pass_by(74, conversation)
    assert not conversation.conn.closed
    clock.pass_by(2, conversation)
    client.read_all()
    assert client.goaways == [(0, 1)]
    assert conversation.conn.closed


@pytest.mark.parametrize("acknowledges", [False, True])
@pytest.mark.parametrize("has_request", [False, True])
def test_a_client_has_to_acknowledge_the_settings(
    clock: Clock, conversation: Conversation, *, has_request: bool, acknowledges: bool
) -> None:
    """RFC 9113, 6.5.3."""
    conversation.send(PREFACE + frame(SETTINGS, 0, 0))
    if acknowledges:
        conversation.send(frame(SETTINGS, ACK, 0))
    if has_request:
        conversation.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, hpack.Encoder().encode(HOLD)))
    conversation.receive()
    clock.pass_by(14, conversation)
    assert conversation.receive() == b""
    clock.pass_by(2, conversation)
    goaways = [each for each in split(conversation.receive()) if each.kind == GOAWAY]
    codes = [int.from_bytes(each.payload[4:8]) for each in goaways]
    assert codes == ([] if acknowledges else [Code.SETTINGS_TIMEOUT])
    assert conversation.conn.closed != acknowledges


def test_a_connection_with_a_stream_is_not_idle(clock: Clock, conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    stream = client.begin("/hold")
    client.read_all()
    clock.pass_by(10_000, conversation)
    assert not conversation.conn.closed
    let_go(conversation)
    client.read_all()
    assert client.answers[stream].is_whole


def test_content_that_does_not_come_costs_its_own_stream(clock: Clock, conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    late, held = client.begin("/", method="POST", more=True), client.begin("/hold")
    client.read_all()
    clock.pass_by(31, conversation)
    client.read_all()
    assert client.answers[late].status == 408
    let_go(conversation)
    client.read_all()
    assert client.answers[held].status == 200


def test_content_that_comes_slowly_has_time_for_each_64_kib(clock: Clock, conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    upload = client.begin("/", method="POST", more=True)
    client.read_all()
    for _ in range(6):
        clock.pass_by(20, conversation)
        client.send(upload, bytes(16_384))
        client.send(upload, bytes(16_384))
        client.read_all()
        client.send(upload, bytes(16_384))
        client.send(upload, bytes(16_384))
        client.read_all()
    assert client.answers[upload].status == 0
    clock.pass_by(31, conversation)
    client.read_all()
    assert client.answers[upload].status == 408


def test_a_client_that_waits_for_its_invitation_is_not_late(clock: Clock, conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    stream = client.begin("/hold", ("expect", "100-continue"), method="POST", more=True)
    client.read_all()
    clock.pass_by(10_000, conversation)
    client.read_all()
    assert client.answers[stream].status == 0
    let_go(conversation)
    client.read_all()
    assert client.answers[stream].interim == [(100, [])]


def test_a_client_whose_window_the_application_has_not_opened_is_not_late(
    clock: Clock, conversation: Conversation
) -> None:
    client = Http2Client.of(conversation)
    stream = client.begin("/hold", method="POST", more=True)
    for size in (16_384, 16_384, 16_384, 16_383):
        client.send(stream, bytes(size))
    clock.pass_by(10_000, conversation)
    client.read_all()
    assert client.answers[stream].status == 0


def test_a_stream_whose_response_is_not_taken_is_reset_and_costs_no_other(
    clock: Clock, conversation: Conversation
) -> None:
    client = Http2Client.of(conversation, takes=False)
    client.take(2**20)
    slow, held = client.begin("/stream"), client.begin("/hold")
    client.read_all()
    clock.pass_by(10_000, conversation)
    client.read_all()
    assert client.answers[slow].reset == 8, "CANCEL"
    let_go(conversation)
    client.read_all()
    assert client.answers[held].is_whole


def test_a_header_block_that_does_not_end_ends_its_connection(clock: Clock, conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    conversation.send(b"\0\0\1\1\0\0\0\0\1")
    clock.pass_by(16, conversation)
    client.read_all()
    assert conversation.conn.closed


def test_whole_frames_between_the_cut_ones_give_the_next_its_time(clock: Clock, conversation: Conversation) -> None:
    pieces: list[bytes] = []
    client = Http2Client.of(conversation)
    client.read_all()
    client.send_by(pieces.append)
    for _ in range(3):
        client.begin("/")
    rest = b""
    for piece in pieces:
        conversation.send(rest + piece[:5])
        rest = piece[5:]
        clock.pass_by(10, conversation)
    conversation.send(rest)
    client.send_by(conversation.send)
    client.read_all()
    assert all(answer.is_whole for answer in client.answers.values())


def test_a_client_that_does_not_answer_the_ping_of_a_drain_is_told_the_last_stream(
    clock: Clock, conversation: Conversation
) -> None:
    client = Http2Client.of(conversation)
    stream = client.begin("/hold")
    client.read_all()
    client.send_by(lambda _: None)
    notify_drain(conversation.conn)
    conversation.read_on()
    client.read_all()
    assert client.goaways == [(0, 2**31 - 1)]
    clock.pass_by(2, conversation)
    client.read_all()
    assert client.goaways[1:] == [(0, stream)]
