"""A protocol as a coroutine: `handle` runs once for each connection, beside all others, in the worker's loop."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from corepool.guards import was_logged
from corepool.spec.hookspecs import hookimpl
from corepool.spec.types import CloseReason
from corepool.streams import events
from corepool.streams.errors import is_the_peers_doing
from corepool.streams.handles import check_handle
from corepool.streams.stream import Stream

if TYPE_CHECKING:
    from corepool.spec.connection import Connection
    from corepool.spec.worker import Worker

log = logging.getLogger(__name__)


class StreamProtocol(ABC):
    """Derive from it and write `handle`. Hooks of your own with these names call `super()`."""

    input_limit: ClassVar[int] = 65_536
    """Bytes of a line at most; twice as many are read ahead, then the client waits."""

    def __init_subclass__(cls) -> None:
        """Refuse a `handle` that could never run, when the class is made rather than when a client connects."""
        super().__init_subclass__()
        check_handle(cls, is_coroutine=True)

    @abstractmethod
    async def handle(self, stream: Stream) -> None:
        """Serve one connection, which is closed when this returns.

        Runs in: worker, as a Task of its own. When the worker's drain is over it is cancelled, with the reason as the
        message; if it waits for input it finds the end of the stream instead.
        If it raises: an error caused by the peer (it is gone, has sent a line longer than `input_limit`, or has let a
        `stream.deadline` pass) ends the connection quietly; anything else is logged with its traceback, and the
        connection aborted.
        """

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Begin; needed before the first connection."""
        self._loop = worker.loop
        self._last_words_s = worker.last_words_s
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @hookimpl
    def on_worker_stop(self) -> None:
        """End; handlers that have noticed may still say their last words."""
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, unwilling = self._loop.run_until_complete(asyncio.wait(tasks, timeout=self._last_words_s()))
        if unwilling:
            events.handlers_cancelled(log, protocol=type(self).__name__, handlers=len(unwilling))

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
    def on_tls(self, conn: Connection[Stream]) -> None:
        """Let `start_tls` return."""
        conn.session.secured()

    @hookimpl
    def on_writable(self, conn: Connection[Stream]) -> None:
        """Let `drain` return."""
        conn.session.has_room()

    @hookimpl
    def on_drain(self, conn: Connection[Stream]) -> None:
        """Set `draining` of the stream."""
        conn.session.draining = True

    @hookimpl
    def on_close(self, conn: Connection[Stream], reason: CloseReason) -> None:
        """Let `handle` come to its end."""
        is_busy = conn.busy
        conn.session.lost(reason)
        task = self._tasks.get(conn.id)
        if task is not None and reason is CloseReason.DRAIN and is_busy:
            task.cancel("the worker is leaving, and its drain is over")

    async def _run(self, conn: Connection[Stream], stream: Stream) -> None:
        listener, number = conn.listener, conn.id
        task = asyncio.current_task()
        assert task is not None
        try:
            await self.handle(stream)
        except BaseException as error:  # SystemExit and KeyboardInterrupt would end the worker
            if task.cancelling() and isinstance(error, asyncio.CancelledError):
                conn.abort()
                raise  # without `cancelling`, a future that it awaited was cancelled: a failure like any other
            if is_the_peers_doing(error):
                conn.close()
                events.handler_ended_by_peer(log, listener=listener, conn=number, peer=conn.peer, error=error)
            else:
                conn.abort()  # first: an application's exception handler may fail as well
                if self._loop.get_exception_handler() is None and not was_logged(error):
                    events.handler_failed.exception(log, error, listener=listener, conn=number, peer=conn.peer)
                else:
                    message = f"handler failed listener={listener} conn={number} peer={conn.peer}"
                    self._loop.call_exception_handler({"message": message, "exception": error})
        else:
            conn.close()
        finally:
            conn.busy = False
            stream.forget_input()
            self._tasks.pop(number, None)
