"""Deadlines of connections: a heap that activity does not touch.

A connection has at most one live entry, for the earliest moment at which something could be due. Activity
only moves the deadline (an attribute of the connection); when the entry comes up, the connection is asked
again, and the entry moves with it. So a busy connection costs one heap operation per timeout, not per
request. Entries of closed connections are blanked, and swept out when they are most of the heap.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from corepool.spec.types import TimeoutKind


_SWEEP_MINIMUM = 100
"""Blank entries that are not worth a sweep (asyncio's own number for cancelled timers)."""


class Timed(Protocol):
    """A connection, as the heap sees it."""

    entry: Entry | None

    def next_deadline(self) -> tuple[float, TimeoutKind] | None:
        """Return the next deadline and its kind, if there is one."""

    def on_deadline(self, kind: TimeoutKind) -> None:
        """Act on a deadline that has come. Must not raise."""


class Entry:
    """One place in the heap; `connection` is None when it means nothing any more."""

    __slots__ = ("connection", "order", "when")

    def __init__(self, when: float, order: int, connection: Timed) -> None:
        self.when = when
        self.order = order
        self.connection: Timed | None = connection

    def __lt__(self, other: Entry) -> bool:
        return self.when < other.when or (self.when == other.when and self.order < other.order)


class Deadlines:
    """The deadlines of one worker's connections, driven by one timer of its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the clock and the timers of `loop`."""
        self._loop = loop
        self._heap: list[Entry] = []
        self._order = 0
        self._blank = 0
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0

    def watch(self, connection: Timed) -> None:
        """Note that `connection` may have an earlier deadline than before."""
        due = connection.next_deadline()
        if due is None:
            return
        when, _ = due
        entry = connection.entry
        if entry is not None:
            if entry.when <= when:
                return
            self.forget(connection)
        self._push(when, connection)
        self._arm()

    def forget(self, connection: Timed) -> None:
        """Drop the entry of `connection`."""
        if connection.entry is None:
            return
        connection.entry.connection = None
        connection.entry = None
        self._blank += 1
        if self._blank > _SWEEP_MINIMUM and self._blank * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry.connection is not None]
            heapify(self._heap)
            self._blank = 0

    def _push(self, when: float, connection: Timed) -> None:
        self._order += 1
        entry = connection.entry = Entry(when, self._order, connection)
        heappush(self._heap, entry)

    def _arm(self) -> None:
        if not self._heap:
            return
        when = self._heap[0].when
        if self._timer is not None:
            if self._fires_at <= when:
                return
            self._timer.cancel()
        self._fires_at = when
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self._act_on_due(self._loop.time())
        finally:
            self._arm()  # whatever one of them does, the others have their deadlines

    def _act_on_due(self, now: float) -> None:
        while self._heap and self._heap[0].when <= now:
            connection = heappop(self._heap).connection
            if connection is None:
                self._blank -= 1
                continue
            connection.entry = None
            due = connection.next_deadline()
            if due is not None and due[0] <= now:
                connection.on_deadline(due[1])
                due = connection.next_deadline()
            if due is not None and connection.entry is None:
                # Never again at once: a deadline that a hook leaves in the past comes up at the next turn.
                self._push(max(due[0], now + 0.001), connection)
