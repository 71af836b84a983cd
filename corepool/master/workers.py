"""The table of worker processes. Pure: no fork, no signal, no descriptor is touched here."""

from __future__ import annotations

from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from corepool.master.ledger import Handoff, Ledger
from corepool.master.states import Event, State, step
from corepool.spec.types import ExitCause, WorkerInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.ipc.channel import Channel
    from corepool.ipc.scoreboard import Load, Row
    from corepool.ipc.shapes import SocketIndex
    from corepool.master.loop import Timer
    from corepool.master.recycling import Limits
    from corepool.plugins.listener import Configuration
    from corepool.spec.dispatcher import WorkerView


_MAX_LOOKS = 360
"""Between two attempts to have a worker take a state that it refuses: an hour."""

_LEFT = (0, -SIGTERM, -SIGKILL)
"""Exit codes of a worker that has left on a TERM, or was killed since it took too long."""


@dataclass(slots=True)
class HeldState:
    """The state of one transport in a worker, by its number (plugins/renewal.py)."""

    sent: int
    """The highest that it was ever sent: it may answer late."""
    taken: int
    failure: str = ""
    """Why it could not take the last one that it was sent, or why that could not be sent."""
    is_due: bool = False
    """The last one is to be sent again."""
    refusals: int = 0
    """How many times in a row it could not take that one."""
    rest: int = 0
    """How many looks at the files are let pass before it is sent again."""

    def refuse(self, failure: str) -> None:
        """Note that it could not take the last one. Each time it rests twice as long: most refuse it for ever."""
        self.failure = failure
        self.rest = min(2**self.refusals, _MAX_LOOKS) - 1
        self.refusals = min(self.refusals + 1, _MAX_LOOKS)

    def look(self) -> None:
        """Have it sent again if it was refused, and has rested."""
        if self.failure and self.rest == 0:
            self.is_due = True
        self.rest = max(0, self.rest - 1)

    def note_sent(self, number: int) -> None:
        """Note that one was sent."""
        if number > self.sent:
            self.refusals = 0
        self.sent, self.is_due, self.rest, self.failure = max(self.sent, number), False, 0, ""


@dataclass(slots=True, eq=False)
class WorkerEntry:
    """One worker process."""

    slot: int
    pid: int
    generation: int
    configuration: Configuration
    """The configuration that it was forked with."""
    pidfd: int
    channel: Channel
    row: Row
    view: WorkerView
    started_at: float
    state: State = State.STARTING
    was_ready: bool = False
    ready_at: float = 0.0
    """When it became ready; 0: it never was."""
    intended: ExitCause | None = None
    """Why it is going, once it has been told or forced to."""
    ledger: Ledger = field(default_factory=Ledger)
    outbox: list[Handoff] = field(default_factory=list)
    """Placed with it in this turn, not sent yet."""
    report: str = ""
    """Its own reason why it can't boot, or go on."""
    has_drained: bool = False
    """Its loop has turned for the last time; only its plugins' `on_worker_stop` is left."""
    limits: Limits | None = None
    """When it is to be recycled; None until it is ready."""
    kept_until: float = 0.0
    """It is not recycled before this moment: its last replacement could not start."""
    status: int | None = None
    """Its status from waitpid(2)."""
    deadline: Timer | None = None
    """When patience with its leaving ends."""
    states: dict[SocketIndex, HeldState] = field(default_factory=dict)
    """The states of transports that it has, by socket; those of the sockets at its fork."""
    load: Load | None = None
    """Its counters as the dispatch has read them last."""
    on_step: Callable[[], None] = lambda: None
    """Called at each step in its life: by the table that it stands in."""
    sockets: frozenset[SocketIndex] = field(init=False)
    """The bound sockets whose connections it can serve."""
    max_connections: int = field(init=False)

    def __post_init__(self) -> None:
        self.sockets = frozenset(bound.index for bound in self.configuration.bound)
        self.max_connections = self.configuration.pool.max_connections

    @property
    def name(self) -> str:
        """Its name in the log: its slot, and its pool's name if there are several."""
        return self.configuration.worker_name(self.slot)

    def happened(self, event: Event) -> None:
        """Make a step in its life."""
        self.state = step(self.state, event)
        self.was_ready = self.was_ready or self.state is State.READY
        self.on_step()

    def info(self, now: float) -> WorkerInfo:
        """Return the facts for hooks."""
        return WorkerInfo(self.slot, self.pid, self.generation, now - self.started_at)

    @property
    def has_failed(self) -> bool:
        """True when it has said, after it was ready, that it is of no use any more."""
        return self.was_ready and self.report != ""

    def cause(self, code: int, *, out_of_memory: bool = False) -> ExitCause:
        """Return why it has ended.

        :param code: the exit status, or a signal's number below zero.
        :param out_of_memory: the kernel has killed something for memory just now, and it may be this one.
        """
        if self.intended is ExitCause.ASKED and code not in _LEFT:
            return ExitCause.CRASH
        if self.intended is not None:
            return self.intended
        if out_of_memory:
            return ExitCause.OUT_OF_MEMORY
        return ExitCause.CRASH if self.was_ready else ExitCause.BOOT_FAILURE


class Workers:
    """Every worker process that is alive, and how many there should be."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._by_pid: dict[int, WorkerEntry] = {}
        self._ready: tuple[WorkerEntry, ...] | None = None
        """The workers that take connections; None: to be found anew."""

    def __iter__(self) -> Iterator[WorkerEntry]:
        return iter(list(self._by_pid.values()))

    def __len__(self) -> int:
        return len(self._by_pid)

    def add(self, entry: WorkerEntry) -> None:
        """Put a forked process in the table."""
        self._by_pid[entry.pid] = entry
        entry.on_step = self._forget_ready
        self._forget_ready()

    def remove(self, entry: WorkerEntry) -> None:
        """Take a reaped process out."""
        del self._by_pid[entry.pid]
        self._forget_ready()

    def by_pid(self, pid: int) -> WorkerEntry | None:
        """Find a process."""
        return self._by_pid.get(pid)

    def ready(self) -> tuple[WorkerEntry, ...]:
        """List the workers that take connections, by slot: the same tuple as long as they are the same."""
        if self._ready is None:
            ready = [entry for entry in self._by_pid.values() if entry.state is State.READY]
            self._ready = tuple(sorted(ready, key=lambda entry: entry.slot))
        return self._ready

    def _forget_ready(self) -> None:
        self._ready = None

    def vacant(self) -> list[int]:
        """List the slots that want a process and have none, or only one that is leaving."""
        held = {entry.slot for entry in self._by_pid.values() if entry.state in (State.STARTING, State.READY)}
        return [slot for slot in range(self.target) if slot not in held]

    def predecessors(self, replacement: WorkerEntry) -> list[WorkerEntry]:
        """List the others in the slot of `replacement` that are not leaving yet."""
        return [
            entry
            for entry in self._by_pid.values()
            if entry.slot == replacement.slot
            and entry is not replacement
            and entry.state in (State.STARTING, State.READY)
        ]

    def in_slot(self, slot: int) -> WorkerEntry | None:
        """Find the worker that serves in `slot`."""
        return next((entry for entry in self.ready() if entry.slot == slot), None)

    def surplus(self) -> list[WorkerEntry]:
        """List the workers beyond the target that are not leaving yet."""
        return [
            entry
            for entry in self._by_pid.values()
            if entry.slot >= self.target and entry.state in (State.STARTING, State.READY)
        ]
