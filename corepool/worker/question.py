"""The question of a worker to its master for the status of the pools."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, cast

from corepool.ipc.messages import AskStatus

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping


_AGAIN_S = 1.0
"""An answer takes a millisecond. One that takes this long is lost: master or worker had no descriptor left."""


class StatusQuestion:
    """The question that is under way, if there is one, and who waits for the answer."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, say: Callable[[AskStatus], bool], again_s: float = _AGAIN_S
    ) -> None:
        """Prepare.

        :param say: sends a message to the master; False: it can't be sent now.
        :param again_s: after this many seconds without an answer it is asked again.
        """
        self._loop = loop
        self._say = say
        self._again_s = again_s
        self._again: asyncio.TimerHandle | None = None
        self._waiting: list[asyncio.Future[Mapping[str, object]]] = []

    async def ask(self) -> Mapping[str, object]:
        """Wait for the answer, together with the callers that wait for it already.

        :raises OSError: EAGAIN: the master has not read its messages for a while.
        """
        if not self._waiting:
            if not self._say(AskStatus()):
                raise BlockingIOError(errno.EAGAIN, "it does not read its messages")
            self._ask_again_later()
        future: asyncio.Future[Mapping[str, object]] = self._loop.create_future()
        self._waiting.append(future)
        try:
            return await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def _ask_again_later(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = self._loop.call_later(self._again_s, self._ask_again)

    def _ask_again(self) -> None:
        self._again = None
        if self._waiting:
            self._say(AskStatus())
            self._ask_again_later()

    def answered(self, fds: list[int]) -> None:
        """Hand the answer, in a file, to all waiting callers; owns its descriptor."""
        if not fds:
            return  # out of descriptors
        with os.fdopen(fds[0], "rb") as file:
            status = cast("Mapping[str, object]", json.load(file))
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(status)
