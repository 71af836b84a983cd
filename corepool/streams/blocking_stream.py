"""The stream of a BlockingProtocol: files and a socket's calls for threads, hooks for the reactor, a lock in between.

Threads never touch the connection: they leave their output in the outbox and have the loop called. The lock is held for
moments, and only its own conditions are waited for under it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from corepool.streams.arrivals import Arrivals, wait_on
from corepool.streams.blocking_files import ReadFile, WriteFile
from corepool.streams.blocking_reads import BlockingReads
from corepool.streams.blocking_tls import Handshake
from corepool.streams.endings import CUT_BY_WORKER, is_end
from corepool.streams.errors import BrokenError, GoneError
from corepool.streams.inbox import Inbox

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from _typeshed import ReadableBuffer

    from corepool.spec.connection import Connection
    from corepool.spec.types import Address, CloseReason
    from corepool.streams.threads import Job, Mailbox


_PIECE = 65_536
"""Bytes that one wait for the peer may bring or take: far below `output_limit`, which ends a connection."""


class BlockingStream(BlockingReads):
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
        self._arrived = Arrivals(self._lock)
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
        self._fed = self._fed_before = 0
        """Bytes that have come, and those of them that came before the last output left for the connection."""
        self._handshake: Handshake | None = None
        self._gone: CloseReason | None = None
        self.job: Job | None = None
        """The job that has a thread serve it."""
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
    def facts(self) -> Mapping[str, object]:
        """As of `Stream`."""
        return self._conn.facts

    @property
    def closed(self) -> bool:
        """True once nothing can be sent any more."""
        return self._closes or self._gone is not None

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
            if self._arrived.is_watched:
                self._show_rest()
            return taken

    def put_back(self, pieces: list[bytes]) -> None:
        """Put pieces back, for the next read."""
        with self._lock:
            self._inbox.put_back(pieces)
            if self._arrived.is_watched and self._inbox.data:  # the read that took them has said that none is left
                self._arrived.notify()

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

    def start_tls(self, context: ssl.SSLContext | None = None) -> None:
        """Begin TLS on a connection that began in the clear (STARTTLS), and wait until it is open.

        All that was sent leaves before. Input that has come until then is dropped: an attacker could have put it there.

        :param context: as for `Stream.start_tls`.
        :raises ConnectionResetError: the handshake has failed, or took more than 10 s; or the connection is gone.
        :raises TimeoutError: it took longer than `settimeout` says.
        :raises RuntimeError: the connection is encrypted already, this side has been ended, or there is no certificate.
        """
        with self._lock:
            if self.closed:
                raise GoneError("the connection is closed")
            self._handshake = Handshake(lambda received: self._conn.start_tls(context, received=received))
            self._mailbox.post(self._start_tls)
            give_up = self._give_up_at()
            while self._handshake.is_awaited and self._gone is None:
                wait_on(self._taken, give_up, self._timeout_s)
            self._handshake.end(self._gone)

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

    def readable_fd(self) -> int:
        """Return a descriptor for select(2): readable while there is input, or the end. `close_readable_fd` ends it."""
        with self._lock:
            if not self._arrived.is_watched:
                self._arrived.fileno()
                self._arrived.notify()
                self._show_rest()
            return self._arrived.fileno()

    def close_readable_fd(self) -> None:
        """Close it: the handler has ended."""
        with self._lock:
            self._arrived.close()

    def _show_rest(self) -> None:
        """Have the descriptor tell of input; a thread that waits for it reads on when more has come."""
        if self._inbox.data or self._inbox.is_ended or self._gone is not None:
            return
        self._arrived.clear()
        self._conn.busy = self._owes or self._outbox_size > 0
        self._read_on()

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._mailbox.post(self._conn.resume)

    def _give_up_at(self) -> float | None:
        return None if self._timeout_s is None else time.monotonic() + self._timeout_s

    def _wait_for_input(self, give_up: float | None, *, begun: bool) -> None:
        inbox = self._inbox
        if self._gone is not None:
            raise GoneError(f"the connection is gone: {self._gone}")
        self._read_on()  # however much is there, it was not enough
        seen = len(inbox.data)
        # Between two requests: a worker that leaves need not wait for this connection.
        self._is_idle = not (begun or seen or self._owes)
        # Its output may still wait here for the loop, which notes when it has left: see `send`.
        self._conn.busy = not self._is_idle or self._outbox_size > 0
        try:
            while len(inbox.data) == seen and not inbox.is_ended and self._gone is None:
                wait_on(self._arrived, give_up, self._timeout_s)
        finally:
            self._is_idle = False
            self._conn.busy = True

    def _wait_for_room(self) -> None:
        give_up = self._give_up_at()
        while self._outbox_size > self._limit and self._gone is None:
            wait_on(self._taken, give_up, self._timeout_s)

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
                self._fed += len(data)
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
                self._fed_before = self._fed
            if self._outbox and not conn.closed:
                return  # `on_writable` comes back to it
            self._taken.notify()
            if self._is_idle or (self._arrived.is_watched and not (self._inbox.data or self._owes)):
                conn.busy = False
            if self._closes:
                self._inbox.forget()
                conn.busy = False
                conn.close()
                if self._is_paused:
                    conn.resume()  # or a peer that hangs up before it has taken everything would not be noticed
            elif self._ends_output:
                conn.send_eof()

    def secured(self) -> None:
        """Let `start_tls` return."""
        with self._lock:
            assert self._handshake is not None
            self._handshake.is_awaited = False
            self._taken.notify_all()

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

    def _start_tls(self) -> None:
        with self._lock:
            assert self._handshake is not None
            while self._outbox:  # however congested: it leaves in the clear
                self._conn.send(self._outbox.popleft())
            self._outbox_size = 0
            self._conn.busy = True
            self._handshake.begin(self._inbox, self._fed - self._fed_before)
            self._read_on()
            self._taken.notify_all()

    def _abort(self) -> None:
        self._conn.busy = False
        self._conn.abort()
