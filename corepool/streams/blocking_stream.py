"""The stream of a BlockingProtocol: files and a socket's calls for threads, hooks for the reactor, a lock in between.

Threads never touch the connection: they leave their output in the outbox and have the loop called. The lock is held for
moments, and only its own conditions are waited for under it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from corepool.streams.blocking_files import ReadFile, WriteFile
from corepool.streams.endings import CUT_BY_WORKER, is_end
from corepool.streams.errors import BrokenError, DeadlineError, EndedError, GoneError
from corepool.streams.inbox import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed import ReadableBuffer

    from corepool.spec.connection import Connection
    from corepool.spec.types import Address, CloseReason
    from corepool.streams.threads import Job, Mailbox

_PIECE = 65_536
"""Bytes that one wait for the peer may bring or take: far below `output_limit`, which ends a connection."""


class BlockingStream:
    """The stream for `handle`: as a socket (recv, sendall), as files (rfile, wfile), or line by line."""

    def __init__(self, conn: Connection[BlockingStream], mailbox: Mailbox, limit: int, *, answers: bool) -> None:
        """Wrap a connection.

        :param limit: bytes of a line at most; and bytes that may wait in each direction (of input, twice as many)
            before their sender has to wait.
        :param answers: input that was taken, with nothing sent since, counts as something begun.
        """
        self._conn = conn
        self._mailbox = mailbox
        self._limit = limit
        self._inbox = Inbox(limit)
        self._outbox: deque[bytes] = deque()
        self._outbox_size = 0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._taken = threading.Condition(self._lock)
        self._is_sending = False
        """The loop has been asked to send, and has not begun."""
        self._ends_output = False
        self._closes = False
        self._is_paused = False
        self._is_idle = False
        """Its thread waits for the first byte of something."""
        self._answers = answers
        self._owes = False
        """It has taken input since its last output, and `answers`."""
        self._gone: CloseReason | None = None
        self.job: Job | None = None
        """The job that has a thread serve it."""
        self._timeout_s: float | None = None
        # Asked now: the kernel forgets the peer of a connection that was reset, and by the time that a thread asked,
        # the descriptor could be another connection's.
        self.peer: Address = conn.peer
        """The client's address."""
        self.local: Address = conn.local
        """The address that the client connected to."""
        self.listener = conn.listener
        """The name of the listener that it came in by."""
        self.draining = False
        """The worker is leaving: a request that has begun may be finished, within the pool's `drain_timeout`."""

    # --- what the thread calls

    @property
    def rfile(self) -> ReadFile:
        """A file for read(n), readline() and iteration over lines. Closing it closes nothing else."""
        return ReadFile(self)  # made anew: kept, it would form a cycle, and every connection need the collector

    @property
    def wfile(self) -> WriteFile:
        """A file for write(data), which sends everything, and print(..., file=io.TextIOWrapper(wfile))."""
        return WriteFile(self)

    @property
    def closed(self) -> bool:
        """True once nothing can be sent any more."""
        return self._closes or self._gone is not None

    def settimeout(self, seconds: float | None) -> None:
        """Let reads and writes that wait longer raise TimeoutError; None: they wait for ever."""
        if seconds is not None and seconds <= 0:
            raise ValueError(f"settimeout: expected more than 0 seconds, or None; got {seconds:g}")
        self._timeout_s = seconds

    def gettimeout(self) -> float | None:
        """Return the time-out in seconds that `settimeout` has set."""
        return self._timeout_s

    def recv(self, limit: int, *, begun: bool = False) -> bytes:
        """Wait for input.

        :param begun: the handler already has a part of what it waits for: a worker that leaves then waits, too.
        :returns: `limit` bytes at most; b"" at the end.
        :raises ConnectionResetError: the connection is broken; all reads raise this.
        :raises TimeoutError: nothing came in time; all reads raise this.
        """
        if limit < 0:
            raise ValueError(f"recv: expected 0 bytes or more; got {limit}")
        return self.take(lambda inbox: inbox.take_some(limit), begun=begun) if limit else b""

    def readline(self, *, begun: bool = False) -> bytes:
        """Read a line with its line break; at the end the rest, and then b"".

        :param begun: as for `recv`.
        :raises ValueError: it is longer than the limit; the part that has arrived is dropped.
        """
        return self.take(Inbox.take_line, begun=begun)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def readexactly(self, n: int, *, begun: bool = False) -> bytes:
        """Read `n` bytes.

        :param begun: as for `recv`: for the body of a message whose header was read, say.
        :raises asyncio.IncompleteReadError: the peer has ended before.
        """
        if n < 0:
            raise ValueError(f"readexactly: expected 0 bytes or more; got {n}")
        taken = self.gather(n, begun=begun)
        if len(taken) < n:
            raise EndedError(taken, n)
        return taken

    def readuntil(self, separator: bytes = b"\n", *, begun: bool = False) -> bytes:
        """Read until a separator, and with it.

        :param begun: as for `recv`.
        :raises asyncio.IncompleteReadError: the peer has ended before.
        :raises asyncio.LimitOverrunError: it doesn't come within the limit.
        """
        if not separator:
            raise ValueError("an empty separator separates nothing")
        return self.take(lambda inbox: inbox.take_until(separator), begun=begun)

    def take(self, attempt: Callable[[Inbox], bytes | None], *, begun: bool = False) -> bytes:
        """Try `attempt` on the inbox until it gives something, and wait for more in between.

        :param begun: this read has taken a part already.
        """
        with self._lock:
            taken = attempt(self._inbox)
            if taken is None:
                give_up = self._give_up_at()
                while taken is None:
                    self._wait_for_input(give_up, begun=begun)
                    taken = attempt(self._inbox)
            if taken and self._answers:
                self._owes = True
            return taken

    def gather(self, size: int, *, line: bool = False, begun: bool = False) -> bytes:
        """Take `size` bytes, or a line of that many at most; fewer only at the end.

        :raises OSError: as `recv`; what came before it is there for the next read.
        """
        attempt = Inbox.take_line_of if line else Inbox.take_some
        pieces: list[bytes] = []
        left = size
        try:
            while left:
                piece = self.take(lambda inbox: attempt(inbox, left), begun=begun or bool(pieces))  # noqa: B023  # at once
                pieces.append(piece)
                left -= len(piece)
                if not piece or (line and piece.endswith(b"\n")):
                    break
        except BaseException:
            with self._lock:
                self._inbox.put_back(pieces)
            raise
        return b"".join(pieces)

    def sendall(self, data: ReadableBuffer) -> None:
        """Send; wait while the peer takes too little.

        :raises BrokenPipeError: the connection is closed.
        :raises TimeoutError: the peer took nothing in time.
        """
        view = memoryview(data).cast("B")
        with self._lock:
            for start in range(0, len(view), _PIECE):
                if self._outbox_size > self._limit:
                    self._wait_for_room()
                if self._gone is not None:
                    raise BrokenError(f"the connection is gone: {self._gone}")
                if self._closes or self._ends_output:
                    raise BrokenError("this side has been ended")
                piece = bytes(view[start : start + _PIECE])
                self._outbox.append(piece)
                self._outbox_size += len(piece)
                self._owes = False
                self._ask_to_send()

    def write_eof(self) -> None:
        """End this side once all sent bytes have left; the peer may go on."""
        with self._lock:
            self._ends_output = True
            self._ask_to_send()

    def close(self) -> None:
        """Send buffered output, then close; the end of `handle` does so too."""
        with self._lock:
            self._closes = True
            self._ask_to_send()

    def abort(self) -> None:
        """Close at once, and drop unsent output."""
        with self._lock:
            self._closes = True
        self._mailbox.post(self._abort)

    def _give_up_at(self) -> float | None:
        return None if self._timeout_s is None else time.monotonic() + self._timeout_s

    def _wait_for_input(self, give_up: float | None, *, begun: bool) -> None:
        inbox = self._inbox
        if self._gone is not None:
            raise GoneError(f"the connection is gone: {self._gone}")
        if self._is_paused:
            # However much is there, it was not enough.
            self._is_paused = False
            self._mailbox.post(self._conn.resume)
        seen = len(inbox.data)
        # Between two requests: a worker that leaves need not wait for this connection.
        self._is_idle = not (begun or seen or self._owes)
        # Its output may still wait here for the loop, which notes when it has left: see `send`.
        self._conn.busy = not self._is_idle or self._outbox_size > 0
        try:
            while len(inbox.data) == seen and not inbox.is_ended and self._gone is None:
                self._wait(self._arrived, give_up)
        finally:
            self._is_idle = False
            self._conn.busy = True

    def _wait_for_room(self) -> None:
        give_up = self._give_up_at()
        while self._outbox_size > self._limit and self._gone is None:
            self._wait(self._taken, give_up)

    def _wait(self, condition: threading.Condition, give_up: float | None) -> None:
        if give_up is None:
            condition.wait()
            return
        left_s = give_up - time.monotonic()
        if left_s <= 0:
            raise DeadlineError(f"nothing happened within {self._timeout_s:g} s")
        condition.wait(left_s)

    def _ask_to_send(self) -> None:
        if not self._is_sending:
            self._is_sending = True
            self._mailbox.post(self.send)

    # --- what the protocol calls, in the thread

    def begin(self) -> bool:
        """Note that it has a thread now; False if there is nothing to do."""
        with self._lock:
            if self.is_void():
                return False
            self._conn.busy = True
            return True

    def is_void(self) -> bool:
        """Return whether no thread need serve it: the client has gone without a word, or the worker has cut it."""
        return self._gone in CUT_BY_WORKER or (self._gone is not None and not self._inbox.data)

    def is_cut(self) -> bool:
        """Return whether the worker, not the peer, has caused the end that reads find."""
        return self._gone in CUT_BY_WORKER

    # --- what the protocol calls, in the loop

    def feed(self) -> None:
        """Receive into the inbox."""
        conn, inbox = self._conn, self._inbox
        with self._lock:
            if self._is_paused:  # an extension that had paused it, too, has resumed it
                conn.pause()
                return
        data = conn.recv()
        if not data and not conn.eof:
            return
        with self._lock:
            if data:
                conn.busy = True  # with or without a thread: it has asked for something
                inbox.data += data
            inbox.is_ended = inbox.is_ended or conn.eof
            if inbox.full:
                self._is_paused = True
                conn.pause()
            self._arrived.notify()

    def send(self) -> None:
        """Send the thread's output, as far as the peer takes it; then end the sides that the thread has ended."""
        conn = self._conn
        with self._lock:
            self._is_sending = False
            while self._outbox and not conn.congested:
                piece = self._outbox.popleft()
                self._outbox_size -= len(piece)
                conn.send(piece)
            if self._outbox and not conn.closed:
                return  # `on_writable` comes back to it
            self._taken.notify()
            if self._is_idle:
                conn.busy = False
            if self._closes:
                self._inbox.forget()
                conn.busy = False
                conn.close()
                if self._is_paused:
                    conn.resume()  # or a peer that hangs up before it has taken everything would not be noticed
            elif self._ends_output:
                conn.send_eof()

    def lost(self, reason: CloseReason) -> None:
        """Wake the thread: the connection is gone."""
        with self._lock:
            self._gone = reason
            if is_end(reason, busy=self._conn.busy):
                self._inbox.is_ended = True
            self._outbox.clear()
            self._outbox_size = 0
            self._arrived.notify_all()
            self._taken.notify_all()

    def _abort(self) -> None:
        self._conn.busy = False
        self._conn.abort()
