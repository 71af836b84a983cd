"""The worker that plugins see in this process."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from corepool.ipc.metric_cells import BLOCK, Layout
from corepool.ipc.shared_area import SharedArea
from corepool.spec.types import ThreadGauge, WorkerLoad
from corepool.worker.bus import WorkerBus
from corepool.worker.bus_use import BusUse
from corepool.worker.sharing import Sharing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from corepool.spec.bus import Bus
    from corepool.spec.types import ListenerInfo
    from corepool.spec.worker import Worker
    from corepool.testing.failures import Failures
    from corepool.testing.loop import SteppedLoop

T = TypeVar("T")


class WorkerHere:
    """Implements `corepool.Worker`: the only one of its pool, without a master."""

    def __init__(
        self,
        loop: SteppedLoop,
        listener: ListenerInfo,
        failures: Failures,
        held: Callable[[], int] = int,
        on_message: Callable[[Worker, bytes, bytes], object] | None = None,
    ) -> None:
        """Serve one listener.

        :param failures: keeps the exceptions that are the test's.
        :param held: counts the open connections.
        :param on_message: the hook.
        """
        self.slot = 0
        self.pool = "main"
        self.pid = os.getpid()
        self.generation = 0
        self.workers = 1
        self.boot_timeout = 60.0
        self.requests = 0
        self.loop: asyncio.AbstractEventLoop = loop
        self._loop = loop
        self.listeners = [listener]
        self.accepted = 0
        self.batch_calls = 0
        """Calls that were asked for at the end of a batch."""
        self._reactor = loop.reactor
        self._held = held
        self._failures = failures
        sharing = Sharing(SharedArea(), self.pool, self.pid)
        self.counter, self.buckets, self.semaphores = sharing.counter, sharing.buckets, sharing.semaphores
        self.map = sharing.map
        self._shared: dict[Callable[[], object], object] = {}
        self._on_message = on_message
        # Without a master: no other worker ever joins.
        use = self._bus_use = BusUse(lambda: WorkerBus(loop, loop.reactor, lambda: 0, None), self._take_message)
        self.publish, self.subscribe, self.unsubscribe = use.publish, use.subscribe, use.unsubscribe

    def listener_of(self, plugin: object) -> str:  # noqa: ARG002
        """Return the name of the only listener."""
        return self.listeners[0].name

    def loads(self) -> list[WorkerLoad]:
        """Return the load of the only worker, this one."""
        return [WorkerLoad(self.slot, self.pid, self._held(), self.accepted, self.accepted, 0.0)]

    async def status(self) -> Mapping[str, object]:
        """Refuse: there is no master."""
        raise OSError("a worker in the test's process has no master; test this with the fixture `pool`")

    def gauge_threads(self, most: int) -> ThreadGauge:
        """Return a gauge that is not shown anywhere."""
        return ThreadGauge(most)

    def metrics_of(
        self,
        protocol: object,
        refresh: Callable[[], None] | None = None,  # noqa: ARG002
    ) -> Mapping[str, memoryview[int]]:
        """Return cells that are not shown anywhere; nothing asks for fresh ones."""
        return Layout(getattr(protocol, "metrics", ())).cells(memoryview(bytearray(8 * BLOCK)).cast("Q"))

    @property
    def bus(self) -> Bus:
        """The bus, with this worker alone."""
        return self._bus_use.bus

    def end_bus(self) -> None:
        """Have every subscription end, and close what the bus has opened."""
        self._bus_use.end()
        self._bus_use.close()

    def _take_message(self, topic: bytes, data: bytes) -> None:
        if self._on_message is not None:
            self._failures.contain(partial(self._on_message, self, topic, data))

    def boot_s(self) -> float:
        """Return all of `boot_timeout`."""
        return self.boot_timeout

    def last_words_s(self) -> float:
        """Return all the time that a worker has."""
        return 0.5

    def stop_s(self) -> float:
        """Return `stop_timeout`'s default."""
        return 10.0

    def fail(self, error: BaseException) -> None:
        """Have the test fail."""
        self._failures.add(error)

    def shared(self, make: Callable[[], T]) -> T:
        """Return the object that `make` has made for this worker."""
        if make not in self._shared:
            self._shared[make] = make()
        return cast("T", self._shared[make])

    def at_batch_end(self, call: Callable[[], None]) -> None:
        """Have `call` called once, at the end of the batch."""
        self.batch_calls += 1
        self._reactor.at_batch_end(lambda: self._failures.contain(call))

    def on_long_turn(self, limit_s: float, call: Callable[[float, float], None]) -> None:
        """Have `call` called when asyncio's callbacks have kept the loop for longer."""
        self._loop.on_long_turn(limit_s, lambda began, seconds: self._failures.contain(partial(call, began, seconds)))
