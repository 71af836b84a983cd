"""A protocol in threads: `handle` runs once for each connection, and may block as it likes.

The half-synchronous half of the pattern: the loop receives and sends for all connections, and threads work with what
it has received. Both directions are bounded: a handler that is slow makes its client wait, and a client that is slow
makes the handler wait. A connection has its thread from its first byte until `handle` returns; those beyond the number
of threads wait for one, with what they have sent.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from corepool.spec.hookspecs import hookimpl
from corepool.spec.options import Options
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Future

    from _typeshed import ReadableBuffer, WriteableBuffer

    from corepool.spec.connection import Connection
    from corepool.spec.types import Address, ThreadGauge
    from corepool.spec.worker import Worker

log = logging.getLogger(__name__)

_ENDS = frozenset({CloseReason.EOF, CloseReason.CLOSED, CloseReason.DRAIN, CloseReason.TIMEOUT})


class BlockingOptions(Options):
    """What every protocol in threads can be told; derive from it to add more."""

    threads: Annotated[int, Field(ge=1, le=1000)] = 16
    """Connections that are served at once, in each worker; more wait for a thread."""


class BlockingStream:
    """What `handle` reads and writes: as a socket (recv, sendall), or as files (rfile, wfile)."""

    def __init__(self, conn: Connection[BlockingStream], loop: asyncio.AbstractEventLoop, limit: int) -> None:
        """Wrap a connection.

        :param limit: bytes that wait for the other side, in each direction, before whoever makes them has to wait.
        """
        self._conn = conn
        self._loop = loop
        self._limit = limit
        self._changed = threading.Condition()
        self._input = bytearray()
        self._output: list[bytes] = []
        self._output_size = 0
        self._is_sending = False
        """The loop has been asked to send, and has not begun."""
        self._has_ended = False
        self._gone: CloseReason | None = None
        self._is_paused = False
        self._timeout_s: float | None = None
        self.peer: Address = conn.peer  # now: the kernel forgets the peer of a connection that was reset
        """The client's address."""
        self.local: Address = conn.local
        """The address that it has connected to."""
        self.leaving = False
        """The worker is leaving: what is begun may be finished, within the pool's `drain_timeout`."""
        self.rfile = io.BufferedReader(_Reader(self))
        """For read(n), readline() and iteration over lines."""
        self.wfile: io.RawIOBase = _Writer(self)
        """For write(data), which sends everything, and print(..., file=io.TextIOWrapper(wfile))."""

    # --- what the thread calls

    def settimeout(self, seconds: float | None) -> None:
        """Let reads and writes that wait longer raise TimeoutError; None: they wait for ever."""
        self._timeout_s = seconds

    def recv(self, limit: int) -> bytes:
        """Wait for input.

        :returns: `limit` bytes at most; b"" at the end.
        :raises ConnectionResetError: the connection is broken.
        :raises TimeoutError: nothing came in time.
        """
        with self._changed:
            if not self._input:
                self._set_busy(False)
                self._wait(lambda: bool(self._input) or self._has_ended or self._gone is not None)
                self._set_busy(True)
            if not self._input and self._gone is not None and self._gone not in _ENDS:
                raise ConnectionResetError(f"the connection is gone: {self._gone}")
            data = bytes(self._input[:limit])
            del self._input[:limit]
            if self._is_paused and len(self._input) * 2 < self._limit:
                self._is_paused = False
                self._call(self._conn.resume)
            return data

    def sendall(self, data: ReadableBuffer) -> None:
        """Send; wait while the peer takes too little.

        :raises BrokenPipeError: the connection is closed.
        :raises TimeoutError: the peer took nothing in time.
        """
        piece = bytes(data)
        with self._changed:
            self._wait(lambda: self._output_size <= self._limit or self._gone is not None)
            if self._gone is not None:
                raise BrokenPipeError(f"the connection is gone: {self._gone}")
            self._output.append(piece)
            self._output_size += len(piece)
            self._ask_to_send()

    def close(self) -> None:
        """Send what is left, then close; the end of `handle` does so too."""
        self._call(self._close)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        while not condition():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"nothing happened within {self._timeout_s:g} s")
            self._changed.wait(left)

    def _set_busy(self, busy: bool) -> None:  # noqa: FBT001
        self._conn.busy = busy  # an attribute that the loop reads now and then

    def _call(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            pass  # the worker has ended

    def _ask_to_send(self) -> None:
        if not self._is_sending:
            self._is_sending = True
            self._call(self.send)

    # --- what the loop calls

    def feed(self) -> None:
        """Take what has arrived."""
        data = self._conn.recv()
        with self._changed:
            self._input += data
            self._has_ended = self._has_ended or self._conn.eof
            if len(self._input) > self._limit and not self._is_paused:
                self._is_paused = True
                self._conn.pause()
            self._changed.notify_all()

    def send(self) -> None:
        """Send what the thread has made, as far as the peer takes it."""
        with self._changed:
            self._is_sending = False
            if self._conn.congested or self._gone is not None:
                return  # `on_writable` comes back to it
            output = b"".join(self._output)
            self._output.clear()
            self._output_size = 0
            self._changed.notify_all()
        self._conn.send(output)

    def lost(self, reason: CloseReason) -> None:
        """Wake the thread: the connection is gone."""
        with self._changed:
            self._gone = reason
            self._changed.notify_all()

    def _close(self) -> None:
        with self._changed:
            output = b"".join(self._output)
            self._output.clear()
        self._conn.send(output)
        self._conn.close()


class BlockingProtocol(ABC):
    """Derive from it and write `handle`. Hooks of your own with these names call `super()`."""

    Options: ClassVar[type[BlockingOptions]] = BlockingOptions

    input_limit: ClassVar[int] = 65_536
    """Bytes that wait in each direction before whoever makes them waits as well."""

    def __init__(self, options: BlockingOptions) -> None:
        self.options = options

    @abstractmethod
    def handle(self, stream: BlockingStream) -> None:
        """Serve one connection, which is closed when this returns.

        Runs in: worker, in one of its threads. When the connection is gone, or the drain of the worker is over, reads
        find the end or raise ConnectionError, and writes raise BrokenPipeError. A thread that does not heed that keeps
        no worker from ending.
        If it raises: a peer that has gone (ConnectionError) and TimeoutError end the connection quietly; anything else
        is logged with its traceback, and the connection aborted.
        """

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Begin; needed before the first connection."""
        self._loop = worker.loop
        self._gauge: ThreadGauge = worker.gauge_threads(self.options.threads)
        self._executor = ThreadPoolExecutor(self.options.threads, type(self).__name__)

    @hookimpl
    def on_worker_stop(self) -> None:
        """End; threads that still run are not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    @hookimpl
    def on_accept(self, conn: Connection[BlockingStream]) -> None:
        """Wait for a thread."""
        conn.half_open = True  # a client that has ended its side may still wait for its answer
        conn.busy = True
        conn.session = stream = BlockingStream(conn, self._loop, self.input_limit)
        self._gauge.waiting += 1
        future = self._executor.submit(self._run, conn, stream)
        future.add_done_callback(lambda done: self._ended(conn, done))

    @hookimpl
    def on_readable(self, conn: Connection[BlockingStream]) -> None:
        """Feed the stream."""
        conn.session.feed()

    @hookimpl
    def on_writable(self, conn: Connection[BlockingStream]) -> None:
        """Send what had to wait."""
        conn.session.send()

    @hookimpl
    def on_drain(self, conn: Connection[BlockingStream]) -> None:
        """Tell the stream."""
        conn.session.leaving = True

    @hookimpl
    def on_close(self, conn: Connection[BlockingStream], reason: CloseReason) -> None:
        """Wake the thread."""
        conn.session.lost(reason)

    def _run(self, conn: Connection[BlockingStream], stream: BlockingStream) -> None:
        self._call(self._begun)
        try:
            self.handle(stream)
        except (ConnectionError, TimeoutError) as error:
            log.debug("connection ended listener=%s conn=%d: %r", conn.listener, conn.id, error)
        except Exception:
            log.exception("handler failed listener=%s conn=%d peer=%s", conn.listener, conn.id, stream.peer)
            self._call(conn.abort)
        else:
            stream.close()
            return
        stream.close()

    def _begun(self) -> None:
        self._gauge.waiting -= 1
        self._gauge.busy += 1

    def _ended(self, conn: Connection[BlockingStream], done: Future[None]) -> None:
        if not done.cancelled():
            self._call(lambda: self._count_end(conn))

    def _count_end(self, conn: Connection[BlockingStream]) -> None:
        self._gauge.busy -= 1
        conn.busy = False

    def _call(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            pass  # the worker has ended


class _Reader(io.RawIOBase):
    def __init__(self, stream: BlockingStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data = self._stream.recv(len(view))
        view[: len(data)] = data
        return len(data)


class _Writer(io.RawIOBase):
    def __init__(self, stream: BlockingStream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        self._stream.sendall(data)
        return memoryview(data).nbytes
