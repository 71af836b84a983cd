"""The row of a worker on the scoreboard, as far as the worker's loop writes it: all but the counts of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.ipc.metric_cells import Layout
from corepool.ipc.scoreboard import Cell, held
from corepool.spec.types import ThreadGauge, WorkerLoad

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from corepool.hot.reactor import Reactor
    from corepool.ipc.scoreboard import Row, Scoreboard
    from corepool.plugins.listener import Served
    from corepool.worker.counts import ConnectionCounts
    from corepool.worker.service import Service


class WorkerRow:
    """Publishes what a worker's parts have counted."""

    def __init__(
        self,
        row: Row,
        reactor: Reactor,
        services: Sequence[Service],
        counts: ConnectionCounts,
        requests: Callable[[], int],
    ) -> None:
        """Prepare; nothing is published yet.

        :param requests: returns the number of requests that protocols have counted.
        """
        self._row = row
        self._cells = row.cells
        self._reactor = reactor
        self._services = services
        self._counts = counts
        self._requests = requests
        self._counting = [each for service in services for each in service.counting]
        self._guessing = [site for service in services for site in service.sites.guessing]
        self._gauges: list[ThreadGauge] = []
        self._refreshing: list[Callable[[], None]] = []

    @property
    def held(self) -> int:
        """How many connections the worker has."""
        return held(self._cells)

    def loads(self, board: Scoreboard) -> list[WorkerLoad]:
        """Read those of all workers of its pool, by slot."""
        return sorted(
            WorkerLoad(
                slot=row[Cell.SLOT],
                pid=row[Cell.PID],
                connections=held(row),
                accepted=row[Cell.ACCEPTED],
                requests=row[Cell.REQUESTS],
                lag_s=row[Cell.LAG_NS] / 1e9,
            )
            for row in board.rows()
            if row[Cell.POOL] == self._cells[Cell.POOL]
        )

    def join(self, slot: int, pid: int) -> None:
        """Have the others see this worker."""
        self._cells[Cell.SLOT] = slot
        self._cells[Cell.PID] = pid

    def gauge_threads(self, most: int) -> ThreadGauge:
        """Return a gauge whose numbers are published from now on."""
        gauge = ThreadGauge(most)
        self._gauges.append(gauge)
        return gauge

    def metrics_of(self, served: Served, refresh: Callable[[], None] | None) -> Mapping[str, memoryview[int]]:
        """Return the cells of the metrics of a protocol.

        :param refresh: called before each publication; it raises nothing.
        """
        if refresh is not None:
            self._refreshing.append(refresh)
        return Layout(served.metrics).cells(self._row.block(served.place))

    def count_by(self, counts: Callable[[], Mapping[Cell, int]]) -> None:
        """Publish what `counts` returns, too; it raises nothing."""

        def refresh() -> None:
            for cell, count in counts().items():
                self._cells[cell] = count

        self._refreshing.append(refresh)

    def beat(self, now: float, lag_s: float) -> None:
        """Show that the loop turns.

        :param now: the monotonic clock, in seconds.
        :param lag_s: how late this heartbeat is.
        """
        self._cells[Cell.LAG_NS] = max(0, int(lag_s * 1e9))
        self._cells[Cell.HEARTBEAT_NS] = int(now * 1e9)

    def publish(self) -> None:
        """Write the counters that connections keep as plain attributes."""
        cells = self._cells
        for refresh in self._refreshing:
            refresh()
        cells[Cell.REQUESTS] = self._requests() + sum(site.events - site.ends for site in self._guessing)
        self._counts.publish(self._counting)
        cells[Cell.BUSY_NS] = int(self._reactor.busy_s * 1e9)
        if self._gauges:
            cells[Cell.THREADS] = sum(gauge.most for gauge in self._gauges)
            cells[Cell.THREADS_BUSY] = max(0, sum(gauge.busy for gauge in self._gauges))
            cells[Cell.THREADS_WAITING] = max(0, sum(gauge.waiting for gauge in self._gauges))
