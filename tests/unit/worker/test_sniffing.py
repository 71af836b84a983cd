"""One port, many protocols, in a service over real sockets: each connection finds its protocol by its first bytes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from layers import HELLO, WELCOME, Framed, Layered, frame
from three_protocols import Told, Witness, only

from corepool.spec.types import TimeoutKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def serve() -> Iterator[Callable[..., Told]]:
    made: list[Told] = []

    def start(**options: Any) -> Told:
        made.append(Told(**options))
        return made[-1]

    yield start
    for each in made:
        each.close()


def time_out(told: Told) -> None:
    conn = only(told)
    due = conn.next_deadline()
    assert due is not None
    assert due[1] is TimeoutKind.READ
    assert conn.site.reactor.now < due[0] <= conn.site.reactor.now + 5
    conn.on_deadline(TimeoutKind.READ)


def test_each_connection_is_served_by_the_protocol_of_its_first_bytes(serve: Callable[..., Told]) -> None:
    told = serve()
    clients = {word: told.connect() for word in (b"one", b"only", b"other")}
    for word, client in clients.items():
        client.sendall(word)

    assert told.receive(clients[b"one"], b"one:") == b"one:one"
    assert told.receive(clients[b"only"], b"only:") == b"only:only"
    assert told.receive(clients[b"other"], b"last:") == b"hello\nlast:other"
    assert told.one.told == told.two.told == told.last.told == ["accept"]


def test_first_bytes_that_dribble_are_looked_at_once_each(serve: Callable[..., Told]) -> None:
    told = serve()
    client = told.connect()
    told.here.turn()
    for byte in b"onl":
        client.sendall(bytes((byte,)))
        before = told.here.service.site.events
        told.here.turn_until(lambda before=before: told.here.service.site.events > before)
        looked = told.here.service.site.events
        for _ in range(50):
            told.here.turn()
        assert told.here.service.site.events == looked, "bytes that wait are reported again and again"
    client.sendall(b"y!")

    assert told.receive(client, b"!") == b"only:only!"


def test_a_client_that_says_nothing_is_served_by_the_default_after_a_while(serve: Callable[..., Told]) -> None:
    told = serve()
    client = told.connect()

    time_out(told)
    assert told.receive(client, b"hello") == b"hello\n"
    client.sendall(b"one")
    assert told.receive(client, b"last:") == b"last:one"


@pytest.mark.parametrize("greeting", [b"hello\n", b""])
def test_the_time_before_its_protocol_is_not_a_time_in_which_it_was_idle(
    serve: Callable[..., Told], greeting: bytes
) -> None:
    told = serve(idle_timeout="2s", sniff_timeout="5s")
    told.last.greeting = greeting
    told.connect()
    conn = only(told)
    conn.active_at -= 5
    time_out(told)

    due = conn.next_deadline()
    assert due is not None
    assert due[1] is TimeoutKind.IDLE
    assert due[0] >= conn.site.reactor.now + 2, "it would be closed as soon as it is there"


def test_without_a_default_silence_ends_the_connection(serve: Callable[..., Told]) -> None:
    told = serve(default=False)
    client = told.connect()

    time_out(told)
    assert told.receive_end(client) == b""
    assert told.count(0, "unmatched") == 1


def test_the_rest_of_a_beginning_counts_when_the_client_has_ended_its_side(serve: Callable[..., Told]) -> None:
    told = serve()
    client = told.connect()
    client.sendall(b"on")
    told.here.turn_until(lambda: told.here.service.site.events > 0)
    client.shutdown(socket.SHUT_WR)

    assert told.receive_end(client) == b"hello\nlast:on"
    assert told.last.told == ["accept", "eof"]


def test_a_client_that_connects_and_goes_is_no_mistake(serve: Callable[..., Told], caplog: Any) -> None:
    told = serve(default=False)
    told.connect().close()

    told.here.turn_until(lambda: not told.here.connections())
    assert (told.count(0, "unmatched"), told.count(0, "closed"), caplog.messages) == (0, 1, [])


@pytest.mark.parametrize("data", [b"x", b"o" + b"x" * 2000, b"\x16\x03\x01"], ids=repr)
def test_bytes_that_no_protocol_matches_end_the_connection(
    serve: Callable[..., Told], data: bytes, caplog: Any
) -> None:
    told = serve(default=False, extension=(witness := Witness()))
    client = told.connect()
    client.sendall(data)

    assert told.receive_end(client) == b""
    told.here.turn_until(lambda: not told.here.connections())
    assert told.count(0, "unmatched") == 1
    assert witness.told == ["accept ''", "close '' unmatched"]
    assert told.one.told == told.two.told == []
    [message] = caplog.messages
    assert message.startswith("connection_unmatched listener=test conn=1 peer=memory reason=")
    assert len(message) < 300


def test_at_the_limit_a_protocol_that_still_wants_more_has_lost(serve: Callable[..., Told]) -> None:
    told = serve()
    told.one.is_undecided = True
    client = told.connect()
    client.sendall(b"only" + b"x" * 1019)
    told.here.turn_until(lambda: told.here.service.site.events > 0)
    for _ in range(10):
        told.here.turn()
    assert told.two.told == []
    client.sendall(b"x")

    assert told.receive(client, b"only:") == b"only:only" + b"x" * 1020


def test_an_exception_of_matches_costs_its_connection(serve: Callable[..., Told]) -> None:
    told = serve()
    client, other = told.connect(), told.connect()
    client.sendall(b"raise")
    other.sendall(b"one")

    assert told.receive_end(client) == b""
    assert told.receive(other, b"one:") == b"one:one"
    assert told.count(0, "hook_errors") == 1


def test_extensions_meet_each_connection_once_before_its_bytes_are_looked_at(serve: Callable[..., Told]) -> None:
    told = serve(extension=(witness := Witness()))
    client = told.connect()
    assert witness.told == ["accept ''"]
    client.sendall(b"only")
    assert told.receive(client, b"only:") == b"only:only"
    client.close()

    told.here.turn_until(lambda: not told.here.connections())
    assert witness.told == ["accept ''", "readable 'two'", "readable 'two'", "close 'two' eof"]


def test_an_extension_refuses_before_the_first_bytes_are_looked_at(serve: Callable[..., Told]) -> None:
    told = serve(extension=(witness := Witness("accept")))
    client = told.connect()

    assert told.receive_end(client) == b""
    assert witness.told == ["accept ''", "close '' refused"]
    assert told.one.told == told.two.told == told.last.told == []


def test_connections_are_counted_by_listener_and_by_protocol(serve: Callable[..., Told]) -> None:
    told = serve()
    client = told.connect()
    silent = told.connect()
    client.sendall(b"only")
    assert told.receive(client, b"only:") == b"only:only"
    client.close()
    told.here.turn_until(lambda: len(told.here.connections()) == 1)

    names = ("accepted", "closed", "bytes_in", "bytes_out")
    assert [told.count(0, name) for name in names] == [2, 1, 4, 9]
    assert [told.count(2, name) for name in names] == [1, 1, 4, 9], "that of the second protocol"
    assert [told.count(place, "accepted") for place in (1, 3)] == [0, 0]
    silent.close()


class Negotiated(Framed):
    """Has agreed on a protocol."""

    @property
    def facts(self) -> dict[str, object]:
        return {"alpn": "only/1"}


@pytest.mark.parametrize("pieces", [[b"only!"], [b"o", b"nl", b"y!"]], ids=repr)
def test_plaintext_of_layers_is_looked_at_and_stays(serve: Callable[..., Told], pieces: list[bytes]) -> None:
    told = serve(transport=Layered(lambda: [Framed()]))
    client = told.connect()
    client.sendall(HELLO)
    assert told.receive(client, WELCOME) == WELCOME
    for piece in pieces:
        assert told.two.told == []
        before = told.here.service.site.events
        client.sendall(frame(piece))
        told.here.turn_until(lambda before=before: told.here.service.site.events > before)
        for _ in range(20):
            told.here.turn()
        assert not told.here.reactor.unread, "plaintext that waits is served again and again"

    assert told.receive(client, frame(b"only:only!")) == frame(b"only:only!")


def test_a_negotiated_protocol_is_entered_before_a_byte(serve: Callable[..., Told]) -> None:
    told = serve(transport=Layered(lambda: [Negotiated()]), alpn=("only/2", "only/1"))
    client = told.connect()
    client.sendall(HELLO)
    assert told.receive(client, WELCOME) == WELCOME

    told.here.turn_until(lambda: told.two.told == ["accept"])
