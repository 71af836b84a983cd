"""The two objects that a pool of the master speaks up to: its owner, and the way to other pools and masters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Set as AbstractSet

    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.scoreboard import Scoreboard
    from corepool.ipc.shapes import SocketIndex
    from corepool.ipc.shared_area import SharedArea
    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.master.bus import BusDirectory
    from corepool.master.ledger import Handoff
    from corepool.master.loop import Loop
    from corepool.master.oom import OomCounter
    from corepool.master.recovery import Recovery
    from corepool.master.status import PoolStatus
    from corepool.plugins.listener import Configuration


class Failure(NamedTuple):
    """Why a pool does not get ready."""

    worker: str
    """The name of the worker that failed."""
    what: str
    """`could not boot`, `failed`, `can't be forked`."""
    report: str

    def __str__(self) -> str:
        return f"worker {self.worker} {self.what}: {self.report}"


class Member(Protocol):
    """A pool, as its owner is told of it."""

    @property
    def name(self) -> str:
        """Its name; one that a reload has removed and another that has taken its place may have the same."""


class Owner(Protocol):
    """Hears from a pool about everything that concerns the others."""

    def on_ready(self, pool: Member) -> None:
        """Note that every worker serves the newest configuration: the first generation, or the last of a roll."""

    def on_failed(self, pool: Member, failure: Failure) -> None:
        """Note that a worker of the newest configuration can't start: nor would the next one."""

    def on_empty(self, pool: Member) -> None:
        """Note that a pool which has to stop has no worker left."""

    def status(self) -> PoolStatus:
        """Describe every pool."""


class Elsewhere(Protocol):
    """Other pools, and a new master: where connections go that a pool can't serve."""

    def lasting_sockets(self) -> Collection[SocketIndex]:
        """List the sockets whose connections go on being served, whichever worker leaves."""

    def take(self, handoff: Handoff) -> None:
        """Own a connection that was accepted for a socket which the pool serves no longer."""

    @property
    def is_holding(self) -> bool:
        """True while connections that were handed back wait for another master; `Hearing.listen` goes on then."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The objects that the pools of one master share."""

    loop: Loop
    scoreboard: Scoreboard
    crash_slots: CrashSlots
    shared: SharedArea
    recovery: Recovery
    oom: OomCounter
    bus: BusDirectory
    paused: AbstractSet[str]
    """The listeners that are paused now, by name."""
    version: str
    run_worker: Callable[[WorkerSpawn, Configuration], int]
    """Runs in a forked child; returns its exit status."""
    owner: Owner
    elsewhere: Elsewhere
