"""The facts that the demo page shows: the master's status, asked for once however many browsers look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from corepool import __version__

if TYPE_CHECKING:
    from corepool import Worker

INTERVAL_S = 1.0
"""Between two events of a stream: workers publish their counters once a second."""

_TIMEOUT_S = 2.0
"""For the master to answer; it may be stopped, or replaced by an upgrade just now."""


class Feed:
    """One worker's view of its pool. Runs in: workers, in the loop."""

    def __init__(self) -> None:
        self._facts: dict[str, object] = {}
        self._reading: asyncio.Task[dict[str, object]] | None = None
        self._read_at = 0.0

    async def read(self, worker: Worker) -> dict[str, object]:
        """Return the facts, at most half an interval old; `stale` is in place of the status if the master is silent."""
        now = worker.loop.time()
        if self._reading is None and now - self._read_at > INTERVAL_S / 2:
            self._reading = worker.loop.create_task(self._ask(worker))
        if self._reading is not None:
            # Shielded: a browser that leaves must not cancel the question for all others.
            return await asyncio.shield(self._reading)
        return self._facts

    async def _ask(self, worker: Worker) -> dict[str, object]:
        try:
            status = dict(await asyncio.wait_for(worker.status(), _TIMEOUT_S))
        except (OSError, TimeoutError):
            status = {"stale": True}
        finally:
            self._reading = None
            self._read_at = worker.loop.time()
        examples = {each.name: each.examples for each in worker.listeners}
        self._facts = {
            "version": __version__,
            "slot": worker.slot,
            "served_by": worker.pid,
            "examples": examples,
            **status,
        }
        return self._facts
