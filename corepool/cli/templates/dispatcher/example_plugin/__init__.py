"""The dispatcher example-plugin: it fills the first worker up before the next one gets anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import corepool
from corepool import Dispatcher
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Incoming, WorkerView


class ExamplePlugin(Dispatcher):
    """Choose the first worker that has fewer than `enough` connections.

    One instance per listener, in the master, which must never wait: no files, no sockets, no locks.
    """

    class Options(corepool.Options):
        """The keys of `dispatcher_options`; `corepool check` reports mistakes in them."""

        enough: Annotated[int, Field(gt=0)] = 100
        """Connections that a worker gets before the next one has its turn."""

    def __init__(self, options: Options) -> None:
        self._enough = options.enough

    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> WorkerView:  # noqa: ARG002
        """Choose the first with room; the emptiest when all have enough."""
        for worker in workers:
            if worker.connections < self._enough:
                return worker
        return min(workers, key=lambda worker: worker.connections)
