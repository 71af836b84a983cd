"""The objects that a worker process has from its fork."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool.ipc.channel import Channel
    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.scoreboard import Row, Scoreboard
    from corepool.ipc.shared_area import SharedArea


@dataclass(frozen=True, slots=True)
class WorkerSpawn:
    """A worker's place in the pool, its counters, and its end of the channel."""

    slot: int
    generation: int
    workers: int
    master_pid: int
    channel: Channel
    row: Row
    scoreboard: Scoreboard
    crash_slots: CrashSlots
    shared: SharedArea
    paused: frozenset[str]
    """Listeners from which it must not accept until it is told."""
