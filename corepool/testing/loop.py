"""An event loop that a test runs one turn at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.worker.loop import WorkerLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextvars import Context

    from corepool.hot.reactor import Reactor


class SteppedLoop(WorkerLoop):
    """A worker's loop, and how many callbacks it was given."""

    def __init__(self, reactor: Reactor) -> None:
        """Poll with `reactor`, and own it."""
        super().__init__(reactor)
        self.reactor = reactor
        self.callbacks = 0

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        self.callbacks += 1
        return super().call_soon(callback, *args, context=context)

    def turn(self) -> None:
        """Poll once without waiting, and run the callbacks that are ready then."""
        super().call_soon(self.stop)
        self.run_forever()
