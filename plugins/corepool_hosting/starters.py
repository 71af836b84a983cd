"""Coroutines that start a server by themselves: what they give to `loop.create_server` is taken; no socket is made.

The first server that a starter asks for is served, and a second is refused: only the first worker to bind it would
have it. Other code of the worker gets real servers at any time.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from asyncio.trsock import TransportSocket
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from corepool import Endpoint
from corepool.plugins.loading import LoadError
from corepool_hosting import events
from corepool_hosting.encryption import encrypted, refuse_twice_encrypted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from corepool import Worker

    ProtocolFactory = Callable[[], asyncio.BaseProtocol]

log = logging.getLogger(__name__)

_SETTLE_S = 0.1
"""How long a starter that has asked for its server is watched for what may fail right after, such as a missing
database: the worker can't start then, and a reload to it is refused."""

_NOTE_S = 5.0
"""After this long the log says that a starter has not asked for a server yet."""

_WORKERS_SIGNALS = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGWINCH,
    }
)


class HostedServer(asyncio.AbstractServer):
    """The result of `create_server`: a server whose sockets are the pool's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sockets: Sequence[TransportSocket]) -> None:
        self._loop = loop
        self._closed = loop.create_future()
        self.sockets = tuple(sockets)

    def close(self) -> None:
        """Serve no more, as far as the starter is concerned."""
        if not self._closed.done():
            self._closed.set_result(None)

    def close_clients(self) -> None:
        """Do nothing: connections are the pool's."""

    def abort_clients(self) -> None:
        """Do nothing: connections are the pool's."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the worker's loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Return whether it is still open."""
        return not self._closed.done()

    async def start_serving(self) -> None:
        """Do nothing: the pool begins when it is ready."""

    async def serve_forever(self) -> None:
        """Wait for the worker to leave, which cancels this, or for `close`, which does the same, as in asyncio."""
        try:
            await asyncio.shield(self._closed)
        finally:
            self.close()
        raise asyncio.CancelledError

    async def wait_closed(self) -> None:
        """Wait for `close`: connections are the pool's."""
        await asyncio.shield(self._closed)


