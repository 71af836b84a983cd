"""The connections that a crash has left, as the master finds them among real sockets."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from proxy_headers import v1

from corepool.ipc.crash_slots import LENGTH_BITS, CrashSlots, Status
from corepool.ipc.frozen import Frozen
from corepool.ipc.scoreboard import Scoreboard
from corepool.ipc.shapes import SocketIndex
from corepool.master.ledger import Handoff
from corepool.master.loop import Loop
from corepool.master.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Iterator

PID = 7
RECORD = Frozen(0, 0.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, protocol="test", states=())


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            yield server, client


@pytest.fixture
def crash_slots() -> CrashSlots:
    return CrashSlots()


@pytest.fixture
def recovery(crash_slots: CrashSlots) -> Iterator[Recovery]:
    loop = Loop()
    recovery = Recovery(crash_slots, loop, Scoreboard(1).count)
    yield recovery
    recovery.close()
    loop.close()


def keep(recovery: Recovery, crash_slots: CrashSlots, server: socket.socket) -> int:
    handoff = recovery.admit(Handoff(os.dup(server.fileno()), SocketIndex(0), None, RECORD.encode()))
    recovery.keep(handoff, PID)
    assert handoff.frozen is not None
    crash_slots.write(handoff.crash_slot, handoff.frozen)
    return handoff.crash_slot


@pytest.mark.parametrize(
    ("left", "is_lost"),
    [(0, True), (10, False), (4, None)],
    ids=["nothing of the reply has left", "all of it has left", "a part has left"],
)
def test_the_kernel_tells_whether_a_reply_has_left(
    recovery: Recovery,
    crash_slots: CrashSlots,
    pair: tuple[socket.socket, socket.socket],
    left: int,
    is_lost: bool | None,  # noqa: FBT001
) -> None:
    server, _ = pair
    server.sendall(b"x" * 1000)
    crash_slot = keep(recovery, crash_slots, server)
    crash_slots.sending[crash_slot] = 1000 << LENGTH_BITS | 10
    crash_slots.statuses[crash_slot] = Status.SENDING
    server.sendall(b"y" * left)

    handoffs = recovery.recover(PID)

    if is_lost is None:
        assert handoffs == []
        assert crash_slots.statuses[crash_slot] == Status.FREE
        return
    (handoff,) = handoffs
    assert handoff.frozen is not None
    assert Frozen.decode(handoff.frozen).is_lost == is_lost
    assert handoff.crash_slot == crash_slot
    os.close(handoff.fd)


def test_one_that_was_not_kept_before_is_counted_from_where_it_is(
    recovery: Recovery, pair: tuple[socket.socket, socket.socket]
) -> None:
    server, _ = pair
    server.sendall(b"x" * 1234)

    handoff = recovery.admit(Handoff(server.fileno(), 0, None, RECORD.encode()))

    assert handoff.frozen is not None
    assert Frozen.decode(handoff.frozen).bytes_out == 1234


def test_connections_of_other_workers_are_left_alone(
    recovery: Recovery, crash_slots: CrashSlots, pair: tuple[socket.socket, socket.socket]
) -> None:
    crash_slot = keep(recovery, crash_slots, pair[0])
    crash_slots.statuses[crash_slot] = Status.IDLE

    assert recovery.recover(PID + 1) == []
    (handoff,) = recovery.recover(PID)
    assert handoff.crash_slot == crash_slot
    os.close(handoff.fd)


HEADER = v1(("203.0.113.7", 4711), ("198.51.100.1", 443))


def written(recovery: Recovery, crash_slots: CrashSlots, server: socket.socket, record: bytes) -> int:
    """Keep a connection whose worker has written `record`, and is busy with it."""
    handoff = recovery.admit(Handoff(os.dup(server.fileno()), SocketIndex(0), None))
    recovery.keep(handoff, PID)
    if record:
        crash_slots.write(handoff.crash_slot, record)
    crash_slots.statuses[handoff.crash_slot] = Status.BUSY
    return handoff.crash_slot


def header_after_crash(recovery: Recovery) -> bytes:
    [handoff] = recovery.recover(PID)
    assert handoff.frozen is not None
    os.close(handoff.fd)
    frozen = Frozen.decode(handoff.frozen)
    assert frozen.is_lost
    return frozen.header


def test_a_busy_connection_is_lost_with_its_own_header_and_with_no_other(
    pair: tuple[socket.socket, socket.socket], recovery: Recovery, crash_slots: CrashSlots
) -> None:
    slot = written(recovery, crash_slots, pair[0], RECORD._replace(header=HEADER).encode())
    assert header_after_crash(recovery) == HEADER
    recovery.free(slot)

    # The next connection with this slot has not written anything yet.
    assert written(recovery, crash_slots, pair[0], b"") == slot
    assert header_after_crash(recovery) == b""


def test_a_record_that_was_being_written_is_not_believed(
    pair: tuple[socket.socket, socket.socket], recovery: Recovery, crash_slots: CrashSlots
) -> None:
    written(recovery, crash_slots, pair[0], RECORD._replace(header=HEADER).encode()[:-3])
    assert header_after_crash(recovery) == b""


def test_the_log_names_the_client_of_a_connection_that_crashes_workers(
    pair: tuple[socket.socket, socket.socket],
    recovery: Recovery,
    crash_slots: CrashSlots,
    caplog: pytest.LogCaptureFixture,
) -> None:
    slot = written(recovery, crash_slots, pair[0], RECORD._replace(header=HEADER).encode())
    assert header_after_crash(recovery) == HEADER
    recovery.keep(Handoff(os.dup(pair[0].fileno()), SocketIndex(0), None, None, 0, slot), PID)
    assert not recovery.recover(PID)
    assert "peer=203.0.113.7:4711" in caplog.text


def test_copies_of_closed_connections_are_closed_as_others_come(
    recovery: Recovery, crash_slots: CrashSlots, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Without waiting for the timer: while they are many, memory is used again."""
    server, client = pair
    kept = [keep(recovery, crash_slots, server) for _ in range(3)]
    server.close()
    for crash_slot in kept:
        crash_slots.statuses[crash_slot] = Status.CLOSED
    client.setblocking(False)

    taken = [recovery.take() for _ in range(70)]

    assert client.recv(1) == b"", "no copy is left"
    assert set(kept) & set(taken), "their crash slots are used again"
