"""A protocol as a coroutine: `handle` runs once for each connection, beside all others, in the worker's loop."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from corepool.spec.hookspecs import hookimpl
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from corepool.spec.connection import Connection
    from corepool.spec.types import Address
    from corepool.spec.worker import Worker

log = logging.getLogger(__name__)

_ENDS = frozenset({CloseReason.EOF, CloseReason.CLOSED, CloseReason.DRAIN, CloseReason.TIMEOUT})
"""Ends after which a read finds the end of the stream; after the others it raises ConnectionResetError."""


class Stream:
    """What `handle` reads and writes. Reading is asyncio.StreamReader's, errors included."""

    def __init__(self, conn: Connection[Stream], loop: asyncio.AbstractEventLoop, limit: int) -> None:
        """Wrap a connection.

        :param limit: bytes of a line at most; twice as many are read ahead.
        """
        self._conn = conn
        self._loop = loop
        self._reader = asyncio.StreamReader(limit, loop)
        self._reader.set_transport(_Valve(conn))
        self._held = 0
        """Bytes that were received and not read yet: with none, a handler that reads is between requests."""
        self._drained: asyncio.Future[None] | None = None
        self.leaving = False
        """The worker is leaving: what is begun may be finished, within the pool's `drain_timeout`."""

    @property
    def peer(self) -> Address:
        """The client's address."""
        return self._conn.peer

    @property
    def local(self) -> Address:
        """The address that it has connected to."""
        return self._conn.local

    @property
    def closed(self) -> bool:
        """True once nothing can be sent any more."""
        return self._conn.closed

    async def read(self, n: int = -1) -> bytes:
        """Read `n` bytes at most, at least one; b"" at the end. -1: everything until the end."""
        return await self._read(self._reader.read(n))

    async def readline(self) -> bytes:
        """Read a line with its line break; what there is at the end, and then b"".

        :raises ValueError: it is longer than the limit.
        """
        return await self._read(self._reader.readline())

    async def readexactly(self, n: int) -> bytes:
        """Read `n` bytes.

        :raises asyncio.IncompleteReadError: the peer has ended before.
        """
        return await self._read(self._reader.readexactly(n))

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Read until a separator, and with it.

        :raises asyncio.IncompleteReadError: the peer has ended before.
        :raises asyncio.LimitOverrunError: it doesn't come within the limit.
        """
        return await self._read(self._reader.readuntil(separator))

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    def write(self, data: bytes) -> None:
        """Send. After a closed connection nothing happens; `drain` tells."""
        self._conn.send(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self._conn.send(b"".join(pieces))

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was sent: to be called by whoever sends much.

        :raises ConnectionResetError: the connection is closed.
        """
        if self._conn.closed:
            raise ConnectionResetError("the connection is closed")
        if self._conn.congested:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    def close(self) -> None:
        """Send what is left, then close; the end of `handle` does so too."""
        self._conn.close()

    def deadline(self, seconds: float | None) -> asyncio.Timeout:
        """Limit the time of a block: `async with stream.deadline(5): ...` raises TimeoutError when it is over."""
        return asyncio.timeout(seconds)

    # --- what the protocol calls

    def feed(self) -> None:
        """Take what has arrived."""
        data = self._conn.recv()
        if data:
            self._held += len(data)
            self._reader.feed_data(data)
        elif self._conn.eof:
            self._reader.feed_eof()

    def has_room(self) -> None:
        """Let `drain` return."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def lost(self, reason: CloseReason) -> None:
        """Let reads and writes know that the connection is gone."""
        error = ConnectionResetError(f"the connection is gone: {reason}")
        if reason in _ENDS:
            self._reader.feed_eof()
        else:
            self._reader.set_exception(error)
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_exception(error)
            drained.exception()  # it may be that nobody waits any more

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        self._conn.busy = self._held > 0
        try:
            data = await reading
        except asyncio.IncompleteReadError as error:
            self._held -= len(error.partial)
            raise
        finally:
            self._conn.busy = True
        self._held -= len(data)
        return data


class StreamProtocol(ABC):
    """Derive from it and write `handle`. Hooks of your own with these names call `super()`."""

    input_limit: ClassVar[int] = 65_536
    """Bytes of a line at most; twice as many are read ahead, then the client waits."""

    @abstractmethod
    async def handle(self, stream: Stream) -> None:
        """Serve one connection, which is closed when this returns.

        Runs in: worker, as a Task of its own. Cancelled, with the reason as its message, when the drain of the worker
        is over; one that waits for input then finds the end of the stream instead.
        If it raises: a peer that has gone (ConnectionError, IncompleteReadError) and TimeoutError end the connection
        quietly; anything else is logged with its traceback, and the connection aborted.
        """

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Begin; needed before the first connection."""
        self._loop = worker.loop
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @hookimpl
    def on_accept(self, conn: Connection[Stream]) -> None:
        """Start `handle`."""
        conn.half_open = True  # a client that has ended its side may still wait for its answer
        conn.busy = True
        conn.session = Stream(conn, self._loop, self.input_limit)
        self._tasks[conn.id] = self._loop.create_task(self._run(conn, conn.session))

    @hookimpl
    def on_readable(self, conn: Connection[Stream]) -> None:
        """Feed the stream."""
        conn.session.feed()

    @hookimpl
    def on_writable(self, conn: Connection[Stream]) -> None:
        """Let `drain` return."""
        conn.session.has_room()

    @hookimpl
    def on_drain(self, conn: Connection[Stream]) -> None:
        """Tell the stream."""
        conn.session.leaving = True

    @hookimpl
    def on_close(self, conn: Connection[Stream], reason: CloseReason) -> None:
        """Let `handle` come to its end."""
        conn.session.lost(reason)
        task = self._tasks.get(conn.id)
        if task is not None and reason is CloseReason.DRAIN and conn.busy:
            task.cancel("the worker is leaving, and its drain is over")

    async def _run(self, conn: Connection[Stream], stream: Stream) -> None:
        listener, number = conn.listener, conn.id
        try:
            await self.handle(stream)
        except asyncio.CancelledError:
            conn.abort()
            raise
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError) as error:
            log.debug("connection ended listener=%s conn=%d: %r", listener, number, error)
            conn.close()
        except Exception:
            log.exception("handler failed listener=%s conn=%d peer=%s", listener, number, conn.peer)
            conn.abort()
        else:
            conn.close()
        finally:
            conn.busy = False
            del self._tasks[number]


class _Valve(asyncio.ReadTransport):
    """Stops and starts the input of a connection, as asyncio.StreamReader asks for it."""

    def __init__(self, conn: Connection[Stream]) -> None:
        super().__init__()
        self._conn = conn

    def pause_reading(self) -> None:
        self._conn.pause()

    def resume_reading(self) -> None:
        self._conn.resume()
