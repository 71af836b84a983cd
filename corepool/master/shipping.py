"""Getting connections to the workers that were chosen for them, and closing our copies once they are there.

What goes to one worker in one turn travels in one message. The copy of a descriptor is kept until the scoreboard says
that the worker has taken the connection. A channel that is full or dead is an ordinary answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.frozen import with_crash_slot
from corepool.ipc.messages import Thaw
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.scoreboard import Cell
from corepool.ipc.shapes import MAX_FDS, fit
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.master.ledger import Handoff
    from corepool.master.recovery import Recovery
    from corepool.master.workers import WorkerEntry

log = logging.getLogger(__name__)

_SETTLED = int(Cell.SETTLED)


class Shipping:
    """The way from a worker's outbox to its acknowledgement."""

    def __init__(self, recovery: Recovery) -> None:
        """Begin with nothing on its way."""
        self._recovery = recovery
        self._unsent: list[WorkerEntry] = []
        """The workers with something in their outboxes, and perhaps some that have left."""
        self._waiting: dict[WorkerEntry, None] = {}
        """The workers that have not taken all they were sent: first the one that has taken nothing for longest."""
        self.in_transit = 0
        """Connections in outboxes and ledgers: on their way to a worker, and not taken yet."""

    def post(self, entry: WorkerEntry, handoff: Handoff) -> None:
        """Put a connection into the outbox of a worker."""
        if not entry.outbox:
            self._unsent.append(entry)
        entry.outbox.append(handoff)
        self.in_transit += 1

    def next_unsent(self) -> WorkerEntry | None:
        """Return a worker whose outbox is to be sent now, if there is one."""
        while self._unsent:
            entry = self._unsent.pop()
            if entry.outbox:
                return entry
        return None

    def send(self, entry: WorkerEntry, now: float) -> list[Handoff]:
        """Send an outbox, and return what could not be sent: not to this worker, and not now."""
        outbox, entry.outbox = entry.outbox, []
        while outbox:
            batch, message = _batch(outbox)
            try:
                entry.channel.send(message, [handoff.fd for handoff in batch])
            except (ChannelFullError, PeerGoneError):
                self.in_transit -= len(outbox)
                return outbox
            entry.ledger.sent(batch, now)
            if entry not in self._waiting:
                self._waiting[entry] = None
            del outbox[: len(batch)]
        return []

    def settle(self, entry: WorkerEntry, received: int, now: float) -> bool:
        """Close our copies of the connections that a worker has taken; False: it has taken none.

        :param received: how many it has taken since it started.
        :raises FaultyCountError: that can't be true.
        """
        settled = entry.ledger.acknowledged(received, now)
        if not settled:
            return False
        for handoff in settled:
            if handoff.crash_slot:
                self._recovery.keep(handoff, entry.pid)
            else:
                release(handoff.fd)
        entry.row.cells[_SETTLED] = received
        entry.view.in_flight -= len(settled)
        self.in_transit -= len(settled)
        self._waiting.pop(entry, None)
        if len(entry.ledger):
            self._waiting[entry] = None  # the last in the order now
        return True

    def stalled(self, now: float, patience_s: float) -> list[WorkerEntry]:
        """List the workers that have taken nothing for `patience_s` although something waits."""
        stalled = []
        for entry in self._waiting:
            if now - entry.ledger.waiting_since < patience_s:
                break
            stalled.append(entry)
        return stalled

    def recall(self, entry: WorkerEntry) -> tuple[list[Handoff], list[Handoff]]:
        """Take out the connections in transit to a worker, and those not sent yet, in this order."""
        sent, unsent = entry.ledger.unread(), entry.outbox
        entry.outbox = []
        entry.view.in_flight = 0
        self.in_transit -= len(sent) + len(unsent)
        self._waiting.pop(entry, None)
        return sent, unsent

    def lose(self, handoffs: Sequence[Handoff], entry: WorkerEntry) -> None:
        """Close connections that a worker may or may not have begun to serve."""
        if handoffs:
            events.connections_lost(
                log,
                reason="the worker may have begun to serve them",
                slot=entry.name,
                pid=entry.pid,
                count=len(handoffs),
            )
        for handoff in handoffs:
            self.close(handoff)

    def close(self, handoff: Handoff) -> None:
        """Close a connection that no worker gets."""
        self._recovery.free(handoff.crash_slot)
        release(handoff.fd)


def _batch(outbox: list[Handoff]) -> tuple[list[Handoff], NewConnections | Thaw]:
    """Make one message of the first handoffs that have the socket in common, and are all new or all frozen."""
    first = outbox[0]
    is_new = first.frozen is None
    batch: list[Handoff] = []
    for handoff in outbox[:MAX_FDS]:
        if handoff.socket != first.socket or (handoff.frozen is None) != is_new:
            break
        batch.append(handoff)
    if is_new:
        slots = [handoff.crash_slot for handoff in batch]
        return batch, NewConnections(first.socket, len(slots), slots if any(slots) else ())
    records: list[bytes] = []
    for handoff in batch:
        assert handoff.frozen is not None
        if records and not fit(records, len(handoff.frozen)):
            break
        records.append(with_crash_slot(handoff.frozen, handoff.crash_slot))
    return batch[: len(records)], Thaw(first.socket, records)
