"""Connections of one worker that go on in another: handed back by one that serves, or left by one that has died."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.ipc.scoreboard import Cell, listener_cell
from corepool.master import events
from corepool.master.ledger import Handoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.ipc.messages import FrozenConnections
    from corepool.master.dispatch import Dispatch
    from corepool.master.recovery import Recovery
    from corepool.master.workers import WorkerEntry
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)


def give_to_others(dispatch: Dispatch, entry: WorkerEntry, message: FrozenConnections, fds: list[int]) -> None:
    """Dispatch the connections that a worker has handed back; owns their descriptors."""
    records = message.records
    for fd in fds[len(records) :]:
        release(fd)
    entry.row.cells[Cell.TAKEN_BACK] += len(records)
    if len(fds) < len(records):
        events.connections_lost(
            log,
            reason="the master is out of descriptors",
            slot=entry.name,
            pid=entry.pid,
            count=len(records) - len(fds),
        )
    handoffs = [
        Handoff(fd, message.socket, None, record, entry.pid, slot)
        for fd, record, slot in zip(fds, records, message.crash_slots, strict=False)
    ]
    dispatch.take_over(entry, handoffs)


def rescue(
    dispatch: Dispatch, recovery: Recovery, entry: WorkerEntry, serving: Sequence[BoundSocket], *, is_stopping: bool
) -> None:
    """Go on with the connections that a dead worker has left, where that is wanted."""
    left = recovery.recover(entry.pid)
    if not left:
        return
    # They are not closed: they have moved.
    entry.row.cells[Cell.MOVED_OUT] += len(left)
    for handoff in left:
        bound = next((each for each in serving if each.index == handoff.socket), None)
        if bound is not None:
            entry.row.cells[listener_cell(bound.listener.place, "moved_out")] += 1
    if not is_stopping:
        events.connections_rescued(log, slot=entry.name, pid=entry.pid, count=len(left))
    dispatch.adopt(left)
