"""Connections whose plugins meet them while the worker is leaving: they hear of it at once, and once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import pytest
from layers import HELLO, WELCOME, Framed, Layered, frame
from proxy_headers import v1
from three_protocols import Matched

from corepool import hookimpl
from corepool.testing.served import ServedHere
from corepool.worker.drain import Drain

if TYPE_CHECKING:
    import socket

    from corepool.worker.mover import Mover

HEADER = v1(("203.0.113.7", 4711), ("198.51.100.1", 443))


class Leaves(Matched):
    """Sends its client a word."""

    @hookimpl
    def on_drain(self, conn: Any) -> None:
        self.told.append("leaving")
        assert conn.session == self.word, "it has met it"
        conn.send(b"leaving,")


class Looks:
    """An extension that hears of it, too."""

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self) -> None:
        """Go on."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @hookimpl
    def on_drain(self, conn: Any) -> None:
        self.told.append(conn.protocol)


class StaysStill:
    """Moves nothing."""

    on_their_way = 0

    def move(self, conns: object) -> tuple[int, bool]:
        del conns
        return 0, False


def drain(here: ServedHere, *, moves: bool = False) -> None:
    mover = cast("Mover", StaysStill())
    Drain(here.reactor, [here.service], [], mover, here.loop, lambda: None).begin(1e9, moves=moves)


def receive(here: ServedHere, client: socket.socket, end: bytes) -> bytes:
    found = b""

    def is_there() -> bool:
        nonlocal found
        try:
            found += client.recv(65536)
        except BlockingIOError:
            return False
        return found.endswith(end)

    here.turn_until(is_there)
    return found


@pytest.mark.parametrize("name", ["test", "two"])
def test_a_connection_that_waits_to_be_recognised(name: str) -> None:
    protocols, extension = {"test": Leaves(b"one"), "two": Leaves(b"two")}, Looks()
    its = protocols[name]
    others = {"two": protocols["two"]}
    with ServedHere(protocols["test"], others=others, extensions=[extension]) as here, here.connect() as client:
        drain(here)
        assert extension.told == [], "its protocol decides with it"
        client.sendall(its.word)
        assert receive(here, client, its.word) == b"leaving," + its.word + b":" + its.word
        here.loop.turn()
        assert its.told == ["accept", "leaving"]
        assert extension.told == [name]


def test_a_connection_that_waits_for_its_proxy_header() -> None:
    protocol = Leaves(b"one")
    with ServedHere(protocol, accept_proxy=["unix"]) as here, here.connect() as client:
        drain(here)
        client.sendall(HEADER + b"hello")
        assert receive(here, client, b"hello") == b"leaving,one:hello"
        here.loop.turn()
        assert protocol.told == ["accept", "leaving"]


def test_a_connection_whose_layers_open() -> None:
    protocol = Leaves(b"one")
    with ServedHere(protocol, transport=Layered(lambda: [Framed()])) as here, here.connect() as client:
        drain(here)
        client.sendall(HELLO + frame(b"hello"))
        assert receive(here, client, b"hello") == WELCOME + frame(b"leaving,") + frame(b"one:hello")
        here.loop.turn()
        assert protocol.told == ["accept", "leaving"]


def test_a_connection_that_arrives_during_the_drain() -> None:
    protocol = Leaves(b"one")
    with ServedHere(protocol) as here:
        drain(here)
        with here.connect() as client:
            assert receive(here, client, b",") == b"leaving,"
            here.loop.turn()
            assert protocol.told == ["accept", "leaving"]


@pytest.mark.parametrize("moves", [False, True])
def test_one_of_another_worker_hears_of_it_unless_it_moves_on(moves: bool) -> None:  # noqa: FBT001
    protocol = Leaves(b"one")
    with ServedHere(Leaves(b"one")) as there, there.connect() as client, ServedHere(protocol) as here:
        (conn,) = there.connections()
        frozen = there.service.moving.freeze(conn)
        assert frozen is not None
        drain(here, moves=moves)
        here.service.take_frozen(os.dup(conn.fileno()), frozen.encode())
        if not moves:
            assert receive(here, client, b",") == b"leaving,"
        here.loop.turn()
        assert protocol.told == ([] if moves else ["leaving"])
