"""A publisher and subscribers on the bus, for the case `bus`.

`fan-out` is told "COUNT AT_ONCE" or "latency COUNT" in a line, publishes, and answers with one line of JSON when each
of the subscribers, which are workers of another pool, has told what it got.
"""

import json
import time
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from corepool import Connection, Worker, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

SUBSCRIBERS = 4
TOPIC, COUNTED = "news", "counted"
PAUSE_S = 0.002
"""Between two messages whose latency is measured."""
BURN_S = 0.0001
"""CPU time of a request."""


class FanOut:
    """The publisher; one client at a time."""

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._worker = worker
        worker.subscribe(COUNTED)
        self._answers: list[Any] = []
        self._answer: Callable[[bytes], object]

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        if words := conn.recv().split():
            self._answers = []
            self._answer = conn.send
            if words[0] == b"latency":
                self._publish_timed(int(words[1]))
            else:
                self._publish(int(words[0]), int(words[1]))

    def _publish(self, left: int, at_once: int) -> None:
        for number in range(left, max(0, left - at_once), -1):
            self._worker.publish(TOPIC, b"%0100d" % number)
        if left > at_once:
            self._worker.loop.call_soon(self._publish, left - at_once, at_once)  # in a batch of its own
        else:
            self._worker.publish(TOPIC, b"end")

    def _publish_timed(self, left: int) -> None:
        self._worker.publish(TOPIC, b"t%099d" % time.monotonic_ns() if left else b"end")
        if left:
            self._worker.loop.call_later(PAUSE_S, self._publish_timed, left - 1)

    @hookimpl
    def on_message(self, worker: Worker, topic: bytes, data: bytes) -> None:  # noqa: ARG002
        self._answers.append(json.loads(data))
        if len(self._answers) == SUBSCRIBERS:
            took_ms = [ms for each in self._answers for ms in each["took_ms"]]
            cuts = quantiles(took_ms, n=100) if took_ms else [0.0] * 99
            answer = {"got": sum(each["got"] for each in self._answers), "p50": cuts[49], "p99": cuts[98]}
            self._answer(json.dumps(answer).encode() + b"\n")


class Subscriber:
    """One of the subscribers, which serves requests beside."""

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._subscription = worker.bus.subscribe(TOPIC)
        self._reading = worker.loop.create_task(self._read(worker))

    async def _read(self, worker: Worker) -> None:
        got = 0
        took_ms: list[float] = []
        async for message in self._subscription:
            if message.data == b"end":
                worker.publish(COUNTED, json.dumps({"got": got, "took_ms": took_ms}))
                got = 0
                took_ms = []
                continue
            got += 1
            if message.data.startswith(b"t"):
                took_ms.append((time.monotonic_ns() - int(message.data[1:])) / 1e6)

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        for _ in range(conn.recv().count(b"\n")):
            ends = time.thread_time() + BURN_S
            while time.thread_time() < ends:
                pass
            conn.send(b"+PONG\r\n")

    @hookimpl
    def on_worker_stop(self) -> None:
        self._subscription.close()
