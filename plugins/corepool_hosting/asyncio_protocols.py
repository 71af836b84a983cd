"""The protocol `asyncio`: any asyncio.Protocol, BufferedProtocol, or coroutine as for asyncio.start_server."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from corepool import DurationOrOff, Options, Size, hookimpl
from corepool.loading import LoadError, load_target
from corepool_hosting.facade import ConnectionTransport
from corepool_hosting.starters import Starter

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import CloseReason, Connection, Worker


_LAST_WORDS_S = 0.5
"""How long handlers may clean up when their worker ends: below the second that the master leaves it for its end."""


class AsyncioOptions(Options):
    """[listener.options] of protocol = "asyncio"."""

    target: Annotated[str, Field(pattern=r"^[^:]+:[^:]+$")]
    """As "module:attribute": a Protocol class, a factory of such, `async def handler(reader, writer)`, or
    `async def main()`, which calls loop.create_server or asyncio.start_server, itself or by a library."""

    directory: str = "."
    """Where modules are imported from first."""

    limit: Size = 65_536
    """For a handler with reader and writer: bytes of a line at most, as asyncio.start_server has it."""

    idle_after: DurationOrOff = 5.0
    """When its worker leaves, a connection on which nothing has come or gone for this long is taken for idle and
    closed: asyncio's protocols don't tell."""


class AsyncioProtocols:
    """Serve what was written for asyncio, in the worker's loop."""

    Options = AsyncioOptions

    try_it = "nc {host} {port}"

    def __init__(self, options: AsyncioOptions) -> None:
        self._options = options
        self._loop: asyncio.AbstractEventLoop
        self._make: Callable[[], asyncio.BaseProtocol]
        self._starter: Starter | None = None
        self._handlers: set[asyncio.Task[Any]] = set()

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._loop = worker.loop
        target: Any = load_target(self._options.target, self._options.directory)
        if not callable(target):
            raise LoadError(f"target = {self._options.target!r}: {type(target).__name__} can't be called")
        if not _is_coroutine_function(target):
            self._make = target
        elif _takes_nothing(target):
            self._starter = Starter(self._options.target, target)
            self._make = self._starter.start(self._loop)
        else:
            self._make = self._reader_protocol(target)

    @hookimpl
    def on_worker_stop(self) -> None:
        if self._starter is not None:
            self._starter.end(self._loop)
        if self._handlers:
            # Those that have met the end of their connection may still clean up.
            self._loop.run_until_complete(asyncio.wait(self._handlers, timeout=_LAST_WORDS_S))

    @hookimpl
    def on_accept(self, conn: Connection[ConnectionTransport]) -> None:
        conn.half_open = True  # whether it closes then is for eof_received to say
        conn.busy = True
        protocol = self._make()
        conn.session = ConnectionTransport(conn, self._loop, protocol)
        protocol.connection_made(conn.session)

    @hookimpl
    def on_readable(self, conn: Connection[ConnectionTransport]) -> None:
        conn.session.receive()

    @hookimpl
    def on_writable(self, conn: Connection[ConnectionTransport]) -> None:
        conn.session.resume_writing()

    @hookimpl
    def on_drain(self, conn: Connection[ConnectionTransport]) -> None:
        if self._starter is not None:
            self._starter.leave()
        if conn.closed:
            return
        left_s = self._options.idle_after - conn.session.quiet_s()
        if left_s <= 0:
            conn.close()
        else:
            self._loop.call_later(left_s, self.on_drain, conn)

    @hookimpl
    def on_close(self, conn: Connection[ConnectionTransport], reason: CloseReason) -> None:
        if conn.session is not None:  # else its protocol could not be made
            conn.session.lost(reason)

    def _reader_protocol(self, handler: Any) -> Callable[[], asyncio.BaseProtocol]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._handlers.add(task)
            try:
                await handler(reader, writer)
            finally:
                self._handlers.discard(task)

        def make() -> asyncio.BaseProtocol:
            reader = asyncio.StreamReader(self._options.limit, self._loop)
            return asyncio.StreamReaderProtocol(reader, handle, self._loop)

        return make


def _is_coroutine_function(target: object) -> bool:
    call = getattr(target, "__call__", None)  # noqa: B004  # of an object that is called like a function
    return inspect.iscoroutinefunction(target) or (not isinstance(target, type) and inspect.iscoroutinefunction(call))


def _takes_nothing(function: Callable[..., object]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(each.default is not each.empty or each.kind in catch_all for each in parameters)
