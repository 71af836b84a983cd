"""How an application's task waits for its connection, and how it lets the others have their turn."""

from __future__ import annotations

import asyncio

CALLS_PER_TURN = 64
"""How often an application may call receive() and send() without having waited before it is asked whether the loop has
turned meanwhile. As often again in the same turn, and it waits for the next one: nothing that it awaits in a loop keeps
the worker to itself. A stream of pieces of 100 bytes costs 5 % more with 64 than without a limit, 50 % more with 8."""


class Waiting:
    """Waits, whatever for: it is woken when something has happened, and looks for itself.

    A base without an `__init__`, which each request would have to call: derived classes set all four attributes.
    Each call of the application counts itself in `_calls`, and awaits `_take_turn` at `CALLS_PER_TURN`.
    """

    __slots__ = ("_calls", "_has_asked", "_loop", "_waiter")

    _calls: int
    _has_asked: bool
    """The loop will say when it turns."""
    _loop: asyncio.AbstractEventLoop
    _waiter: asyncio.Future[None] | None

    async def _wait(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            waiter = self._waiter = self._loop.create_future()
        self._calls = 0
        # Two of the application's tasks may wait, one in receive() and one in send().
        await asyncio.shield(waiter)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _take_turn(self) -> None:
        """Wait for the loop's next turn if the application has made too many calls in this one.

        Calls alone must not decide: Starlette's `Request.is_disconnected` cancels its call of receive() at the first
        point where it waits, and loses the answer that was there already.
        """
        self._calls = 0
        if self._has_asked:
            await asyncio.sleep(0)
        else:
            self._has_asked = True
            self._loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        self._calls = 0
        self._has_asked = False
