"""The end of a connection whose client goes on with a request that was answered early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_client import APPLICATIONS
from scripted_pool import literal

from corepool.spec.types import CloseReason, TimeoutKind
from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation, Conversations

SIZE = 4 << 20
CONTENT = b"too large"
BLOCK = bytes(65_536)


@pytest.fixture
def client(connection: Conversations) -> Conversation:
    """Return a client that has sent the head of a large request, was refused, and has read nothing of that."""
    settings = {"target": "scripted:asgi", "directory": str(APPLICATIONS)}
    client = connection(Http(HttpOptions.model_validate(settings)))
    client.stop_reading()
    target = literal(413, [], [CONTENT]).encode()
    client.send(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (target, SIZE))
    assert client.conn.buffered > len(CONTENT)
    return client


def test_a_client_that_reads_its_refusal_when_it_has_sent_everything_receives_it(client: Conversation) -> None:
    for _ in range(SIZE // len(BLOCK)):
        client.send(BLOCK)
        assert client.unread == 0
    assert client.conn.buffered > len(CONTENT)
    client.read_on()

    assert client.receive().endswith(CONTENT)
    assert client.has_met_the_end


def test_a_client_that_reads_and_sends_nothing_is_not_silent(client: Conversation) -> None:
    for _ in range(5):
        client.time_out(TimeoutKind.READ)
        assert not client.conn.closed
        assert client.conn.read_deadline is not None
    client.send(BLOCK)
    assert client.unread == 0
    client.read_on()

    assert client.receive().endswith(CONTENT)


def test_it_is_closed_once_it_has_its_refusal_and_is_silent(client: Conversation) -> None:
    client.send(BLOCK)
    client.read_on()
    assert not client.conn.closed
    client.time_out(TimeoutKind.READ)

    assert client.reason is CloseReason.CLOSED


def test_it_is_closed_once_it_has_its_refusal_and_goes_on_sending(client: Conversation) -> None:
    client.read_on()
    assert not client.conn.closed
    client.send(BLOCK)

    assert client.reason is CloseReason.CLOSED


def test_a_client_that_takes_nothing_is_broken_off(client: Conversation) -> None:
    client.send(BLOCK)
    client.time_out(TimeoutKind.WRITE)

    assert client.reason is CloseReason.TIMEOUT


def test_a_client_that_ends_meanwhile_receives_its_refusal(client: Conversation) -> None:
    client.send(BLOCK)
    client.end()
    client.read_on()

    assert client.receive().endswith(CONTENT)
    assert client.conn.closed
