"""A protocol in threads: `handle` runs once for each connection, and may block as it likes.

The pattern is half-sync/half-async: the loop receives and sends for all connections, and threads work with what it
has received. Both directions are bounded: a handler that is slow makes its client wait, and a client that is slow
makes the handler wait. A connection has its thread until `handle` returns; those beyond the number of threads wait for
one, with what they have sent.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from corepool.guards import HOOK_ERRORS
from corepool.spec.hookspecs import hookimpl
from corepool.spec.options import Options
from corepool.streams import events
from corepool.streams.blocking_stream import BlockingStream
from corepool.streams.errors import is_the_peers_doing
from corepool.streams.handles import check_handle
from corepool.streams.threads import Job, Mailbox, Threads

if TYPE_CHECKING:
    from corepool.spec.connection import Connection
    from corepool.spec.types import CloseReason
    from corepool.spec.worker import Worker

log = logging.getLogger(__name__)

_MAX_DEPARTED = 100
"""Clients that have gone before a thread was free, and whose input is kept: `max_connections` doesn't count them."""


class BlockingOptions(Options):
    """The options of every protocol in threads; derive from it to add more."""

    threads: Annotated[int, Field(ge=1, le=1000)] = 16
    """Connections that are served at once, in each worker; more wait for a thread."""


class BlockingProtocol(ABC):
    """Derive from it and write `handle`. Hooks of your own with these names call `super()`."""

    Options: ClassVar[type[BlockingOptions]] = BlockingOptions

    input_limit: ClassVar[int] = 65_536
    """Bytes of a line at most; and bytes that may wait in each direction (of input, twice as many) before their sender
    has to wait."""

    answers: ClassVar[bool] = False
    """Everything that comes is answered: a connection that has taken input and sent nothing since is in the middle of
    something, and a worker that leaves waits for it. If False, it waits for half a line, and after `begun=True`."""

    def __init_subclass__(cls) -> None:
        """Refuse a `handle` that could never run, when the class is made rather than when a client connects."""
        super().__init_subclass__()
        check_handle(cls, is_coroutine=False)

    def __init__(self, options: BlockingOptions) -> None:
        self.options = options

    @abstractmethod
    def handle(self, stream: BlockingStream) -> None:
        """Serve one connection, which is closed when this returns.

        Runs in: worker, in one of its threads. When the connection is gone, or the drain of the worker is over, reads
        find the end or raise ConnectionError, and writes raise BrokenPipeError. At its end the worker gives handlers
        half a second to react to that; a thread that ignores it doesn't keep the worker from ending.
        If it raises: an error caused by the peer (it is gone, has sent a line longer than `input_limit`, or has let the
        stream's time-out pass) ends the connection quietly; anything else is logged with its traceback, and the
        connection aborted.
        """

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Begin; needed before the first connection."""
        self._last_words_s = worker.last_words_s
        self._mailbox = Mailbox(worker.loop)
        self._departed: deque[Job] = deque()
        """Of clients that have gone before they had a thread, and left something to be read."""
        self._threads = Threads(type(self).__name__, self._mailbox, worker.gauge_threads(self.options.threads))

    @hookimpl
    def on_worker_stop(self) -> None:
        """End; handlers that have noticed may still say their last words."""
        left = self._threads.stop(self._last_words_s())
        if left:
            events.threads_abandoned(log, protocol=type(self).__name__, threads=left)

    @hookimpl
    def on_accept(self, conn: Connection[BlockingStream]) -> None:
        """Wait for a thread."""
        conn.half_open = True  # a client that has ended its side may still wait for its answer
        conn.session = stream = BlockingStream(conn, self._mailbox, self.input_limit, answers=self.answers)
        stream.job = self._threads.submit(lambda: self._run(stream))

    @hookimpl
    def on_readable(self, conn: Connection[BlockingStream]) -> None:
        """Feed the stream."""
        conn.session.feed()

    @hookimpl
    def on_tls(self, conn: Connection[BlockingStream]) -> None:
        """Let `start_tls` return."""
        conn.session.secured()

    @hookimpl
    def on_writable(self, conn: Connection[BlockingStream]) -> None:
        """Send the output that had to wait."""
        conn.session.send()

    @hookimpl
    def on_drain(self, conn: Connection[BlockingStream]) -> None:
        """Set `draining` of the stream."""
        conn.session.draining = True

    @hookimpl
    def on_close(self, conn: Connection[BlockingStream], reason: CloseReason) -> None:
        """Wake the thread; if there is none yet, none is needed, except for input that the client has left."""
        stream = conn.session
        stream.lost(reason)
        job = stream.job
        if job is None or not job.is_waiting:
            return
        if stream.is_void():
            self._threads.withdraw(job)
            return
        self._departed.append(job)
        if len(self._departed) > _MAX_DEPARTED:
            self._threads.withdraw(self._departed.popleft())

    def _run(self, stream: BlockingStream) -> None:
        try:
            if not stream.begin():
                return
            self.handle(stream)
        except HOOK_ERRORS as error:  # no caller would end the connection; first of all, should the log fail
            if is_the_peers_doing(error):
                stream.close()
                events.handler_ended_by_peer(log, listener=stream.listener, peer=stream.peer, error=error)
            else:
                stream.abort()
                events.handler_failed.exception(log, error, listener=stream.listener, peer=stream.peer)
        else:
            stream.close()
