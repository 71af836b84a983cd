"""Connections of a listener with several protocols, on their way to another worker or after a crash."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from three_protocols import Spoken, Told, Witness, only

from corepool.ipc.crash_slots import Status
from corepool.ipc.frozen import Frozen, lost
from corepool.ipc.scoreboard import COLUMNS, PER_LISTENER
from corepool.testing.served import ServedHere

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


@pytest.mark.parametrize(("sent", "protocol"), [(b"", ""), (b"onl", ""), (b"only", "two")])
def test_a_connection_moves_with_its_protocol_or_before_it_has_one(
    serve: Callable[..., Told], sent: bytes, protocol: str
) -> None:
    told, elsewhere = serve(extension=Witness()), serve(extension=(witness := Witness()))
    client = told.connect()
    client.sendall(sent)
    told.here.turn_until(lambda: not sent or told.here.service.site.events > 0)
    if protocol:
        assert told.receive(client, b"only:") == b"only:only"
    conn = only(told)
    assert conn.is_idle
    assert conn.can_move
    frozen = told.here.service.moving.freeze(conn)
    assert frozen is not None
    assert frozen.protocol == protocol
    elsewhere.here.service.take_frozen(os.dup(conn.fileno()), frozen.encode())
    client.sendall(b"only"[len(sent) :] + b"!")

    assert elsewhere.receive(client, b"!") == (b"only:!" if protocol else b"only:only!")
    assert elsewhere.two.told == ([] if protocol else ["accept"])
    assert witness.told[0] == "thaw b'witness'"
    place = COLUMNS["moved" if protocol else "accepted"]
    elsewhere.here.turn()
    assert elsewhere.here.row.of_listeners[PER_LISTENER * 2 + place] == 1


def test_a_connection_of_a_protocol_that_the_listener_has_no_more_is_refused(serve: Callable[..., Told]) -> None:
    told = serve(extension=(witness := Witness()))
    fd, client = told.pair()
    record = Frozen(0, 1.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, protocol="gone", states=())
    told.here.service.take_frozen(fd, record.encode())

    assert told.receive_end(client) == b""
    assert witness.told == []


def test_one_whose_proxy_header_cannot_be_read_is_not_counted_as_its_protocols(serve: Callable[..., Told]) -> None:
    told = serve()
    there, client = told.pair()
    frozen = Frozen(0, 0.0, 0.0, 0.0, 0, 0, False, False, "two", (), b"PROXY nonsense\r\n")
    told.here.service.take_frozen(there, frozen.encode())

    assert told.receive_end(client) == b""
    assert [told.count(2, name) for name in ("accepted", "closed")] == [0, 0]
    assert told.count(0, "closed") == 1


def test_a_connection_without_a_protocol_goes_on_where_there_is_only_one(serve: Callable[..., Told]) -> None:
    protocol, witness = Spoken(b"sole"), Witness()
    state = serve(extension=Witness())
    state.connect()
    fd, client = state.pair()
    with ServedHere(protocol, extensions=[witness]) as here:
        frozen = state.here.service.moving.freeze(only(state))
        assert frozen is not None
        here.service.take_frozen(fd, frozen.encode())
        client.sendall(b"x")
        found: list[bytes] = []

        def is_there() -> bool:
            try:
                found.append(client.recv(100))
            except BlockingIOError:
                return False
            return True

        here.turn_until(is_there)
        assert found == [b"sole:x"]
        assert protocol.told == ["accept"]
        assert witness.told[0] == "thaw b'witness'"


def test_after_a_crash_the_client_is_told_by_its_protocol(serve: Callable[..., Told]) -> None:
    told = serve(keep_on_crash=True)
    slot = 5
    told.here.crash_slots.clear(slot)
    client = told.connect(slot)
    assert told.here.crash_slots.statuses[slot] == Status.IDLE, "nothing was read"
    client.sendall(b"only")
    assert told.receive(client, b"only:") == b"only:only"
    record = told.here.crash_slots.read(slot)
    assert Frozen.decode(record).protocol == "two"

    other = serve(keep_on_crash=True)
    for before, words in ((record, b"only was lost"), (b"", b"")):
        fd, waiting = other.pair()
        other.here.service.take_frozen(fd, lost(before))
        assert other.receive_end(waiting) == words
