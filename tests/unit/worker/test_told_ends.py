"""What a worker counts and logs of a connection that could not go on: the operator learns of each, and of no other."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from layers import Framed, Layered, Nothing

from corepool import Address, CloseReason, hookimpl
from corepool.hot.leaving import close_now, depart
from corepool.ipc.scoreboard import Cell
from corepool.testing.served import ServedHere

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool import Layer


class Echo:
    """Can be moved, if `fail` lets it."""

    def __init__(self, fail: Callable[[], object] | None = None) -> None:
        self.fail = fail
        self.reasons: list[CloseReason] = []

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)

    @hookimpl
    def on_freeze(self, conn: Any) -> bytes:  # noqa: ARG002
        if self.fail is not None:
            self.fail()
        return b""

    @hookimpl
    def on_thaw(self, conn: Any, state: bytes) -> None:  # noqa: ARG002
        if self.fail is not None:
            self.fail()


def fail() -> None:
    raise KeyError("as asked")


def frozen_by(here: ServedHere, client: socket.socket) -> tuple[int, bytes]:  # noqa: ARG001  # it keeps the peer open
    """Freeze the one connection: a descriptor for another worker, and its record."""
    (conn,) = here.connections()
    frozen = here.service.moving.freeze(conn)
    assert frozen is not None
    fd = os.dup(conn.fileno())
    depart(conn)
    here.turn()
    return fd, frozen.encode()


def test_a_connection_with_layers_stays_in_its_worker() -> None:
    """Its keys are in this process, though its protocol could be moved."""

    def one_layer() -> Sequence[Layer]:
        return [Nothing()]

    with ServedHere(Echo(), transport=Layered(one_layer)) as layered, layered.connect():
        layered.turn()
        assert [conn.can_move for conn in layered.connections()] == [False]
    with ServedHere(Echo()) as plain, plain.connect():
        plain.turn()
        assert [conn.can_move for conn in plain.connections()] == [True]


def test_the_address_of_a_peer_is_its_transports() -> None:
    with ServedHere(Echo()) as here, here.connect():
        (conn,) = here.connections()
        assert conn.peer == Address("memory")
        assert conn.local == Address("memory", 1)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_handshake_that_is_left_is_counted_and_a_connection_that_is_left_is_not(
    is_open: bool,  # noqa: FBT001
) -> None:
    def layers() -> Sequence[Layer]:
        return [Nothing()] if is_open else [Framed()]

    with ServedHere(Echo(), transport=Layered(layers)) as here:
        client = here.connect()
        here.turn()
        client.close()
        here.turn_until(lambda: here.connections() == [])

        assert here.service.layer_failures == (0 if is_open else 1)
        assert here.row.cells[Cell.CLOSED] == 1


def test_a_handshake_that_the_worker_breaks_off_to_leave_is_no_failure() -> None:
    with ServedHere(Echo(), transport=Layered(lambda: [Framed()])) as here, here.connect():
        here.turn()
        (conn,) = here.connections()
        close_now(conn)
        here.turn()

        assert here.connections() == []
        assert here.service.layer_failures == 0


def test_output_above_its_limit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ServedHere(Echo(), output_high_water=65_536, output_limit=65_536) as here, here.connect():
        (conn,) = here.connections()
        for _ in range(1000):
            conn.send(bytes(10_000))
        here.turn()

        assert here.connections() == []
    [told] = [each for each in caplog.messages if each.startswith("output_limit_exceeded")]
    assert "listener=test" in told
    assert "limit=65536" in told


def test_a_plugin_that_fails_when_it_is_frozen_is_logged_and_its_connection_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ServedHere(Echo(fail)) as here, here.connect():
        (conn,) = here.connections()

        assert here.service.moving.freeze(conn) is None
        assert here.connections() == [conn]
        assert here.service.hook_errors == 1
    assert [each for each in caplog.messages if each.startswith("hook_failed")]


def test_a_plugin_that_fails_when_it_is_thawed_is_logged_and_its_connection_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    protocol = Echo(fail)
    with ServedHere(Echo()) as here, ServedHere(protocol) as there, here.connect() as client:
        there.service.take_frozen(*frozen_by(here, client))
        there.turn()

        assert there.service.hook_errors == 1
        assert there.row.cells[Cell.REFUSED] == 1
        assert there.connections() == []
    assert [each for each in caplog.messages if each.startswith("hook_failed")]
    assert protocol.reasons == [], "it has never met the connection"


def test_a_state_that_a_plugin_does_not_know_is_logged_as_refused(caplog: pytest.LogCaptureFixture) -> None:
    """As of another version of it: ValueError is the plugin's word for that, and no mistake of its author."""

    def refuse() -> None:
        raise ValueError("from another version")

    with ServedHere(Echo()) as here, ServedHere(Echo(refuse)) as there, here.connect() as client:
        there.service.take_frozen(*frozen_by(here, client))
        there.turn()

        assert there.row.cells[Cell.REFUSED] == 1
        assert there.service.hook_errors == 0
    [told] = [each for each in caplog.messages if each.startswith("connection_refused")]
    assert "from another version" in told


def test_a_record_that_cannot_be_read_is_logged_and_costs_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    with ServedHere(Echo()) as here:
        ours, theirs = socket.socketpair()
        here.service.take_frozen(ours.detach(), b"of another version")
        here.turn()
        assert theirs.recv(1) == b""
        theirs.close()

        assert (here.row.cells[Cell.MOVED_IN], here.row.cells[Cell.MOVED_OUT]) == (1, 0)
    assert [each for each in caplog.messages if each.startswith("connection_not_restored")]


def test_a_connection_that_cannot_be_watched_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ServedHere(Echo()) as here:
        ours, theirs = socket.socketpair()
        here.reactor.epoll.register(ours, 0)  # a second time is refused
        here.service.take_handed_over(ours.detach())
        here.turn_until(lambda: not here.connections())
        here.turn()
        assert (here.row.cells[Cell.ACCEPTED], here.row.cells[Cell.CLOSED]) == (1, 1)
        assert theirs.recv(1) == b""
        theirs.close()
    [told] = [each for each in caplog.messages if each.startswith("connection_not_watched")]
    assert "File exists" in told
