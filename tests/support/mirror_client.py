"""A conversation in memory with the application `mirror`, and the steps that tests of bounds share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mirror

from corepool.spec.types import TimeoutKind
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation


def let_go(client: Conversation) -> None:
    """Let the application go on, and give it the turns that it needs."""
    mirror.Handshakes.go.set()
    for _ in range(50):
        client.read_on()


def run_out(client: Conversation) -> None:
    """Let deadlines pass until the connection ends."""

    def has_ended() -> bool:
        if not (client.conn.closed or client.has_met_the_end):
            client.time_out(TimeoutKind.READ)
        return client.conn.closed or client.has_met_the_end

    wait_until(has_ended)
