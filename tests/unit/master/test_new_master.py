"""While the new master takes nothing, the old one waits, but not for ever, and its loop goes on."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from corepool.errors import PeerGoneError
from corepool.ipc.channel import Channel
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import SocketIndex
from corepool.master.ledger import Handoff
from corepool.master.loop import Loop
from corepool.master.new_master import NewMaster

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 400
"""More than a channel holds."""


class Old:
    """A master that has an new master, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.loop = Loop(lambda: self.now)
        ours, self.theirs = Channel.pair()
        self.rooms: list[float] = []
        self.new_master = NewMaster(
            self.loop, ours, {SocketIndex(7): SocketIndex(0)}, lambda: self.rooms.append(self.now)
        )
        self.clients: list[socket.socket] = []

    def give(self, count: int, index: int = 7) -> None:
        for _ in range(count):
            client, served = socket.socketpair()
            client.setblocking(False)
            self.clients.append(client)
            self.new_master.give(Handoff(served.detach(), SocketIndex(index), None))

    def turn(self, seconds: float) -> None:
        self.now += seconds
        self.loop.turn(0)

    @property
    def lost(self) -> int:
        """The number of clients that see the end."""
        count = 0
        for client in self.clients:
            try:
                count += client.recv(1) == b""
            except BlockingIOError:
                pass
        return count


@pytest.fixture
def old() -> Iterator[Old]:
    it = Old()
    yield it
    it.new_master.release()
    it.theirs.close()
    it.loop.close()
    for client in it.clients:
        client.close()


def test_a_connection_without_room_waits_for_it(old: Old) -> None:
    old.give(MANY)
    assert old.new_master.is_holding
    received: list[socket.socket] = []
    while old.new_master.is_holding or len(received) < MANY:
        message = old.theirs.receive()
        if message is None:
            old.turn(0.1)
            continue
        assert message[0] == NewConnections(SocketIndex(0), 1)
        received += [socket.socket(fileno=fd) for fd in message[1]]
    assert old.lost == 0
    assert len(old.rooms) == 1
    for sock in received:
        sock.close()


def test_one_that_takes_nothing_is_given_up(old: Old) -> None:
    old.give(MANY)
    old.turn(1.0)
    assert old.new_master.is_holding
    old.turn(1.5)
    assert not old.new_master.is_holding
    assert len(old.rooms) == 1
    old.give(5)
    assert not old.new_master.is_holding
    old.theirs.close()
    assert old.lost == MANY + 5


def test_one_that_has_gone_costs_what_it_was_to_have(old: Old) -> None:
    old.theirs.close()
    old.give(2)
    assert not old.new_master.is_holding
    assert old.lost == 2


def test_a_socket_that_it_does_not_know_costs_its_connection_alone(old: Old) -> None:
    old.give(1, index=8)
    assert old.lost == 1
    old.give(1)
    message = old.theirs.receive()
    assert message is not None
    socket.socket(fileno=message[1][0]).close()
    old.new_master.release()
    old.new_master.release()
    with pytest.raises(PeerGoneError):
        old.theirs.receive()
