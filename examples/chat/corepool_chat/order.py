"""Events in one order for all workers: one of them, which a semaphore elects, passes on the events of all.

The bus keeps the order of each publisher, and here there is only one that is listened to. When it dies, its hold of the
semaphore ends with it, and another worker takes its place. An event that was under way is sent once more: it may happen
twice, but it is never taken for done when it was not.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import Hold, Worker

_LOOK_S, _AGAIN_S = 0.1, 1.0
"""Between looks for the order's worker, and until an event is sent again."""


class Event(NamedTuple):
    """Something that a person does; `key` tells persons of one name apart."""

    verb: str
    key: str
    name: str = ""
    text: str = ""


class Order:
    """Sends events, and receives those of all workers."""

    def __init__(self, worker: Worker, on_event: Callable[[Event], None], on_look: Callable[[], None]) -> None:
        """Listen.

        :param on_event: called with each event, in the same order in each worker.
        :param on_look: called again and again, in the worker that passes the events on.
        """
        self._bus, self._on_event, self._on_look = worker.bus, on_event, on_look
        self._leaders = worker.semaphores("chat.leader")
        self._numbers = itertools.count()
        self._pid = worker.pid
        self._sent: dict[str, asyncio.Future[None]] = {}
        self._hold: Hold | None = None
        self._listening = self._bus.listen(self._hear, ["chat.ordered"])
        self._leading = worker.loop.create_task(self._lead())

    async def send(self, event: Event) -> None:
        """Send an event, and wait until it has happened."""
        number = f"{self._pid}.{next(self._numbers)}"
        happened = self._sent[number] = asyncio.get_running_loop().create_future()
        try:
            while not happened.done():
                self.post(event, number)
                await asyncio.wait([happened], timeout=_AGAIN_S)
        finally:
            del self._sent[number]

    def post(self, event: Event, number: str = "") -> None:
        """Send an event, and don't wait."""
        self._bus.publish("chat.unordered", json.dumps([number, *event]))

    def close(self) -> None:
        """Let another worker lead."""
        self._leading.cancel()
        self._listening.close()
        if self._hold is not None:
            self._hold.release()

    def _hear(self, topic: bytes, data: bytes) -> None:
        if topic == b"chat.unordered":
            self._bus.publish("chat.ordered", data)
            return
        number, *event = json.loads(data)
        self._on_event(Event(*event))
        if number in self._sent and not self._sent[number].done():
            self._sent[number].set_result(None)

    async def _lead(self) -> None:
        while True:
            if self._hold is not None:
                self._on_look()
            elif self._listening.is_active:
                self._hold = self._leaders.acquire("leader", 1)
                if self._hold is not None:
                    self._listening.add(["chat.unordered"])
                    continue
            await asyncio.sleep(_LOOK_S)
