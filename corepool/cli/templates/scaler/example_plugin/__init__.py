"""The scaler example-plugin: as many workers as the open connections need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import corepool
from corepool import Scaler
from pydantic import Field

if TYPE_CHECKING:
    from corepool import PoolLoad


class ExamplePlugin(Scaler):
    """One worker for every so many connections.

    One instance per pool, in the master, asked about once a second. It must not wait, and should not swing: a worker
    that is started and stopped again has cost more than it has done.
    """

    class Options(corepool.Options):
        """The keys of `scaler_options`; `corepool check` reports mistakes in them."""

        connections: Annotated[int, Field(gt=0)] = 100
        """Connections that one worker is good for."""

    def __init__(self, options: Options) -> None:
        self._connections = options.connections

    def decide(self, load: PoolLoad) -> int:
        """Return the wanted number of workers; the pool keeps it within its limits."""
        needed = -(-load.connections // self._connections)  # rounded up
        # One fewer only when a tenth is to spare: a connection that comes and goes must not move a worker each time.
        if needed < load.workers and load.connections > 0.9 * self._connections * (load.workers - 1):
            return load.workers
        return needed
