"""The protocol `asyncio`: any asyncio.Protocol, BufferedProtocol, or coroutine as for asyncio.start_server."""

from __future__ import annotations

import asyncio
import inspect
import socketserver
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal

from corepool import DurationOrOff, Options, Size, hookimpl
from corepool.plugins.loading import LoadError, load_target
from corepool_hosting import foreign_loops
from corepool_hosting.facade import ConnectionTransport
from corepool_hosting.starters import Starter
from corepool_hosting.targets import Target, required_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import CloseReason, Connection, Worker


class AsyncioOptions(Options):
    """[listener.options] of protocol = "asyncio"."""

    target: Target
    """As "module:attribute": a Protocol class, a factory of one, `def` or `async def handler(reader, writer)`, or
    `async def main()`, which calls loop.create_server or asyncio.start_server, itself or through a library."""

    directory: str = "."
    """Where modules are imported from first."""

    limit: Size = 65_536
    """For a handler with reader and writer: bytes of a line at most, as the `limit` of asyncio.start_server."""

    idle_after: DurationOrOff = 5.0
    """When its worker leaves, a connection on which nothing has come or gone for this long is taken for idle and
    closed: asyncio's protocols don't tell."""


class AsyncioProtocols:
    """Serve code written for asyncio, in the worker's loop."""

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
        try:
            kind = kind_of(target)
        except TypeError as error:
            raise LoadError(f"target = {self._options.target!r}: {error}") from None
        if kind == "factory":
            self._make = target
            if not isinstance(target, type):
                self._try_factory(target)
        elif kind == "main":
            self._starter = Starter(self._options.target, target, worker)
            with foreign_loops.refused(self._options.target):
                self._make = self._starter.start()
        else:
            self._make = self._reader_protocol(target)

    @hookimpl
    def on_worker_stop(self, worker: Worker) -> None:
        if self._starter is not None:
            self._starter.end()
        handlers = list(self._handlers)  # some may end before the wait begins
        if handlers:
            # Those that have met the end of their connection may still clean up.
            self._loop.run_until_complete(asyncio.wait(handlers, timeout=worker.last_words_s()))

    @hookimpl
    def on_accept(self, conn: Connection[ConnectionTransport]) -> None:
        conn.half_open = True  # whether it closes then is for eof_received to say
        conn.busy = True
        context = copy_context()  # as asyncio has it, one for each connection
        protocol = context.run(self._make)
        conn.session = ConnectionTransport(conn, self._loop, protocol, context)
        context.run(protocol.connection_made, conn.session)

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
        left_s = self._options.idle_after - conn.session.idle_s()
        if left_s <= 0:
            conn.close()
        else:
            self._loop.call_later(left_s, self.on_drain, conn)

    @hookimpl
    def on_close(self, conn: Connection[ConnectionTransport], reason: CloseReason) -> None:
        if conn.session is not None:  # else its protocol could not be made
            conn.session.lost(reason)

    def _try_factory(self, factory: Callable[[], object]) -> None:
        """Make a protocol for no connection: a function that makes none would fail at each of them.

        :raises LoadError: it makes something else.
        """

        async def make() -> object:
            return factory()

        with foreign_loops.refused(self._options.target):
            made = self._loop.run_until_complete(make())
        if not hasattr(made, "connection_made"):
            raise LoadError(
                f"target = {self._options.target!r}: it has returned {made!r}; expected a protocol of asyncio"
            )

    def _reader_protocol(self, handler: Any) -> Callable[[], asyncio.BaseProtocol]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._handlers.add(task)
            try:
                result = handler(reader, writer)
                if inspect.isawaitable(result):
                    await result
            except BaseException as error:  # noqa: BLE001  # as asyncio from 3.12 on, and SystemExit ends no worker
                writer.close()
                if not (isinstance(error, asyncio.CancelledError) and task.cancelling()):
                    self._loop.call_exception_handler(
                        {"message": "Unhandled exception in client_connected_cb", "exception": error}
                    )
            finally:
                self._handlers.discard(task)

        def make() -> asyncio.BaseProtocol:
            reader = asyncio.StreamReader(self._options.limit, self._loop)
            return asyncio.StreamReaderProtocol(reader, handle, self._loop)

        return make


def kind_of(target: object) -> Literal["factory", "handler", "main"]:
    """Return a target's kind: a "factory" of protocols, a "handler" of reader and writer, or a "main" with a server.

    :raises TypeError: it is none of them, so every connection would fail; the message says what to do.
    """
    if not callable(target):
        raise TypeError(f"{type(target).__name__} can't be called")
    required = required_parameters(target)
    if isinstance(target, type):
        if issubclass(target, socketserver.BaseRequestHandler):
            raise TypeError('a class of socketserver; serve it with protocol = "socketserver"')
        if not (
            hasattr(target, "connection_made") and (hasattr(target, "data_received") or hasattr(target, "get_buffer"))
        ):
            raise TypeError("no class derived from asyncio.Protocol or asyncio.BufferedProtocol")
        if required:
            raise TypeError(
                f"it can't be made without {', '.join(required)}: name a function instead that makes one, "
                f"`def make(): return {target.__name__}(...)`"
            )
        return "factory"
    if len(required) == 2:  # reader and writer
        return "handler"
    if required:
        raise TypeError(f"it wants {', '.join(required)}: expected (reader, writer), or nothing")
    is_coroutine = inspect.iscoroutinefunction(inspect.unwrap(target)) or inspect.iscoroutinefunction(target.__call__)
    return "main" if is_coroutine else "factory"
