"""Short replies leave when the other connections of the turn were served, or half a millisecond later."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

import pytest

from corepool import CloseReason, hookimpl
from corepool.hot.states import MAX_GATHERED
from corepool.ipc.crash_slots import Status
from corepool.testing.served import ServedHere


class Echoing:
    """Sends what it reads, so often as `times` says, and notes which clients have an answer by then."""

    def __init__(self) -> None:
        self.clients: list[socket.socket] = []
        self.answered: list[list[bool]] = []
        self.statuses: list[int] = []
        self.ends: list[object] = []
        self.times = 1
        self.here: ServedHere

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        self.answered.append([_has_input(each) for each in self.clients])
        self.statuses = list(self.here.crash_slots.statuses[: len(self.clients) + 1])
        data = conn.recv()
        conn.send(data * self.times)
        if data == b"end":
            conn.close()
        if data == b"fail":
            raise ValueError(data)

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self, conn: Any, state: bytes) -> None:
        """Go on: nothing is kept."""

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.ends.append(reason)


def _has_input(client: socket.socket) -> bool:
    try:
        return bool(client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False


@pytest.fixture
def echoing() -> Any:
    """Return the protocol with two clients, which have begun."""
    protocol = Echoing()
    with ExitStack() as stack:
        protocol.here = stack.enter_context(ServedHere(protocol))
        protocol.here.reactor.gather_s = 1000.0
        protocol.clients = [stack.enter_context(protocol.here.connect(slot)) for slot in (1, 2)]
        protocol.here.turn()
        yield protocol


def _ask(echoing: Echoing, *words: bytes) -> None:
    for client, word in zip(echoing.clients, words, strict=True):
        client.send(word)
    echoing.here.turn()


def test_no_reply_leaves_before_all_were_served(echoing: Echoing) -> None:
    _ask(echoing, b"one", b"two")

    assert echoing.answered == [[False, False]] * 2
    assert [client.recv(10) for client in echoing.clients] == [b"one", b"two"]


def test_the_only_reply_of_a_new_connection_too(echoing: Echoing) -> None:
    clients = [echoing.here.connect() for _ in range(2)]
    for client in clients:
        client.send(b"end")
    echoing.clients = clients
    echoing.here.turn()

    assert echoing.answered == [[False, False]] * 2
    assert [client.recv(10) for client in clients] == [b"end"] * 2
    for client in clients:
        client.close()


@pytest.mark.parametrize("are_new", [False, True])
def test_a_slow_request_delays_no_reply_that_was_made_before_it(echoing: Echoing, are_new: bool) -> None:  # noqa: FBT001
    echoing.here.reactor.gather_s = 0.0  # each takes longer
    if are_new:
        echoing.clients = [echoing.here.connect() for _ in range(2)]
    _ask(echoing, b"one", b"two")

    assert any(echoing.answered[1])
    for client in echoing.clients:
        client.close()


def test_long_output_leaves_at_once(echoing: Echoing) -> None:
    """So what the connections of one turn keep is bounded."""
    echoing.times = MAX_GATHERED // 3 + 1
    _ask(echoing, b"one", b"two")

    assert any(echoing.answered[1])


def test_the_last_reply_leaves_before_the_connection_ends(echoing: Echoing) -> None:
    _ask(echoing, b"end", b"two")

    assert echoing.clients[0].recv(10) + echoing.clients[0].recv(10) == b"end"
    assert echoing.ends == [CloseReason.CLOSED]


def test_the_exception_of_a_hook_costs_its_own_connection(echoing: Echoing) -> None:
    _ask(echoing, b"fail", b"two")

    assert echoing.ends == [CloseReason.ERROR]
    assert echoing.clients[1].recv(10) == b"two"


def test_what_a_client_sends_last_is_answered(echoing: Echoing) -> None:
    client = echoing.clients[0]
    client.send(b"one")
    client.shutdown(socket.SHUT_WR)
    echoing.here.turn_until(lambda: bool(echoing.ends))

    assert client.recv(10) == b"one"
    assert echoing.ends == [CloseReason.EOF]


def test_a_connection_that_outlives_a_crash_is_busy_until_its_reply_has_left(echoing: Echoing) -> None:
    _ask(echoing, b"one", b"two")

    assert echoing.statuses[1:] == [Status.BUSY] * 2
    assert list(echoing.here.crash_slots.statuses[1:3]) == [Status.IDLE] * 2
