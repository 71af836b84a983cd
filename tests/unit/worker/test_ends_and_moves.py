"""One owner of endings: each connection ends once, is counted once, and its descriptor is closed once."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, cast

import pytest
from layers import Layered

from corepool import CloseReason, hookimpl
from corepool.hot.leaving import depart
from corepool.ipc.crash_slots import Status
from corepool.ipc.frozen import Frozen
from corepool.ipc.scoreboard import Cell
from corepool.testing.served import ServedHere
from corepool.testing.sockets import reset
from corepool.worker.drain import Drain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from corepool import Layer
    from corepool.worker.mover import Mover


class Counter:
    """Counts bytes; can be moved."""

    def __init__(self) -> None:
        self.reasons: list[CloseReason] = []
        self.lost = 0
        self.words: dict[bytes, Callable[[Any], object]] = {
            b"close": lambda conn: conn.close(),
            b"abort": lambda conn: conn.abort(),
            b"deadline": lambda conn: conn.deadline(60),
            b"half": self.keep_half_open,
            b"raise": self.fail,
        }

    def keep_half_open(self, conn: Any) -> None:
        conn.half_open = True

    def fail(self, conn: Any) -> None:  # noqa: ARG002
        raise KeyError("as asked")

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        conn.session = 0

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        data = conn.recv(5 if conn.session == "slow" else 65536)
        conn.session += len(data)
        if data in self.words:
            self.words[data](conn)
        elif data:
            conn.send(b"%d\n" % conn.session)

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)

    @hookimpl
    def on_freeze(self, conn: Any) -> bytes:
        return b"%d" % conn.session

    @hookimpl
    def on_thaw(self, conn: Any, state: bytes) -> None:
        conn.session = int(state)

    @hookimpl
    def on_lost(self, conn: Any) -> None:
        self.lost += 1
        conn.send(b"lost\n")


@pytest.fixture
def here() -> Iterator[ServedHere]:
    with ServedHere(Counter()) as here:
        yield here


def protocol_of(here: ServedHere) -> Counter:
    protocol = here.service.listener.served[0].protocol
    assert isinstance(protocol, Counter)
    return protocol


def talk(here: ServedHere, client: socket.socket, data: bytes) -> bytes:
    client.send(data)
    answer = b""

    def has_come() -> bool:
        nonlocal answer
        try:
            answer = client.recv(100)
        except BlockingIOError:
            return False
        return True

    here.turn_until(has_come)
    return answer


ENDS: dict[str, tuple[Callable[[socket.socket], object], CloseReason]] = {
    "the client ends": (lambda client: client.shutdown(socket.SHUT_WR), CloseReason.EOF),
    "the client hangs up": (lambda client: client.close(), CloseReason.EOF),
    "the client breaks it": (reset, CloseReason.EOF),  # a UNIX socket has no RST
    "the protocol closes": (lambda client: client.send(b"close"), CloseReason.CLOSED),
    "the protocol aborts": (lambda client: client.send(b"abort"), CloseReason.ABORTED),
    "a hook raises": (lambda client: client.send(b"raise"), CloseReason.ERROR),
}


@pytest.mark.parametrize("way", ENDS)
def test_a_connection_ends_once_for_its_reason(here: ServedHere, way: str) -> None:
    end, reason = ENDS[way]
    client = here.connect()
    assert talk(here, client, b"abc") == b"3\n"
    (conn,) = here.connections()
    fd = conn.fileno()

    end(client)
    here.turn_until(lambda: here.connections() == [])
    here.turn()

    assert protocol_of(here).reasons == [reason]
    assert (here.row.cells[Cell.ACCEPTED], here.row.cells[Cell.CLOSED]) == (1, 1)
    assert (conn.fileno(), str(conn.peer)) == (-1, "unknown")
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
    client.close()


def test_the_last_words_reach_a_client_that_is_still_sending(here: ServedHere) -> None:
    """Close(2) with unread input would destroy them; so the connection lingers, and is counted as ended at once."""
    client = here.connect()
    assert talk(here, client, b"abc") == b"3\n"
    (conn,) = here.connections()
    conn.send(b"last words")
    conn.close()
    client.send(b"unread")
    here.turn()
    here.turn()

    assert here.row.cells[Cell.CLOSED] == 1
    assert len(here.reactor.sources()) == 1, "it lingers"
    assert client.recv(100) == b"last words"
    assert client.recv(100) == b""
    client.close()
    here.turn_until(lambda: here.reactor.sources() == [])


@pytest.mark.parametrize("timeout_s", [0, 1000])
def test_a_worker_that_leaves_waits_for_a_client_that_is_still_sending(here: ServedHere, timeout_s: float) -> None:
    client = here.connect()
    (conn,) = here.connections()
    conn.close()
    client.send(b"unread")
    here.turn()
    assert len(here.reactor.sources()) == 1, "it lingers"
    done: list[bool] = []
    drain = Drain(here.reactor, [here.service], [], cast("Mover", None), here.loop, lambda: done.append(True))
    drain.begin(timeout_s, moves=False)
    assert done == ([] if timeout_s else [True])

    client.close()
    here.turn_until(lambda: here.reactor.sources() == [])
    while not done:
        here.loop.turn()


def test_a_connection_that_cannot_begin_is_counted_and_closed() -> None:
    def fail() -> Sequence[Layer]:
        raise KeyError("as asked")

    protocol = Counter()
    with ServedHere(protocol, transport=Layered(fail)) as here, here.connect() as client:
        here.turn()
        assert (here.row.cells[Cell.ACCEPTED], here.row.cells[Cell.CLOSED]) == (1, 1)
        assert client.recv(1) == b""
    assert protocol.reasons == []


def test_a_connection_goes_on_elsewhere_as_it_was(here: ServedHere) -> None:
    with ServedHere(Counter()) as there, here.connect() as client:
        assert talk(here, client, b"abc") == b"3\n"
        client.send(b"half")
        here.turn(1)
        client.send(b"deadline")
        here.turn(1)
        (conn,) = here.connections()
        assert conn.can_move
        assert conn.is_idle
        frozen = here.service.moving.freeze(conn)
        assert frozen is not None
        copy = os.dup(conn.fileno())
        depart(conn)
        here.turn()
        assert protocol_of(here).reasons == [CloseReason.MOVED]
        assert (here.row.cells[Cell.MOVED_OUT], here.row.cells[Cell.CLOSED]) == (1, 0)

        there.service.take_frozen(copy, frozen.encode())
        assert talk(there, client, b"de") == b"17\n"
        (moved,) = there.connections()
        assert (moved.half_open, moved.read_deadline) == (True, conn.read_deadline)
        assert (moved.bytes_in, moved.bytes_out) == (17, 5)
        assert (there.row.cells[Cell.MOVED_IN], there.row.cells[Cell.ACCEPTED]) == (1, 0)


def test_a_plugin_that_refuses_to_go_on_hears_of_no_end(here: ServedHere) -> None:
    class Refuses(Counter):
        @hookimpl
        def on_thaw(self, conn: Any, state: bytes) -> None:  # noqa: ARG002
            raise ValueError("from another version")

    other = Refuses()
    with ServedHere(other) as there, here.connect() as client:
        assert talk(here, client, b"abc") == b"3\n"
        (conn,) = here.connections()
        frozen = here.service.moving.freeze(conn)
        assert frozen is not None
        there.service.take_frozen(os.dup(conn.fileno()), frozen.encode())
        depart(conn)
        here.turn()
        there.turn()

        assert there.row.cells[Cell.REFUSED] == 1
        assert client.recv(1) == b""
    assert other.reasons == []


def test_a_lost_connection_is_told_so_and_nothing_else(here: ServedHere) -> None:
    with here.connect() as client:
        assert talk(here, client, b"abc") == b"3\n"
        (conn,) = here.connections()
        frozen = here.service.moving.freeze(conn)
        assert frozen is not None
        there_protocol = Counter()
        with ServedHere(there_protocol) as there:
            lost = frozen._replace(is_lost=True, states=())
            there.service.take_frozen(os.dup(conn.fileno()), lost.encode())
            depart(conn)
            here.turn()
            there.turn()
            assert client.recv(100) == b"lost\n"
            assert client.recv(100) == b""
        assert (there_protocol.lost, there_protocol.reasons) == (1, [])


def test_the_journal_of_a_connection_follows_it(here: ServedHere) -> None:
    slot = 5
    with here.connect(slot) as client:
        statuses = here.crash_slots.statuses
        assert statuses[slot] == Status.IDLE
        assert talk(here, client, b"abc") == b"3\n"
        assert statuses[slot] == Status.IDLE
        (conn,) = here.connections()
        conn.busy = True
        client.send(b"de")
        here.turn(1)
        assert statuses[slot] == Status.SPEAKING, "a part of a reply has left"
        conn.busy = False
        conn.close()
        here.turn()
        assert statuses[slot] == Status.CLOSED


def test_the_journal_has_the_state_as_it_is_after_output_was_sent_at_once(here: ServedHere) -> None:
    slot = 5
    with here.connect(slot) as client:
        (conn,) = here.connections()
        for begin, word in ((b"1", "a task"), (b"2", "another")):
            conn.send(begin)
            conn.send_now()
            conn.session += 7  # after the reply, in the same turn
            here.turn()
            assert client.recv(10) == begin
            assert here.crash_slots.statuses[slot] == Status.IDLE, word
            assert Frozen.decode(here.crash_slots.read(slot)).states[0].content == b"%d" % conn.session


@pytest.mark.parametrize("sends", [False, True])
def test_a_lost_connection_is_not_asked_for_its_state(here: ServedHere, sends: bool) -> None:  # noqa: FBT001
    class Silent(Counter):
        @hookimpl
        def on_lost(self, conn: Any) -> None:
            if sends:
                conn.send(b"lost\n")
                conn.send_now()

        @hookimpl
        def on_freeze(self, conn: Any) -> bytes:  # noqa: ARG002
            raise AssertionError("it has no state here")

    with here.connect() as client:
        assert talk(here, client, b"abc") == b"3\n"
        (conn,) = here.connections()
        frozen = here.service.moving.freeze(conn)
        assert frozen is not None
        with ServedHere(Silent()) as there:
            lost = frozen._replace(crash_slot=5, is_lost=True, states=())
            there.service.take_frozen(os.dup(conn.fileno()), lost.encode())
            depart(conn)
            here.turn()
            there.turn()
            assert client.recv(100) == (b"lost\n" if sends else b"")
            assert there.service.hook_errors == 0
