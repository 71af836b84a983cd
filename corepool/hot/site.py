"""A site: what connections need of their listener, as plain fields that the hot path reads.

A connection is at one site at a time. One with layers begins at a site whose only hook opens them, and then *enters*
the listener's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from corepool.spec.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.hot.deadlines import Deadlines, Entry
    from corepool.hot.reactor import Reactor, Source
    from corepool.spec.types import Address, CloseReason, TimeoutKind


class Held(Connection, Protocol):
    """A connection as its owner sees it."""

    entry: Entry | None
    site: Site

    @property
    def crash_slot(self) -> int:
        """Its place in shared memory; 0: none."""

    def next_deadline(self) -> tuple[float, TimeoutKind] | None:
        """Return the next deadline, and its kind."""

    def on_deadline(self, kind: TimeoutKind) -> None:
        """Act on a deadline that has passed."""


class Owner(Protocol):
    """The object that makes and ends the connections of a site."""

    def ended(self, conn: Held, fd: int, reason: CloseReason) -> None:
        """Deal with a connection that has just left epoll: call its hooks, count it, close `fd`."""

    def failed(self, conn: Held) -> None:
        """Log the exception of a hook that is being handled."""

    def closing(self, conn: Held, cause: BaseException | None) -> None:
        """Log why we close a connection: output above the limit (None), a LayerError, or epoll's OSError."""

    def address(self, fd: int, *, peer: bool) -> Address:
        """Return the address of one end; of a connection that is gone (-1), or whose peer is, Address("unknown")."""


@dataclass(slots=True, eq=False)
class Site:
    """The facts of one (socket, protocol)."""

    name: str
    index: int
    """The index, in messages, of the socket that its connections came in by."""
    owner: Owner
    reactor: Reactor
    deadlines: Deadlines
    unsent: list[Source]
    on_readable: Callable[[Connection], object]
    on_accept: Callable[[Connection], object] | None
    on_writable: Callable[[Connection], object] | None
    on_timeout: Callable[[Connection, TimeoutKind], object] | None
    on_drain: Callable[[Connection], object] | None
    on_lost: Callable[[Connection], object] | None
    on_close: Callable[[Connection, CloseReason], object] | None
    idle_timeout: float
    write_timeout: float
    high_water: int
    output_limit: int
    can_move: bool = False
    """False: its connections never go to another process."""
    then: Site | None = None
    """The site that a connection enters when its layers are open."""
    parked: set[Source] = field(default_factory=set)
    events: int = 0
    """Events that brought data, or the peer's end."""
    bytes_in: int = 0
    bytes_out: int = 0
