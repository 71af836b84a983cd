"""Coroutines that start a server by themselves: what they give to `loop.create_server` is taken; no socket is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from corepool.loading import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class HostedServer(asyncio.AbstractServer):
    """What `create_server` gives: a server whose sockets are the pool's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_serving = True
        self.sockets: tuple[()] = ()

    def close(self) -> None:
        """Serve no more, as far as the starter is concerned."""
        self._is_serving = False

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give the worker's loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether it was closed."""
        return self._is_serving

    async def start_serving(self) -> None:
        """Do nothing: the pool begins when it is ready."""

    async def serve_forever(self) -> None:
        """Wait for the end of the worker, which cancels this."""
        await asyncio.get_running_loop().create_future()

    async def wait_closed(self) -> None:
        """Do nothing: connections are the pool's."""


def run_starter(starter: Callable[[], Coroutine[Any, Any, object]], loop: asyncio.AbstractEventLoop) -> ProtocolFactory:
    """Run a coroutine until it has called `loop.create_server`, directly or by asyncio.start_server; then it goes on.

    Runs in: worker, before its loop runs.

    :returns: the protocol factory that it has given.
    :raises LoadError: it has ended without.
    """
    return loop.run_until_complete(_capture(starter, loop))


async def _capture(
    starter: Callable[[], Coroutine[Any, Any, object]], loop: asyncio.AbstractEventLoop
) -> ProtocolFactory:
    captured: asyncio.Future[ProtocolFactory] = loop.create_future()

    async def create_server(protocol_factory: ProtocolFactory, *_: object, **__: object) -> HostedServer:
        if captured.done():
            raise RuntimeError("a hosted server listens once: more addresses are the pool's `bind`")
        captured.set_result(protocol_factory)
        return HostedServer(loop)

    loop.create_server = loop.create_unix_server = create_server  # type: ignore[method-assign,assignment]
    task = loop.create_task(starter())
    either: set[asyncio.Future[Any]] = {task, captured}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not captured.done():
        task.result()  # its exception, if it has one
        raise LoadError("target: it has ended without a call of loop.create_server or asyncio.start_server")
    await asyncio.sleep(0)  # let it go on with the server that it has got
    return captured.result()
