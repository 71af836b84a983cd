"""The heartbeat of a worker: it shows the master that the loop turns, and publishes the counters beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.system.title import Title, count

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from corepool.worker.row import WorkerRow
    from corepool.worker.service import Service


class Heartbeat:
    """Beats as long as the loop turns."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        row: WorkerRow,
        services: Sequence[Service],
        name: str,
        timeout_s: float,
    ) -> None:
        """Prepare; `start` begins.

        :param name: the worker's, for its title.
        :param timeout_s: without a heartbeat for so long the master takes the worker for stuck.
        """
        self._loop = loop
        self._row = row
        self._services = services
        self._name = name
        # Often enough that a late heartbeat means a stuck loop, seldom enough to cost nothing.
        self.interval_s = min(1.0, timeout_s / 4)
        self._due = 0.0
        self._title = Title()

    def start(self) -> None:
        """Send the first heartbeat."""
        self._due = self._loop.time()
        self._beat()

    def _beat(self) -> None:
        now = self._loop.time()
        was_due, self._due = self._due, now + self.interval_s
        self._loop.call_at(self._due, self._beat)  # first: whatever fails below, the heartbeat goes on
        self._row.beat(now, now - was_due)
        self._row.publish()
        for service in self._services:
            service.look_for_spin()
        self._title.show(f"worker {self._name} [{count(self._row.held, 'connection')}]")
