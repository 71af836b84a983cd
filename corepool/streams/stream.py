"""The stream of a StreamProtocol: reads and writes of one task, hooks of the reactor, both in the worker's loop."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from corepool.streams.deadline import Deadline
from corepool.streams.endings import is_end
from corepool.streams.errors import EndedError, GoneError
from corepool.streams.inbox import Inbox

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from _typeshed import FileDescriptorLike, ReadableBuffer

    from corepool.spec.connection import Connection
    from corepool.spec.types import Address, CloseReason

_PIECE = 65_536
"""Bytes that `read` without a number takes at once."""


class Stream:
    """The stream for `handle`. Reads are those of asyncio.StreamReader, errors included; only one task reads."""

    __slots__ = (
        "_conn",
        "_drained",
        "_error",
        "_held",
        "_inbox",
        "_is_idle",
        "_is_paused",
        "_is_securing",
        "_loop",
        "_waiter",
        "draining",
        "write",
    )

    write: Callable[[ReadableBuffer], None]
    """Send after everything that was written before. Never waits: that is what `drain` is for. Does nothing on a
    closed connection; `drain` tells."""

    def __init__(self, conn: Connection[Stream], loop: asyncio.AbstractEventLoop, limit: int) -> None:
        """Wrap a connection.

        :param limit: bytes of a line at most; twice as many are read ahead.
        """
        self._conn = conn
        self._loop = loop
        self._inbox = Inbox(limit)
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._error: ConnectionError | None = None
        self._is_paused = False
        self._is_securing = False
        self._is_idle = False
        """Its reader waits for the first byte of something."""
        self._held = 0
        """How many blocks of `busy` it is in."""
        self.write = conn.send
        self.draining = False
        """The worker is leaving: a request that has begun may be finished, within the pool's `drain_timeout`."""

    @property
    def peer(self) -> Address:
        """The client's address."""
        return self._conn.peer

    @property
    def local(self) -> Address:
        """The address that the client connected to."""
        return self._conn.local

    @property
    def facts(self) -> Mapping[str, object]:
        """Facts about the connection beside its addresses, such as the version of TLS: see `corepool.Facts`."""
        return self._conn.facts

    @property
    def closed(self) -> bool:
        """True once nothing can be sent any more."""
        return self._conn.closed

    async def read(self, n: int = -1, *, begun: bool = False) -> bytes:
        """Read `n` bytes at most, at least one; b"" at the end. -1: everything until the end.

        :param begun: the handler already has a part of the message: a worker that leaves then waits for the rest.
        :raises ConnectionResetError: the connection is broken; all reads raise this.
        """
        if n < 0:
            pieces: list[bytes] = []
            try:
                while piece := await self.read(_PIECE, begun=begun or bool(pieces)):
                    pieces.append(piece)
            except BaseException:
                self._inbox.put_back(pieces)
                raise
            return b"".join(pieces)
        if not n:
            return b""
        while (taken := self._inbox.take_some(n)) is None:
            await self._arrival(begun=begun)
        return taken

    async def readline(self, *, begun: bool = False) -> bytes:
        """Read a line with its line break; at the end the rest, and then b"".

        :param begun: as for `read`.
        :raises ValueError: it is longer than the limit; the part that has arrived is dropped.
        """
        take_line = self._inbox.take_line
        while (taken := take_line()) is None:
            await self._arrival(begun=begun)
        return taken

    async def readexactly(self, n: int, *, begun: bool = False) -> bytes:
        """Read `n` bytes.

        :param begun: as for `read`: for the body of a message whose header was read, say.
        :raises asyncio.IncompleteReadError: the peer has ended before.
        """
        if n < 0:
            raise ValueError("readexactly size can not be less than zero")
        inbox = self._inbox
        pieces: list[bytes] = []
        left = n
        try:
            while left > len(inbox.data) and not inbox.is_ended:
                if inbox.full:  # the inbox takes no more until this part is taken
                    pieces.append(inbox.take(left))
                    left -= len(pieces[-1])
                await self._arrival(begun=begun or left < n)
        except BaseException:
            inbox.put_back(pieces)
            raise
        pieces.append(inbox.take(left))
        taken = b"".join(pieces)
        if len(taken) < n:
            raise EndedError(taken, n)
        return taken

    async def readuntil(self, separator: bytes = b"\n", *, begun: bool = False) -> bytes:
        """Read until a separator, and with it.

        :param begun: as for `read`.
        :raises asyncio.IncompleteReadError: the peer has ended before.
        :raises asyncio.LimitOverrunError: it doesn't come within the limit.
        """
        if not separator:
            raise ValueError("Separator should be at least one-byte string")
        while (taken := self._inbox.take_until(separator)) is None:
            await self._arrival(begun=begun)
        return taken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        # As readline, without a second coroutine around each line.
        take_line = self._inbox.take_line
        while (line := take_line()) is None:
            await self._arrival()
        if not line:
            raise StopAsyncIteration
        return line

    def at_eof(self) -> bool:
        """Return whether the peer has ended and everything was read."""
        return self._inbox.is_ended and not self._inbox.data

    def writelines(self, pieces: Iterable[ReadableBuffer]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(pieces))

    def sendfile(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file after everything that was written before; see `Connection.sendfile`."""
        self._conn.sendfile(file, offset, count)

    async def drain(self) -> None:
        """Wait until the peer has taken most of the output: for handlers that send much.

        :raises ConnectionResetError: the connection is closed.
        """
        if self._conn.closed:
            raise self._error or GoneError("the connection is closed")
        if self._conn.congested:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    async def start_tls(self, context: ssl.SSLContext | None = None) -> None:
        r"""Begin TLS on a connection that began in the clear (STARTTLS), and wait until it is open.

            stream.write(b"220 ready\r\n")
            await stream.start_tls()

        Output that was written before leaves in the clear first. Input that has come until then is dropped: an attacker
        in between could have put it there. So write the answer right before, and await nothing in between: if it has
        left already, the unread input is taken for the client's handshake, which bytes in the clear then make fail.

        :param context: with a certificate; it should be made once, in the protocol's `__init__`. None: with the
            certificates of the listener (`tls://HOST:PORT?cert=...&starttls=true`).
        :raises ConnectionResetError: the handshake has failed, or took more than 10 s; the connection is gone.
        :raises RuntimeError: the connection is encrypted already, this side has been ended, there is no certificate,
            or another task reads.
        """
        conn = self._conn
        if self._waiter is not None:
            raise RuntimeError("another coroutine is already waiting for incoming data")
        if conn.closed:
            raise self._error or GoneError("the connection is closed")
        conn.start_tls(context, received=bytes(self._inbox.data))
        self._inbox.forget()
        self._inbox.is_ended = False  # TLS meets the end by itself
        self._is_securing = True
        if self._is_paused:
            self._is_paused = False
            conn.resume()
        conn.busy = True
        while self._is_securing and self._error is None:
            self._waiter = waiter = self._loop.create_future()
            try:
                await waiter
            finally:
                self._waiter = None
        if self._is_securing:
            raise GoneError(f"TLS has not been established: {self._error}")

    def write_eof(self) -> None:
        """End this side once all written bytes have left; the peer may go on."""
        self._conn.send_eof()

    def close(self) -> None:
        """Send buffered output, then close; the end of `handle` does so too."""
        self._conn.close()

    def abort(self) -> None:
        """Close at once, and drop unsent output."""
        self._conn.abort()

    def deadline(self, seconds: float | None) -> Deadline:
        """Limit the time of a block: `async with stream.deadline(5): ...` raises TimeoutError when that is over."""
        return Deadline(seconds)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Have a worker that leaves wait for a block: `with stream.busy(): ...`.

        For handlers that read in one task and answer in others: while it waits for input, such a handler seems idle.
        """
        self._held += 1
        self._conn.busy = True
        try:
            yield
        finally:
            self._held -= 1
            if self._is_idle and not self._held:
                self._conn.busy = False

    # --- what the protocol calls

    def feed(self) -> None:
        """Receive into the inbox."""
        conn, inbox = self._conn, self._inbox
        if self._is_paused:  # an extension that had paused it, too, has resumed it
            conn.pause()
            return
        data = conn.recv()
        if data:
            conn.busy = True  # also while its reader waits for the rest of a message
            inbox.data += data
            if inbox.full:
                self._is_paused = True
                conn.pause()
        elif conn.eof:
            inbox.is_ended = True
        else:
            return
        self._wake_reader()

    def secured(self) -> None:
        """Let `start_tls` return."""
        self._is_securing = False
        self._wake_reader()

    def has_room(self) -> None:
        """Let `drain` return."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def lost(self, reason: CloseReason) -> None:
        """Fail waiting reads and writes: the connection is gone."""
        error = self._error = GoneError(f"the connection is gone: {reason}")
        if is_end(reason, busy=self._conn.busy):
            self._inbox.is_ended = True
        self._wake_reader()
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_exception(error)
            drained.exception()  # or asyncio logs it as never retrieved, if the waiting task was cancelled

    def forget_input(self) -> None:
        """Drop the input, now and later: the handler has returned."""
        self._inbox.forget()
        if self._is_paused:
            self._conn.resume()  # or a peer that hangs up before it has taken everything would not be noticed

    def _wake_reader(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def _arrival(self, *, begun: bool = False) -> None:
        """Wait until something has arrived.

        :param begun: this read has taken a part from the inbox already.
        :raises ConnectionResetError: the connection is gone.
        """
        conn = self._conn
        if self._error is not None:
            raise self._error
        if self._waiter is not None:
            raise RuntimeError("another coroutine is already waiting for incoming data")
        if self._is_paused:
            # However much is there, it was not enough.
            self._is_paused = False
            conn.resume()
        # Between two requests: a worker that leaves need not wait for this connection.
        self._is_idle = not (begun or self._inbox.data)
        conn.busy = not self._is_idle or self._held > 0
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None
            self._is_idle = False
            conn.busy = True
