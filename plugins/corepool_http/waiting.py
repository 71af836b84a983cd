"""How an application's task waits for its connection."""

from __future__ import annotations

import asyncio


class Waiting:
    """Waits, whatever for: it is woken when something has happened, and looks for itself.

    A base without an `__init__`, which each request would have to call: derived classes set both attributes.
    """

    __slots__ = ("_loop", "_waiter")

    _loop: asyncio.AbstractEventLoop
    _waiter: asyncio.Future[None] | None

    async def _wait(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            waiter = self._waiter = self._loop.create_future()
        # Two of the application's tasks may wait, one in receive() and one in send().
        await asyncio.shield(waiter)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
