"""Connections that are closed while their peers still send: no deadlock, and no reset that destroys our last words."""

from __future__ import annotations

import socket
from select import EPOLLIN
from typing import TYPE_CHECKING, Any

import pytest
from layers import END, HELLO, WELCOME, Framed, Layered, Unframer, frame

from corepool import CloseReason, hookimpl
from corepool.testing.served import Plain, ServedHere
from corepool.worker.lingering import Lingering

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_WORDS = 3_000_000
"""More than the kernel's buffers and the high-water mark take."""


class Refuses:
    """Answers the first bytes at length, and closes."""

    def __init__(self, size: int = LAST_WORDS) -> None:
        self.size = size
        self.calls = 0
        self.reasons: list[CloseReason] = []
        self.conn: Any = None

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.conn = conn

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        self.calls += 1
        conn.recv(1000)
        conn.send(b"x" * self.size)
        conn.close()

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)


@pytest.fixture(params=["plain", "layered"])
def here_and_client(request: pytest.FixtureRequest) -> Iterator[tuple[ServedHere, socket.socket, Refuses]]:
    protocol = Refuses()
    transport = Plain() if request.param == "plain" else Layered(lambda: [Framed()])
    with ServedHere(protocol, transport=transport) as here, here.connect() as client:
        if request.param == "layered":
            client.send(HELLO)
            here.turn_until(lambda: protocol.conn is not None)
            assert client.recv(len(WELCOME)) == WELCOME
        yield here, client, protocol


def send_all(here: ServedHere, client: socket.socket, data: bytes) -> None:
    left = memoryview(data)

    def is_sent() -> bool:
        nonlocal left
        try:
            left = left[client.send(left) :]
        except BlockingIOError:
            return False
        return not left

    here.turn_until(is_sent)


def receive_all(here: ServedHere, client: socket.socket) -> int:
    count = 0

    def has_ended() -> bool:
        nonlocal count
        try:
            data = client.recv(65_536)
        except BlockingIOError:
            return False
        count += len(data)
        return not data

    here.turn_until(has_ended)
    return count


def lingerings(here: ServedHere) -> list[Lingering]:
    return [each for each in here.reactor.sources() if isinstance(each, Lingering)]


def test_a_client_that_reads_only_when_it_has_sent_everything_gets_the_answer(
    here_and_client: tuple[ServedHere, socket.socket, Refuses],
) -> None:
    here, client, protocol = here_and_client
    send_all(here, client, frame(b"y" * 5_000_000))
    assert receive_all(here, client) >= LAST_WORDS
    assert protocol.calls == 1
    assert protocol.reasons == [CloseReason.CLOSED]
    assert len(lingerings(here)) == 1, "the client may be sending yet, for all that we know"


def test_a_client_that_has_ended_is_not_waited_for(
    here_and_client: tuple[ServedHere, socket.socket, Refuses],
) -> None:
    here, client, protocol = here_and_client
    send_all(here, client, frame(b"y" * 5_000_000))
    client.shutdown(socket.SHUT_WR)
    here.turn_until(lambda: protocol.conn.eof)
    assert here.reactor.epoll.poll(0) == [], "the end is not reported again and again"
    assert receive_all(here, client) >= LAST_WORDS
    here.turn()
    assert lingerings(here) == []


def test_a_client_that_neither_reads_nor_ends_is_broken_off(
    here_and_client: tuple[ServedHere, socket.socket, Refuses],
) -> None:
    here, client, protocol = here_and_client
    send_all(here, client, frame(b"y" * 100_000))
    here.turn_until(lambda: protocol.conn.blocked_at > 0)
    when, kind = protocol.conn.next_deadline()
    assert kind == "write"
    assert when == protocol.conn.blocked_at + 60
    protocol.conn.on_deadline(kind)
    here.turn_until(lambda: protocol.reasons == [CloseReason.CLOSED])
    assert here.connections() == []


@pytest.mark.parametrize("how", ["close", "hang up"])
def test_a_paused_connection_drops_its_input_once_it_is_closed(how: str) -> None:
    class Pauses(Refuses):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.pause()
            super().on_readable(conn)

    protocol = Pauses()
    with ServedHere(protocol) as here, here.connect() as client:
        send_all(here, client, b"y" * 2_000_000)
        if how == "close":
            assert receive_all(here, client) == LAST_WORDS
        else:
            client.close()
        here.turn_until(lambda: here.connections() == [])
        assert len(protocol.reasons) == 1


def test_input_that_a_layer_holds_is_a_sign_of_a_client_that_sends() -> None:
    """The kernel holds nothing then. What comes after a close would be answered by a reset."""
    protocol = Refuses(size=10)
    with ServedHere(protocol, transport=Layered(lambda: [Framed()])) as here, here.connect() as client:
        client.send(HELLO + frame(b"y" * 5000))  # of which 1000 bytes are received
        here.turn_until(lambda: protocol.reasons == [CloseReason.CLOSED])
        assert len(lingerings(here)) == 1
        send_all(here, client, frame(b"y" * 1_000_000))
        unframed = Unframer()
        data = b""
        while not data.endswith(END):
            data += client.recv(65_536)
        assert unframed.feed(data.removeprefix(WELCOME)) == b"x" * 10


def test_a_client_that_waits_for_its_answer_is_not_waited_for() -> None:
    protocol = Refuses(size=10)
    with ServedHere(protocol, transport=Layered(lambda: [Framed()])) as here, here.connect() as client:
        client.send(HELLO + frame(b"y"))
        here.turn_until(lambda: protocol.reasons == [CloseReason.CLOSED])
        assert lingerings(here) == []


def test_an_open_connection_watches_for_plain_input() -> None:
    """What `EPOLLRDNORM` is for: the hot path compares with EPOLLIN alone."""
    protocol = Refuses()
    with ServedHere(protocol) as here, here.connect():
        here.turn()
        assert [conn.mask for conn in here.connections()] == [EPOLLIN]
