"""Responses that come before all of the request's content: the connection goes on, if the rest is short."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest import mock

import early
import pytest
from http_client import APPLICATIONS

from corepool.spec.types import TimeoutKind
from corepool_http import Http, HttpOptions
from corepool_http.http1 import deadlines
from corepool_http.http1.ending import MAX_BUFFERED

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation, Conversations

NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def head(*lines: bytes, path: bytes = b"/early") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: a\r\n" % path + b"".join(b"%b\r\n" % line for line in lines) + b"\r\n"


@pytest.fixture
def client(connection: Conversations) -> Conversation:
    """Return a client of an application that reads no content."""
    early.Gate.go = asyncio.Event()
    settings = {"target": "early:asgi", "directory": str(APPLICATIONS)}
    return connection(Http(HttpOptions.model_validate(settings)))


@pytest.mark.parametrize("size", [1, 7, MAX_BUFFERED])
@pytest.mark.parametrize("first", [0, 1])
def test_short_content_behind_its_response_is_dropped(client: Conversation, size: int, first: int) -> None:
    first = min(first, size - 1)
    client.send(head(b"Content-Length: %d" % size) + b"G" * first)
    early = client.receive()
    assert early.endswith(b"\r\n\r\n/early")
    assert b"Connection: close" not in early
    client.send(b"G" * (size - first) + NEXT)
    assert client.receive().endswith(b"\r\n\r\n/next")
    client.send(NEXT)
    assert client.receive().endswith(b"\r\n\r\n/next")


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: %d" % (MAX_BUFFERED + 1)],
        [b"Transfer-Encoding: chunked"],
        [b"Content-Length: 7", b"Expect: 100-continue"],
        [b"Content-Length: 7", b"Connection: close"],
    ],
    ids=["long", "of unknown length", "of a client that waits for 100", "of a last request"],
)
def test_other_content_ends_the_connection(client: Conversation, lines: list[bytes]) -> None:
    client.send(head(*lines))
    early = client.receive()
    assert early.endswith(b"\r\n\r\n/early")
    assert b"\r\nConnection: close\r\n" in early
    client.send(NEXT)
    assert client.receive() == b""


def test_a_client_that_never_sends_the_rest_is_closed(client: Conversation) -> None:
    client.send(head(b"Content-Length: 7") + b"con")
    assert client.receive().endswith(b"\r\n\r\n/early")
    with mock.patch.object(deadlines, "time", mock.Mock(monotonic=lambda: 1e12)):
        client.time_out(TimeoutKind.READ)
    assert client.conn.closed


def test_content_in_many_pieces_is_dropped_as_it_comes(client: Conversation) -> None:
    client.send(head(b"Content-Length: 5000"))
    assert client.receive().endswith(b"\r\n\r\n/early")
    for _ in range(5000):
        client.send(b"x")
    client.send(NEXT)
    assert client.receive().endswith(b"\r\n\r\n/next")


def test_a_client_that_was_not_read_any_more_goes_on(client: Conversation) -> None:
    client.send(head(b"Content-Length: 100000", path=b"/hold") + bytes(100_000))
    assert client.conn.paused
    early.Gate.go.set()
    for _ in range(50):
        client.read_on()
    assert client.receive().endswith(b"\r\n\r\n/hold")
    client.send(NEXT)
    assert client.receive().endswith(b"\r\n\r\n/next")


def test_requests_behind_dropped_content_keep_theirs(client: Conversation) -> None:
    client.send(head(b"Content-Length: 3"))
    assert client.receive().endswith(b"\r\n\r\n/early")
    client.send(b"abc" + head(b"Content-Length: 3") + b"def" + NEXT)
    answers = client.receive()
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.endswith(b"\r\n\r\n/next")


def test_a_request_that_waits_for_its_client_to_read_keeps_its_content(client: Conversation) -> None:
    client.stop_reading()
    client.send(NEXT.replace(b"/next", b"/large") + head(b"Content-Length: 6", path=b"/echo") + b"abc")
    assert client.conn.congested
    client.read_on()
    client.send(b"def")
    assert client.receive().endswith(b"\r\n\r\nabcdef")
