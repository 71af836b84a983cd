"""The numbers of connections that a worker publishes: taken, ended, moved, and the counters of its services."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Protocol

from corepool.ipc.scoreboard import COLUMNS, PER_LISTENER, Cell
from corepool.spec.counters import HANDSHAKE_FAILURES, OF_SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool.hot.reactor import Reactor
    from corepool.ipc.scoreboard import ListenerPlace, Row
    from corepool.worker.handshakes import Handshakes

_RECEIVED, _ACCEPTED, _CLOSED, _SETTLED = (
    int(cell) for cell in (Cell.RECEIVED, Cell.ACCEPTED, Cell.CLOSED, Cell.SETTLED)
)  # plain numbers: looking up a member of an enumeration takes twice as long as writing the counter

_BEGAN, _ENDED, _CAME, _LEFT = (COLUMNS[name] for name in ("accepted", "closed", "moved", "moved_out"))


class Counting(Protocol):
    """A service, or the site of one of its protocols: it has attributes for those of `OF_SERVICES` that it counts."""

    @property
    def handshakes(self) -> Handshakes | None:
        """Its failed handshakes; None: others count them."""

    @property
    def place(self) -> int:
        """Its place on the scoreboard."""


class ConnectionCounts:
    """How many connections the worker has, and the callbacks for when one has gone."""

    def __init__(self, row: Row, limit: int, reactor: Reactor) -> None:
        self._cells = row.cells
        self._reactor = reactor
        self._limit = limit
        self._received = 0
        self._accepted = 0
        self._closed = 0
        self._moved_in = 0
        self._moved_out = 0
        self._per_listener = array("Q", row.of_listeners)
        self._own, self._shared = memoryview(self._per_listener), row.of_listeners
        """The counters of listeners, here and on the scoreboard: all at first, then those of this worker's."""
        self._is_published = True
        self.on_room: list[Callable[[], None]] = []

    @property
    def full(self) -> bool:
        """True when the worker may hold no more connections."""
        return self._accepted + self._moved_in - self._closed - self._moved_out >= self._limit

    def received(self) -> int:
        """Count a connection that the master handed over, and return its number, counting from 1.

        This is the acknowledgement: from now on the connection is this process's, whatever happens to it.
        """
        self._received = self._cells[_RECEIVED] = self._received + 1
        return self._received

    def is_shared(self, number: int) -> bool:
        """True while the master may still hold its copy of connection `number`."""
        # A negative one is compared for itself: the cell is unsigned, and in C the number would become a large one.
        return number > 0 and number > self._cells[_SETTLED]

    def began(self, place: ListenerPlace) -> None:
        """Count a connection that begins."""
        self._accepted += 1
        self._per_listener[PER_LISTENER * place + _BEGAN] += 1
        self._publish_later()

    def entered(self, place: int) -> None:
        """Count, of a listener with several protocols, a connection that enters one: `place` is the protocol's."""
        self._count(place, _BEGAN)

    def left(self, place: int, *, goes_on: bool) -> None:
        """Count, of that protocol, a connection that ends, or (`goes_on`) leaves for another worker."""
        if goes_on:
            self._count_move(place, _LEFT)
        else:
            self._count(place, _ENDED)

    def came(self, place: int) -> None:
        """Count, of that protocol, a connection that comes from another worker."""
        self._count_move(place, _CAME)

    def _count(self, place: int, column: int) -> None:
        self._per_listener[PER_LISTENER * place + column] += 1
        self._publish_later()

    def received_moved(self, place: ListenerPlace) -> int:
        """Count a connection that the master handed over, and that began in another process; return its number."""
        self._moved_in = self._cells[Cell.MOVED_IN] = self._moved_in + 1
        self._count_move(place, _CAME)
        return self.received()

    def _count_move(self, place: int, column: int) -> None:
        """Count a connection that comes from another process or leaves for one, and publish that at once.

        By the row of a process that is killed now, it would have begun here, or ended here, a second time.
        """
        cell = PER_LISTENER * place + column
        self._per_listener[cell] += 1
        self._shared[cell] = self._per_listener[cell]

    def refused(self) -> None:
        """Count a connection from another process that could not go on here."""
        self._cells[Cell.REFUSED] += 1

    def moved_out(self, place: ListenerPlace) -> None:
        """Count a connection that goes on in another process."""
        was_full = self.full
        self._moved_out = self._cells[Cell.MOVED_OUT] = self._moved_out + 1
        self._count_move(place, _LEFT)
        self._tell_of_room(was_full)

    def own_number(self) -> int:
        """Return a number for a connection that this worker has accepted by itself.

        It is negative: the master never held a copy of it, and numbers must not collide.
        """
        return -self._accepted - 1

    def ended(self, place: ListenerPlace) -> None:
        """Count a connection that has ended."""
        was_full = self.full
        self._closed += 1
        self._per_listener[PER_LISTENER * place + _ENDED] += 1
        self._publish_later()
        self._tell_of_room(was_full)

    def publish(self, services: Sequence[Counting]) -> None:
        """Write the counters of services, with those of connections. To be called at each heartbeat."""
        for counter in OF_SERVICES:
            column, sums = COLUMNS[counter.name], dict.fromkeys((each.place for each in services), 0)
            for each in services:
                sums[each.place] += getattr(each, counter.name, 0)
            for place, count in sums.items():
                self._per_listener[PER_LISTENER * place + column] = count
        for reason in HANDSHAKE_FAILURES:
            column, sums = COLUMNS[f"handshake_{reason}"], dict.fromkeys((each.place for each in services), 0)
            for each in services:
                sums[each.place] += 0 if each.handshakes is None else each.handshakes.failed[reason]
            for place, count in sums.items():
                self._per_listener[PER_LISTENER * place + column] = count
        if services:
            # A copy of all places is 4 KiB: of cold memory, where many workers share a core.
            end = PER_LISTENER * (1 + max(each.place for each in services))
            self._own, self._shared = self._own[:end], self._shared[:end]
        self._publish()

    def _tell_of_room(self, was_full: bool) -> None:  # noqa: FBT001
        if was_full and not self.full:
            for tell in self.on_room:
                tell()

    def _publish_later(self) -> None:
        if self._is_published:
            self._is_published = False
            self._reactor.at_batch_end(self._publish)

    def _publish(self) -> None:
        self._shared[:] = self._own
        # `closed` last: read in between, the worker seems to hold more than it does, never less.
        self._cells[_ACCEPTED] = self._accepted
        if self._moved_in or self._moved_out:
            self._cells[Cell.MOVED_IN] = self._moved_in
            self._cells[Cell.MOVED_OUT] = self._moved_out
        self._cells[_CLOSED] = self._closed
        self._is_published = True
