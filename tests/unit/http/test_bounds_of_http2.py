"""The memory that a client can make HTTP/2 use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import mirror
import pytest
from http2_client import Http2Client
from http_client import APPLICATIONS
from mirror_client import let_go

from corepool.hot.leaving import notify_drain
from corepool.spec.types import TimeoutKind
from corepool_http import Http, HttpOptions
from corepool_http.http2 import deadlines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.conversation import Conversation, Conversations

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
REFUSED_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, CANCEL = 7, 11, 3, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _in_memory() -> None:
    mirror.Handshakes.go = asyncio.Event()


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(deadlines, "time", clock):
        yield clock


def serve(connection: Conversations, **options: object) -> Conversation:
    settings = {"target": "mirror:asgi", "directory": str(APPLICATIONS), **options}
    return connection(Http(HttpOptions.model_validate(settings)))


def let_time_pass(clock: Clock, client: Conversation) -> None:
    clock.now += 10_000
    client.time_out(TimeoutKind.READ)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def test_open_streams(connection: Conversations) -> None:
    conversation = serve(connection, http2_max_concurrent_streams=2)
    client = Http2Client.of(conversation)  # it has not read the limit yet
    streams = [client.begin("/hold") for _ in range(3)]
    client.read_all()
    assert [client.answers[stream].reset for stream in streams] == [None, None, REFUSED_STREAM]
    let_go(conversation)
    client.read_all()
    assert client.answers[streams[0]].is_whole


def test_reset_streams_whose_application_is_at_work(connection: Conversations) -> None:
    conversation = serve(connection, http2_max_concurrent_streams=2)
    client = Http2Client.of(conversation)
    for _ in range(2):
        client.reset(client.begin("/hold"))
    beyond = client.begin("/")
    client.read_all()
    assert client.answers[beyond].reset == REFUSED_STREAM
    let_go(conversation)
    after = client.begin("/")
    client.read_all()
    assert client.answers[after].is_whole


def test_header_block(connection: Conversations, clock: Clock) -> None:
    conversation = serve(connection)
    client = Http2Client.of(conversation)
    conversation.send(frame(1, 0, 1, b"\x82"))
    for _ in range(5):
        conversation.send(frame(9, 0, 1, bytes(16_384)))
    client.read_all()
    assert client.goaways[0][0] == ENHANCE_YOUR_CALM
    assert conversation.conn.closed
    conversation = serve(connection)
    conversation.send(PREFACE + frame(1, 0, 1, b"\x82"))
    let_time_pass(clock, conversation)
    assert conversation.conn.closed


def test_content_of_a_stream_that_is_not_taken(connection: Conversations) -> None:
    conversation = serve(connection)
    client = Http2Client.of(conversation)
    stream = client.begin("/hold", method="POST", more=True)
    for _ in range(4):
        conversation.send(frame(0, 0, stream, bytes(16_384)))
    client.read_all()
    assert client.answers[stream].reset == FLOW_CONTROL_ERROR


def test_content_behind_applications_that_have_kept_up_until_now(connection: Conversations) -> None:
    conversation = serve(connection, max_body="1GiB")
    client = Http2Client.of(conversation)
    streams = [client.begin("/", method="POST", more=True) for _ in range(6)]
    client.read_all()
    for stream in streams:
        for _ in range(6):
            size = client.h2.local_flow_control_window(stream)
            for at in range(0, size, 16_384):
                client.send(stream, bytes(min(16_384, size - at)))
            client.read_all()
    session = conversation.conn.session
    windows = [session.streams[stream].whole_window for stream in streams]  # type: ignore[attr-defined]
    assert max(windows) == 1 << 20
    assert sum(windows) - 65_535 * len(streams) == 4 << 20
    assert client.goaways == []


def test_response_of_a_stream_whose_window_is_shut(connection: Conversations, clock: Clock) -> None:
    conversation = serve(connection)
    client = Http2Client.of(conversation, window=0)
    stream = client.begin("/stream")
    client.read_all()
    assert client.answers[stream].content == b""
    pending = conversation.conn.session.streams[stream]._pending  # type: ignore[attr-defined]  # noqa: SLF001
    assert pending.held == 2 * 65_536
    let_time_pass(clock, conversation)
    client.read_all()
    assert client.answers[stream].reset == CANCEL


def test_responses_of_a_connection_that_is_not_read(connection: Conversations) -> None:
    conversation = serve(connection)
    client = Http2Client.of(conversation, window=2**31 - 1)
    client.take(2**30)
    conversation.stop_reading()
    for _ in range(10):
        client.begin("/stream")
    assert conversation.conn.buffered < 2 * 65_536 + 100_000
    received = conversation.conn.bytes_in
    for _ in range(100):
        client.begin("/")
    assert conversation.conn.bytes_in == received
    conversation.time_out(TimeoutKind.WRITE)
    assert conversation.conn.closed


def test_no_open_streams(connection: Conversations, clock: Clock) -> None:
    conversation = serve(connection)
    client = Http2Client.of(conversation)
    client.begin("/")
    client.read_all()
    let_time_pass(clock, conversation)
    client.read_all()
    assert client.goaways == [(0, 1)]
    assert conversation.conn.closed


def test_no_acknowledgement_of_the_settings(connection: Conversations, clock: Clock) -> None:
    conversation = serve(connection)
    conversation.send(PREFACE)
    let_time_pass(clock, conversation)
    assert conversation.receive().endswith(frame(7, 0, 0, bytes(4) + b"\0\0\0\4SETTINGS were not acknowledged"))
    assert conversation.conn.closed


def test_waiting_for_the_answer_to_the_ping_of_a_drain(connection: Conversations, clock: Clock) -> None:
    conversation = serve(connection)
    client = Http2Client.of(conversation)
    client.read_all()
    client.send_by(lambda _: None)
    notify_drain(conversation.conn)
    conversation.read_on()
    let_time_pass(clock, conversation)
    client.read_all()
    assert client.goaways == [(0, 2**31 - 1), (0, 0)]
    assert conversation.conn.closed


def test_each_row_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## HTTP/2\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]*) \| [^-]", section, re.MULTILINE)
    names = [re.sub(r"\W+", "_", row) for row in rows if row != "state"]
    assert names
    assert [name for name in names if f"test_{name}" not in globals()] == []