class Starter:
    """A coroutine that starts a server, from its start to the worker's end."""

    def __init__(self, target: str, main: Callable[[], Coroutine[Any, Any, object]], worker: Worker) -> None:
        """Prepare.

        :param target: what messages call it.
        """
        self._target = target
        self._main = main
        self._worker = worker
        self._loop = worker.loop
        self._is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)
        """True in the starter, and in the tasks that are made there."""
        self._captured: asyncio.Future[ProtocolFactory] = self._loop.create_future()
        self._server = HostedServer(self._loop, _sockets(worker))
        self._task: asyncio.Task[object]
        self._error: BaseException | None = None
        """The exception that has ended it, if asyncio would have ended the program for that."""
        self._is_leaving = False

    def start(self) -> ProtocolFactory:
        """Run it until it has called `loop.create_server`, directly or by asyncio.start_server; then it goes on.

        Runs in: worker, before its loop runs.

        :returns: the protocol factory that it has given.
        :raises LoadError: it has ended without that call, takes too long, or wants what can't be hosted.
        :raises BaseException: what it has raised.
        """
        loop: Any = self._loop
        loop.create_server = self._take_over(loop.create_server)
        loop.create_unix_server = self._take_over(loop.create_unix_server)
        loop.add_signal_handler = self._refuse(loop.add_signal_handler)
        loop.remove_signal_handler = self._refuse(loop.remove_signal_handler)
        self._task = self._loop.create_task(self._run())
        self._wait_for_server()
        if not self._captured.done():
            self._raise_failure()
            raise self._mistake("it has ended without a call of loop.create_server or asyncio.start_server")
        self._wait(_SETTLE_S)
        if self._task.done():
            self._raise_failure()
            if not self._server.is_serving():
                raise self._mistake("it has closed its server again and returned")
        self._task.add_done_callback(self._ended)
        return self._captured.result()

    def leave(self) -> None:
        """Cancel it: the worker leaves. `async with server` in it then closes the connections."""
        if not self._is_leaving:
            self._is_leaving = True
            self._task.cancel("the worker is leaving")

    def end(self) -> None:
        """Let it clean up. Runs after the loop has stopped."""
        self.leave()
        self._wait(self._worker.last_words_s())

    async def _run(self) -> object:
        self._is_ours.set(True)
        try:
            return await self._main()
        except (SystemExit, KeyboardInterrupt) as error:  # which a task hands to the loop besides
            self._error = error
            return None

    def _raise_failure(self) -> None:
        """Raise the exception that has ended it, if it has failed."""
        if self._error is not None:
            raise self._error
        self._task.result()

    def _wait(self, timeout_s: float, *others: asyncio.Future[Any]) -> None:
        futures: set[asyncio.Future[Any]] = {self._task, *others}
        self._loop.run_until_complete(asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED))

    def _wait_for_server(self) -> None:
        left_s = 0.9 * self._worker.boot_s()  # after all of it the master would take it for hung
        note_s = min(_NOTE_S, left_s / 2)
        self._wait(note_s, self._captured)
        if self._task.done() or self._captured.done():
            return
        left_s -= note_s
        events.hosted_server_missing(log, target=self._target, left_s=round(left_s, 1))
        self._wait(left_s, self._captured)
        if not (self._task.done() or self._captured.done()):
            self._task.print_stack()
            raise self._mistake(
                f"it has not called loop.create_server within boot_timeout ({self._worker.boot_timeout:g} s)"
            )

    def _take_over(self, real: Callable[..., Coroutine[Any, Any, object]]) -> Callable[..., object]:
        async def create_server(protocol_factory: ProtocolFactory, *place: object, **more: Any) -> object:
            if not self._is_ours.get():
                return await real(protocol_factory, *place, **more)
            if self._captured.done():
                raise self._mistake(
                    "it starts a second server; corepool serves the first one only: give each a listener with a target "
                    "of its own"
                )
            if more.get("ssl") is not None:
                refuse_twice_encrypted(self._worker, "asyncio", self._mistake)
            self._captured.set_result(encrypted(protocol_factory, self._loop, **more))
            return self._server

        return create_server

    def _refuse(self, real: Callable[..., object]) -> Callable[..., object]:
        def handle_signal(signum: int, *rest: object) -> object:
            if self._is_ours.get() and signum in _WORKERS_SIGNALS:
                events.hosted_signal_handler_refused(log, target=self._target, signal=signal.Signals(signum).name)
                return False
            return real(signum, *rest)

        return handle_signal

    def _mistake(self, what: str) -> LoadError:
        return LoadError(f"target = {self._target!r}: {what}")

    def _ended(self, task: asyncio.Task[object]) -> None:
        if self._is_leaving:
            return
        # asyncio.run would end the process. A worker that has failed drains, and another takes its place.
        error = None if task.cancelled() else self._error or task.exception()
        if error is not None:
            error.add_note(f"target = {self._target!r}")
            self._worker.fail(error)
        elif not self._server.is_serving():
            self._worker.fail(self._mistake("it has closed its server and returned"))


class _BoundSocket:
    """A socket of the master's, as far as TransportSocket needs it."""

    def __init__(self, url: str) -> None:
        endpoint = Endpoint.parse(url)
        self.type = socket.SOCK_STREAM
        self.proto = 0
        self._address: tuple[Any, ...] | str
        host, port = endpoint.host, endpoint.port
        if port is None:
            self.family = socket.AF_UNIX
            self._address = endpoint.path
        else:
            self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._address = (host, port, 0, 0) if ":" in host else (host, port)

    def fileno(self) -> int:
        return -1

    def getsockname(self) -> tuple[Any, ...] | str:
        return self._address


def _sockets(worker: Worker) -> list[TransportSocket]:
    urls = (url for listener in worker.listeners if listener.protocol == "asyncio" for url in listener.bind)
    return [TransportSocket(cast("socket.socket", _BoundSocket(url))) for url in urls]
