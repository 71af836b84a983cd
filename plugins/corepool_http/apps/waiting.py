"""How an application's task waits for its connection, and how it lets the others have their turn."""

from __future__ import annotations

import asyncio

CALLS_PER_ROUND = 8
"""How often an application may call receive() and send() without having waited, before it is looked at how long it has
had the loop to itself. To look at each call would make a stream of pieces of 100 bytes a fifth slower."""

_MAX_ROUNDS = 16
"""In one turn of the loop. A stream of pieces of 100 bytes becomes 50 % slower with one round, 5 % with these."""

_MAX_TURN_S = 0.005
"""In one turn of the loop, for applications that do more between their calls."""


class Waiting:
    """A base for an application's connection: it is woken when something has happened, and looks for itself.

    Each call of the application counts itself in `_calls`, and awaits `_take_turn` at `CALLS_PER_ROUND`.
    """

    __slots__ = ("_asked_at", "_calls", "_loop", "_rounds", "_waiter")

    _asked_at: float
    """When the loop was asked to report its next turn; at the end of the first round."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._calls = 0
        self._rounds = 0
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None

    async def _wait(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            waiter = self._waiter = self._loop.create_future()
            self._expect_to_be_woken()
        self._calls = 0
        # Two of the application's tasks may wait, one in receive() and one in send().
        await asyncio.shield(waiter)

    def _expect_to_be_woken(self) -> None:
        """Have `_wake` called: nothing has waited before."""

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _take_turn(self) -> None:
        """Wait for the loop's next turn if the application has had enough of this one.

        Only if the loop has not turned meanwhile: Starlette's `Request.is_disconnected` cancels its call of receive()
        at the first point where it waits, and loses the answer that was there already.
        """
        self._calls = 0
        self._rounds += 1
        if self._rounds == 1:
            self._asked_at = self._loop.time()
            self._loop.call_soon(self._on_turn)
        elif self._rounds >= _MAX_ROUNDS or self._loop.time() - self._asked_at > _MAX_TURN_S:
            await asyncio.sleep(0)

    def _on_turn(self) -> None:
        self._calls = self._rounds = 0
