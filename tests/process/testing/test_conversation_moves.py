"""A protocol in the test's process goes on in another worker, with its clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from corepool import Address, CloseReason, hookimpl
from corepool.errors import ThawRefusedError

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversations


def test_a_connection_goes_on_in_another_worker_with_what_the_protocol_has_said(connection: Conversations) -> None:
    class Counter:
        @hookimpl
        def on_accept(self, conn: Any) -> None:
            conn.session = 0

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.session += len(conn.recv())
            conn.send(b"%d\n" % conn.session)

        @hookimpl
        def on_freeze(self, conn: Any) -> bytes:
            return b"%d" % conn.session

        @hookimpl
        def on_thaw(self, conn: Any, state: bytes) -> None:
            conn.session = int(state)

    here = connection(Counter())
    here.send(b"abc")
    there = connection.move(here, Counter())
    there.send(b"de")

    assert here.reason is CloseReason.MOVED
    assert (here.receive(), there.receive()) == (b"3\n", b"5\n")


def test_a_protocol_that_cannot_be_moved_says_so(connection: Conversations) -> None:
    class Stays:
        @hookimpl
        def on_readable(self, conn: Any) -> None: ...

    with pytest.raises(AssertionError, match="no on_freeze"):
        connection.move(connection(Stays()), Stays())


@pytest.mark.parametrize("word", ["busy", "pause", "pinned", "output", "end"])
def test_a_connection_that_a_worker_would_not_move_is_not_moved(connection: Conversations, word: str) -> None:
    class Movable:
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.half_open = True
            match conn.recv():
                case b"busy":
                    conn.busy = True
                case b"pause":
                    conn.pause()
                case b"pinned":
                    conn.pinned = True
                case b"output":
                    conn.send(b"unread")

        @hookimpl
        def on_freeze(self) -> bytes:
            raise AssertionError("its state is not wanted")

        @hookimpl
        def on_thaw(self) -> None: ...

    client = connection(Movable())
    client.stop_reading()
    client.send(word.encode())
    if word == "end":
        client.end()

    assert client.can_move
    with pytest.raises(AssertionError, match="it is busy, paused, ended, or output of it waits"):
        connection.move(client, Movable())
    assert client.reason is None


def test_a_protocol_that_does_not_let_go_now_says_so(connection: Conversations) -> None:
    class Holds:
        @hookimpl
        def on_readable(self, conn: Any) -> None: ...

        @hookimpl
        def on_freeze(self) -> None: ...

        @hookimpl
        def on_thaw(self) -> None: ...

    client = connection(Holds())

    with pytest.raises(AssertionError, match="an on_freeze has returned None"):
        connection.move(client, Holds())
    assert client.reason is None


def test_clients_have_the_addresses_that_the_test_says_and_keep_them(connection: Conversations) -> None:
    class Movable:
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.recv()
            conn.send(str(conn.peer).encode())

        @hookimpl
        def on_freeze(self) -> bytes:
            return b""

        @hookimpl
        def on_thaw(self) -> None: ...

    protocol = Movable()
    peers = [Address("192.0.2.7", 1), Address("192.0.2.8", 2)]
    clients = [connection(protocol, peer=peer) for peer in peers]
    clients[1] = connection.move(clients[1], Movable())
    for client in clients:
        client.send(b"?")

    assert [client.receive().decode() for client in clients] == [str(peer) for peer in peers]


@pytest.mark.parametrize("hook", ["on_freeze", "on_thaw"])
def test_an_exception_on_the_way_to_another_worker_is_the_tests(connection: Conversations, hook: str) -> None:
    class Fails:
        @hookimpl
        def on_readable(self, conn: Any) -> None: ...

        @hookimpl
        def on_freeze(self) -> bytes:
            if hook == "on_freeze":
                raise KeyError(hook)
            return b""

        @hookimpl
        def on_thaw(self) -> None:
            raise ValueError(hook)

    client = connection(Fails())
    with pytest.raises(KeyError if hook == "on_freeze" else ThawRefusedError, match=hook):
        connection.move(client, Fails())

    assert client.reason is (None if hook == "on_freeze" else CloseReason.MOVED)
