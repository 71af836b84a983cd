"""Evicting keys while no client writes: the bound was lowered, say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.keyspace import Limits

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool_kv.engine.execution import Execution
    from corepool_kv.engine.work import Work
    from corepool_kv.stores import StoreError


class Evicting:
    """A client whose transactions have no work: keys are evicted at their beginning. Implements `execution.Client`."""

    def __init__(self, execution: Execution, loop: asyncio.AbstractEventLoop, look: Callable[[], None]) -> None:
        """Do nothing yet.

        :param look: called when more may be to be evicted.
        """
        self._execution = execution
        self._loop = loop
        self._look = look
        self.waiting: list[Work] = []
        self.limits = Limits(0, 0, 0)  # it stores nothing
        self._evicted = 0
        self._looking: asyncio.Handle | None = None

    def begin(self) -> None:
        """Have a transaction, unless one is waiting."""
        if not self.waiting:
            self._evicted = self._execution.room.evicted
            self._execution.submit(self, lambda _: b"")

    def answer(self, replies: bytes) -> None:  # noqa: ARG002
        """Go on if that has helped, and let the clients have their turn between."""
        if self._execution.room.evicted > self._evicted:
            self._looking = self._loop.call_soon(self._look)

    def stop(self) -> None:
        """End: the store is closed."""
        if self._looking is not None:
            self._looking.cancel()

    def explain(self, error: StoreError, commands: int) -> bytes:  # noqa: ARG002
        """It is tried again in a second."""
        return b""
