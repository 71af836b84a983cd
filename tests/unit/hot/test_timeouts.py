"""The time-out of a connection whose client did not read for a while."""

from __future__ import annotations

from typing import Any

from corepool import CloseReason, TimeoutKind, hookimpl
from corepool.testing.served import ServedHere
from corepool.testing.waiting import wait_until

SIZE = 3_000_000


class Greeting:
    """Sends more than a socket holds."""

    def __init__(self) -> None:
        self.told: list[object] = []

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        conn.send(b"x" * SIZE)

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.recv()

    @hookimpl
    def on_timeout(self, kind: TimeoutKind) -> None:
        self.told.append(kind)

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.told.append(reason)


def test_a_client_that_has_read_late_may_be_idle_for_no_longer_than_others() -> None:
    """While it does not read it is not idle: when that time has come, there is no other without `write_timeout`."""
    protocol = Greeting()
    with ServedHere(protocol, idle_timeout=0.01, write_timeout=0) as here, here.connect() as client:
        here.turn()
        [conn] = here.connections()
        wait_until(lambda: here.loop.turn() or conn.entry is None)
        received = 0
        while received < SIZE:
            received += len(client.recv(65_536))
            here.loop.turn()
        wait_until(lambda: here.loop.turn() or not here.connections())
    assert protocol.told == [TimeoutKind.IDLE, CloseReason.TIMEOUT]
