"""What a crash has left, as the master finds it out of real sockets."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from corepool.ipc.berths import LENGTH_BITS, Berths, Status
from corepool.ipc.frozen import Frozen
from corepool.ipc.messages import SocketIndex
from corepool.master.keeper import Keeper
from corepool.master.ledger import Handoff
from corepool.master.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator

PID = 7
RECORD = Frozen(0, 0.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, states=())


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            yield server, client


@pytest.fixture
def berths() -> Berths:
    return Berths()


@pytest.fixture
def keeper(berths: Berths) -> Iterator[Keeper]:
    loop = Loop()
    keeper = Keeper(berths, loop)
    yield keeper
    keeper.close()
    loop.close()


def keep(keeper: Keeper, berths: Berths, server: socket.socket) -> int:
    handoff = keeper.admit(Handoff(os.dup(server.fileno()), SocketIndex(0), None, RECORD.encode()))
    keeper.keep(handoff, PID)
    assert handoff.frozen is not None
    berths.write(handoff.berth, handoff.frozen)
    return handoff.berth


@pytest.mark.parametrize(
    ("left", "is_lost"),
    [(0, True), (10, False), (4, None)],
    ids=["nothing of the reply has left", "all of it has left", "a part has left"],
)
def test_the_kernel_tells_whether_a_reply_has_left(
    keeper: Keeper,
    berths: Berths,
    pair: tuple[socket.socket, socket.socket],
    left: int,
    is_lost: bool | None,  # noqa: FBT001
) -> None:
    server, _ = pair
    server.sendall(b"x" * 1000)
    berth = keep(keeper, berths, server)
    berths.sending[berth] = 1000 << LENGTH_BITS | 10
    berths.statuses[berth] = Status.SENDING
    server.sendall(b"y" * left)

    handoffs = keeper.recover(PID)

    if is_lost is None:
        assert handoffs == []
        assert keeper.broken == 1
        return
    (handoff,) = handoffs
    assert handoff.frozen is not None
    assert Frozen.decode(handoff.frozen).is_lost == is_lost
    assert handoff.berth == berth
    os.close(handoff.fd)


def test_one_that_was_not_kept_before_is_counted_from_where_it_is(
    keeper: Keeper, pair: tuple[socket.socket, socket.socket]
) -> None:
    server, _ = pair
    server.sendall(b"x" * 1234)

    handoff = keeper.admit(Handoff(server.fileno(), 0, None, RECORD.encode()))

    assert handoff.frozen is not None
    assert Frozen.decode(handoff.frozen).bytes_out == 1234


def test_connections_of_other_workers_are_left_alone(
    keeper: Keeper, berths: Berths, pair: tuple[socket.socket, socket.socket]
) -> None:
    berth = keep(keeper, berths, pair[0])
    berths.statuses[berth] = Status.IDLE

    assert keeper.recover(PID + 1) == []
    (handoff,) = keeper.recover(PID)
    assert handoff.berth == berth
    os.close(handoff.fd)
