"""The heartbeat of a worker: it shows the master that the loop turns, and publishes the counters beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.ipc.scoreboard import Cell, held
from corepool.spec.types import ThreadGauge
from corepool.system.title import Title, count

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from corepool.hot.reactor import Reactor
    from corepool.ipc.scoreboard import Row
    from corepool.worker.counts import ConnectionCounts
    from corepool.worker.service import Service


class Heartbeat:
    """Writes a worker's row of the scoreboard, but for the counts of its connections."""

    def __init__(
        self,
        row: Row,
        name: str,
        timeout_s: float,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        services: Sequence[Service],
        counts: ConnectionCounts,
        requests: Callable[[], int],
    ) -> None:
        """Prepare; `start` begins.

        :param name: the worker's, for its title.
        :param timeout_s: without a heartbeat for so long the master takes the worker for stuck.
        :param requests: returns the number of requests that protocols have counted.
        """
        self._cells = row.cells
        self._name = name
        self._loop = loop
        self._reactor = reactor
        self._services = services
        self._counts = counts
        self._requests = requests
        # Often enough that a late heartbeat means a stuck loop, seldom enough to cost nothing.
        self.interval_s = min(1.0, timeout_s / 4)
        self._due = 0.0
        self._title = Title()
        self._gauges: list[ThreadGauge] = []
        self._guessing = [each for each in services if not each.chain.counts_requests]

    def start(self) -> None:
        """Send the first heartbeat."""
        self._due = self._loop.time()
        self._beat()

    def gauge_threads(self, most: int) -> ThreadGauge:
        """Return a gauge whose numbers are published from now on."""
        gauge = ThreadGauge(most)
        self._gauges.append(gauge)
        return gauge

    def publish(self) -> None:
        """Write the counters that connections keep as plain attributes."""
        cells = self._cells
        cells[Cell.REQUESTS] = self._requests() + sum(service.events for service in self._guessing)
        self._counts.publish(self._services)
        cells[Cell.BUSY_NS] = int(self._reactor.busy_s * 1e9)
        if self._gauges:
            cells[Cell.THREADS] = sum(gauge.most for gauge in self._gauges)
            cells[Cell.THREADS_BUSY] = max(0, sum(gauge.busy for gauge in self._gauges))
            cells[Cell.THREADS_WAITING] = max(0, sum(gauge.waiting for gauge in self._gauges))

    def _beat(self) -> None:
        now = self._loop.time()
        was_due, self._due = self._due, now + self.interval_s
        self._loop.call_at(self._due, self._beat)  # first: whatever fails below, the heartbeat goes on
        cells = self._cells
        cells[Cell.LAG_NS] = max(0, int((now - was_due) * 1e9))
        cells[Cell.HEARTBEAT_NS] = int(now * 1e9)
        self.publish()
        for service in self._services:
            service.look_for_spin()
        connections = count(held(cells), "connection")
        self._title.show(f"worker {self._name} [{connections}]")
