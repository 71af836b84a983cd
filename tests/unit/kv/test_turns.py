"""The turn of a client ends in each case."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from corepool.hot.fields import Fields
from corepool_kv.engine.keyspace import Limits
from corepool_kv.engine.turns import ServerBase, SessionBase


class Failing(ServerBase):
    """Has a fault of its own in the second request."""

    def __init__(self, worker: Any) -> None:
        ServerBase.__init__(self, worker, 10)
        self.limits = Limits(10, 10, 10)
        self.asked = 0
        self.ended: list[int] = []

    def next_reply(self, session: SessionBase) -> bytes | None:  # noqa: ARG002
        self.asked += 1
        if self.asked == 2:
            raise ZeroDivisionError
        return b""

    def end_turn(self, served: int) -> None:
        self.ended.append(served)


def test_it_ends_when_a_command_has_a_fault_of_ours() -> None:
    """Else the view of the data that it has begun would be that of the next client."""
    server = Failing(SimpleNamespace(requests=0))
    session = SessionBase(server, Fields())  # type: ignore[arg-type]

    with pytest.raises(ZeroDivisionError):
        server.serve(session)

    assert server.ended == [0]
