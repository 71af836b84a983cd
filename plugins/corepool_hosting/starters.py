"""Coroutines that start a server by themselves: what they give to `loop.create_server` is taken; no socket is made.

The first server that a starter asks for is the one. Those that it asks for later are real ones, and other code of the
worker gets real ones at any time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from corepool.loading import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    ProtocolFactory = Callable[[], asyncio.BaseProtocol]

log = logging.getLogger(__name__)

_LAST_WORDS_S = 0.5
"""How long a starter may clean up when its worker ends: below the second that the master leaves it for its end."""


class HostedServer(asyncio.AbstractServer):
    """What `create_server` gives: a server whose sockets are the pool's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._closed = loop.create_future()
        self.sockets: tuple[()] = ()

    def close(self) -> None:
        """Serve no more, as far as the starter is concerned."""
        if not self._closed.done():
            self._closed.set_result(None)

    def close_clients(self) -> None:
        """Do nothing: connections are the pool's."""

    def abort_clients(self) -> None:
        """Do nothing: connections are the pool's."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give the worker's loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether it was closed."""
        return not self._closed.done()

    async def start_serving(self) -> None:
        """Do nothing: the pool begins when it is ready."""

    async def serve_forever(self) -> None:
        """Wait for the worker to leave, which cancels this, or for `close`, which does the same, as in asyncio."""
        try:
            await asyncio.shield(self._closed)
        finally:
            self.close()
        raise asyncio.CancelledError

    async def wait_closed(self) -> None:
        """Wait for `close`: connections are the pool's."""
        await asyncio.shield(self._closed)


class Starter:
    """A coroutine that starts a server, from its start to the worker's end."""

    def __init__(self, target: str, main: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self._target = target
        self._main = main
        self._task: asyncio.Task[object]
        self._is_leaving = False

    def start(self, loop: asyncio.AbstractEventLoop) -> ProtocolFactory:
        """Run it until it has called `loop.create_server`, directly or by asyncio.start_server; then it goes on.

        Runs in: worker, before its loop runs.

        :returns: the protocol factory that it has given.
        :raises LoadError: it has ended without, or wants its server to speak TLS.
        """
        captured: asyncio.Future[ProtocolFactory] = loop.create_future()
        is_starter: ContextVar[bool] = ContextVar("is_starter", default=False)

        def taking_over(real: Callable[..., Coroutine[Any, Any, object]]) -> Callable[..., object]:
            async def create_server(protocol_factory: ProtocolFactory, *place: object, **more: object) -> object:
                if captured.done() or not is_starter.get():
                    return await real(protocol_factory, *place, **more)
                if more.get("ssl") is not None:
                    # Served in the clear, everything would seem to be well.
                    raise LoadError(
                        f"target = {self._target!r}: it asks for a server with TLS, the transport's business here"
                    )
                captured.set_result(protocol_factory)
                return HostedServer(loop)

            return create_server

        async def run() -> object:
            is_starter.set(True)  # here, and in the tasks that are made here
            return await self._main()

        loop.create_server = taking_over(loop.create_server)  # type: ignore[method-assign,assignment]
        loop.create_unix_server = taking_over(loop.create_unix_server)  # type: ignore[method-assign,assignment]
        try:
            self._task = loop.create_task(run())
            either: set[asyncio.Future[Any]] = {self._task, captured}
            loop.run_until_complete(asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED))
        finally:
            del loop.create_server, loop.create_unix_server
        if not captured.done():
            self._task.result()  # its exception, if it has one
            raise LoadError(
                f"target = {self._target!r}: it has ended without a call of loop.create_server or asyncio.start_server"
            )
        self._task.add_done_callback(self._ended)
        return captured.result()

    def leave(self) -> None:
        """Cancel it: the worker leaves. Who serves in `async with server` then says goodbye to the connections."""
        if not self._is_leaving:
            self._is_leaving = True
            self._task.cancel("the worker is leaving")

    def end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let it clean up. Runs after the loop has stopped."""
        self.leave()
        loop.run_until_complete(asyncio.wait((self._task,), timeout=_LAST_WORDS_S))

    def _ended(self, task: asyncio.Task[object]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._is_leaving:
            log.error("target = %r has failed; this worker leaves", self._target, exc_info=error)
            # asyncio.run would end the process. A worker that gets a TERM drains, and another takes its place.
            os.kill(os.getpid(), signal.SIGTERM)
