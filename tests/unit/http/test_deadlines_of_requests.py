"""Which side a connection waits for: no client is late while the application keeps it waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest import mock

import mirror
import pytest
from http_client import APPLICATIONS
from mirror_client import let_go

from corepool.spec.types import TimeoutKind
from corepool_http import Http, HttpOptions
from corepool_http.http1 import deadlines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.conversation import Conversation, Conversations

POST = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n%b\r\n"
WAITS = b"Expect: 100-continue\r\n"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(deadlines, "time", clock):
        yield clock


@pytest.fixture
def client(connection: Conversations, clock: Clock) -> Conversation:  # noqa: ARG001  # it comes first
    mirror.Handshakes.go = asyncio.Event()
    settings = {"target": "mirror:asgi", "directory": str(APPLICATIONS)}
    return connection(Http(HttpOptions.model_validate(settings)))


def let_time_pass(clock: Clock, client: Conversation) -> None:
    """Have the timer of the connection fire, long after any deadline."""
    clock.now += 10_000
    client.time_out(TimeoutKind.READ)


def test_a_client_that_waits_for_its_invitation_is_not_late(clock: Clock, client: Conversation) -> None:
    client.send(POST % (b"/hold", WAITS))
    let_time_pass(clock, client)
    assert not client.conn.closed
    assert client.receive() == b""

    let_go(client)
    assert client.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
    let_time_pass(clock, client)
    assert client.receive().startswith(b"HTTP/1.1 408 ")


def test_a_client_that_does_not_wait_is_late_though_the_application_does_not_read(
    clock: Clock, client: Conversation
) -> None:
    client.send(POST % (b"/hold", b""))
    let_time_pass(clock, client)

    assert client.receive().startswith(b"HTTP/1.1 408 ")


def test_a_client_that_has_sent_its_request_is_not_late(clock: Clock, client: Conversation) -> None:
    client.send(POST % (b"/hold", b"") + b"abc")
    let_time_pass(clock, client)
    assert not client.conn.closed

    let_go(client)
    assert client.receive().startswith(b"HTTP/1.1 200 ")
