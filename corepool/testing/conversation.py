r"""A client's side of a protocol that runs in the test's own process: no sockets, no fork, a debugger works.

    def test_it_answers(connection):
        client = connection(Shout())
        client.send(b"hello\n")
        assert client.receive() == b"HELLO\n"

Hooks are called through the same chain as in a worker, so that order, refusals and mistakes in a signature are the
real ones. An exception in a hook ends the connection, as it would in a worker, and is then raised in the test.
Coroutines run until they wait for something other than the client. Threads, and tests that depend on time, need a real
pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Self, TypeVar, cast

from corepool.plugins.chain import Chain
from corepool.spec.types import Address, CloseReason, ListenerInfo, ThreadGauge, TimeoutKind, WorkerLoad
from corepool.testing.memory import MemoryConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Context
    from types import TracebackType

PEER = Address("192.0.2.1", 50_000)  # RFC 5737: an address for documentation, assigned to no host
LOCAL = Address("192.0.2.2", 7000)

_HIGH_WATER = 262_144  # the default of `output_high_water`
_MAX_CALLS = 1000  # of on_readable for one piece of input; a protocol that answers needs a handful
_MAX_TURNS = 1000  # of the loop, after each event: each takes a coroutine one await further


class _Loop(asyncio.SelectorEventLoop):
    """A loop that can be run until nothing is ready in it."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        self._calls += 1
        return super().call_soon(callback, *args, context=context)

    def settle(self) -> None:
        """Run the ready callbacks, and those that become ready by that."""
        for _ in range(_MAX_TURNS):
            before = self._calls
            super().call_soon(self.stop)
            self.run_forever()
            if self._calls == before:
                return


T = TypeVar("T")


class MemoryWorker:
    """The worker that plugins of a conversation see. Implements `corepool.Worker`."""

    def __init__(self, listener: ListenerInfo) -> None:
        self.slot = 0
        self.pool = "main"
        self.pid = os.getpid()
        self.generation = 0
        self.workers = 1
        self.boot_timeout = 60.0
        self.requests = 0
        self._loop = _Loop()
        self._loop.set_exception_handler(self._note_failure)
        self.loop: asyncio.AbstractEventLoop = self._loop
        self.listeners = [listener]
        self.open = 0
        self.accepted = 0
        self._at_batch_end: list[Callable[[], None]] = []
        self._failures: list[BaseException] = []
        self._shared: dict[Callable[[], object], object] = {}

    def loads(self) -> list[WorkerLoad]:
        """Return the load of the only worker, this one."""
        return [WorkerLoad(self.slot, self.pid, self.open, self.accepted, self.accepted, 0.0)]

    async def status(self) -> Mapping[str, object]:
        """Refuse: there is no master."""
        raise OSError("a worker in memory has no master; test this with the fixture `pool`")

    def gauge_threads(self, most: int) -> ThreadGauge:
        """Return a gauge that is not shown anywhere."""
        return ThreadGauge(most)

    def last_words_s(self) -> float:
        """Return all the time that a worker has."""
        return 0.5

    def stop_s(self) -> float:
        """Return `stop_timeout`'s default."""
        return 10.0

    def fail(self, error: BaseException) -> None:
        """Have the test fail."""
        self._failures.append(error)

    def shared(self, make: Callable[[], T]) -> T:
        """Return the object that `make` has made for this worker."""
        if make not in self._shared:
            self._shared[make] = make()
        return cast("T", self._shared[make])

    def at_batch_end(self, call: Callable[[], None]) -> None:
        """Have `call` called once, at the end of the event."""
        self._at_batch_end.append(call)

    def finish_event(self, *, with_loop: bool) -> None:
        """Run the calls that wait for the end of the event."""
        while self._at_batch_end:
            calls, self._at_batch_end = self._at_batch_end, []
            for call in calls:
                call()
        if with_loop:
            self._loop.settle()

    def raise_failure(self) -> None:
        """Have the test fail, if something has.

        :raises BaseException: what a coroutine has raised, or `fail` was called with.
        """
        if self._failures:
            raise self._failures.pop(0)

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._failures.append(error)
        else:
            loop.default_exception_handler(context)


class _Site:
    """A listener's plugins, and the worker they were started in."""

    def __init__(self, protocol: object, extensions: Sequence[object], listener: str) -> None:
        self.plugins = (protocol, *extensions)  # held, so that nothing else gets their id
        self.chain = Chain(protocol, extensions)
        self.worker = MemoryWorker(ListenerInfo(listener, type(protocol).__name__, ("memory:",)))
        self.open: list[Conversation] = []
        # Plugins that never saw the loop can have begun nothing in it; so protocols of plain callbacks work in a test
        # that is a coroutine itself, where no second loop may run.
        self.has_loop = self.chain.on_worker_start is not None
        if self.chain.on_worker_start is not None:
            try:
                self.chain.on_worker_start(self.worker)
            except BaseException:
                self.worker.loop.close()
                raise

    def stop(self) -> None:
        """End open connections, as a worker that leaves does, then the worker."""
        try:
            for each in list(self.open):
                each.drain()
            if self.chain.on_worker_stop is not None:
                self.chain.on_worker_stop(self.worker)
            self.worker.finish_event(with_loop=self.has_loop)
            self.worker.raise_failure()
        finally:
            self.worker.loop.close()


class Conversation:
    """The client's side of one connection; `conn` is what the hooks are given."""

    def __init__(self, site: _Site, conn: MemoryConnection) -> None:
        self.conn = conn
        self._site = site
        self._taken = bytearray()
        self._reads = True
        self._is_over = False

    @property
    def reason(self) -> CloseReason | None:
        """Why the connection has ended; None while it is open.

        If an extension has closed it, plugins are told "refused"; here it is "closed" or "aborted", as it was.
        """
        return self.conn.reason if self._is_over else None

    @property
    def can_move(self) -> bool:
        """Whether every plugin of its listener can let go of connections; not whether this one is idle."""
        return self._site.chain.freezer.can_freeze

    def send(self, data: bytes) -> None:
        """Have `data` arrive in one piece."""
        self.conn.incoming += data
        self._event()

    def receive(self) -> bytes:
        """Return the bytes that have come since the last call."""
        data = bytes(self._taken)
        self._taken.clear()
        return data

    def end(self) -> None:
        """End the client's side; it still receives."""
        self.conn.peer_has_ended = True
        self._event()

    def reset(self) -> None:
        """Break the connection; bytes that the client has sent and the protocol has not received are lost."""
        self.conn.incoming.clear()
        self.conn.is_broken = True
        if not self.conn.wants_input:  # or the protocol would not notice, since it doesn't receive
            self.conn.break_off(CloseReason.RESET)
        self._event()

    def stop_reading(self) -> None:
        """Stop taking output, so that it piles up."""
        self._reads = False

    def read_on(self) -> None:
        """Take everything again."""
        self._reads = True
        self._event()

    def time_out(self, kind: TimeoutKind) -> None:
        """Have a deadline pass."""
        on_timeout = self._site.chain.on_timeout
        if kind is TimeoutKind.READ:
            self.conn.deadline_s = None
        kept = on_timeout is not None and self._call(lambda: on_timeout(self.conn, kind)) is not None
        if not kept and kind is TimeoutKind.WRITE:
            self.conn.break_off(CloseReason.TIMEOUT)
        elif not kept:
            self.conn.end(CloseReason.TIMEOUT)
        self._event()

    def drain(self) -> None:
        """Have the worker leave: `on_drain` is called, and a connection that the protocol leaves open is closed."""
        on_drain = self._site.chain.on_drain
        if on_drain is not None and not self.conn.closed:
            self._call(lambda: on_drain(self.conn))
        self._event()
        self.conn.end(CloseReason.DRAIN)
        self._reads = True
        self._event()

    # --- what the fixture calls

    def begin(self, thaw: Callable[[], object] | None = None) -> None:
        """Arrive, new or from another worker."""
        self._site.open.append(self)
        self._site.worker.open += 1
        self._site.worker.accepted += 1
        on_accept = self._site.chain.on_accept
        if thaw is not None:
            self._call(thaw)
        elif on_accept is not None:
            self._call(lambda: on_accept(self.conn))
        self._event()

    def leave_for(self, site: _Site, number: int) -> Conversation:
        """Go on in another worker.

        :raises AssertionError: a plugin can't let go of it.
        """
        old = self.conn
        assert self.can_move, "it can't go: a plugin that keeps something about it has no on_freeze"
        assert old.is_between_requests, "it can't go: it is busy, paused, ended, or output of it waits"
        states = self._site.chain.freezer.freeze(old)
        assert states is not None, "it can't go: an on_freeze has returned None"
        conn = MemoryConnection(number, old.listener, old.peer, old.local, _HIGH_WATER)
        conn.half_open = old.half_open
        there = Conversation(site, conn)
        old.end(CloseReason.MOVED)
        self._event()
        there.begin(lambda: site.chain.freezer.thaw(conn, states))
        return there

    def _event(self) -> None:
        """Act as a worker after an event: serve input, take output, settle the end."""
        if self._is_over:
            return
        self._serve()
        self._finish()
        self._serve()  # what a coroutine has resumed
        if self.conn.eof and not self.conn.half_open:
            self.conn.end(CloseReason.EOF)
        if self.conn.closed and not self.conn.outgoing:
            self._settle()
        self._site.worker.raise_failure()

    def _serve(self) -> None:
        chain, conn = self._site.chain, self.conn
        on_readable, on_writable = chain.on_readable, chain.on_writable
        assert on_readable is not None
        for _ in range(_MAX_CALLS):
            self._take()
            if conn.has_room:
                conn.was_congested = False
                if on_writable is not None:
                    self._call(lambda: on_writable(conn))
            elif conn.wants_input:
                self._call(lambda: on_readable(conn))
                # As after each event in a worker: the end of input was met, and nothing is read again.
                if conn.eof and not conn.half_open:
                    conn.end(CloseReason.EOF)
            else:
                return
        conn.break_off(CloseReason.ERROR)
        self._settle()
        raise AssertionError(f"on_readable has left input for {_MAX_CALLS} calls; a worker would call it for ever")

    def _take(self) -> None:
        conn = self.conn
        if conn.congested:
            conn.was_congested = True
        if self._reads:
            self._taken += conn.outgoing
            conn.bytes_out += len(conn.outgoing)
            conn.outgoing.clear()

    def _finish(self) -> None:
        self._site.worker.finish_event(with_loop=self._site.has_loop)
        self._take()

    def _settle(self) -> None:
        conn, site = self.conn, self._site
        assert conn.reason is not None
        self._is_over = True
        site.open.remove(self)
        site.worker.open -= 1
        try:
            if site.chain.on_close is not None:
                site.chain.on_close(conn, conn.reason)
        finally:
            conn.session = None
            site.worker.finish_event(with_loop=site.has_loop)

    def _call(self, hook: Callable[[], object]) -> object:
        """Call a hook. An exception costs the connection, and is then raised in the test."""
        self.conn.begin_event()
        try:
            return hook()
        except BaseException:
            self.conn.break_off(CloseReason.ERROR)
            if not self._is_over:
                self._settle()
            raise
        finally:
            self.conn.end_event()


class Conversations:
    """Opens connections to protocols; at the end of the test they are closed, and the plugins told to stop."""

    def __init__(self) -> None:
        self._sites: dict[tuple[int, ...], _Site] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stack:  # the last one first, and all of them whatever one raises
            for site in self._sites.values():
                stack.callback(site.stop)

    def __call__(
        self,
        protocol: object,
        *,
        extensions: Sequence[object] = (),
        listener: str = "test",
        peer: Address = PEER,
        high_water: int = _HIGH_WATER,
    ) -> Conversation:
        """Connect to a protocol behind these extensions, as a client from `peer`.

        The same objects again mean the same worker: `on_worker_start` is called once.

        :param high_water: bytes of output that the client may leave untaken before the connection is congested.
        :raises PluginError: an unknown hook, or one with the wrong arguments.
        """
        site = self._site(protocol, extensions, listener)
        conversation = Conversation(site, MemoryConnection(next(self._numbers), listener, peer, LOCAL, high_water))
        conversation.begin()
        return conversation

    def move(self, conversation: Conversation, protocol: object, extensions: Sequence[object] = ()) -> Conversation:
        """Have a connection go on in another worker, which has these plugins.

        :raises AssertionError: it can't be moved now, or at all.
        :raises ThawRefusedError: the other worker's protocol can't go on with it.
        """
        site = self._site(protocol, extensions, conversation.conn.listener)
        return conversation.leave_for(site, next(self._numbers))

    def _site(self, protocol: object, extensions: Sequence[object], listener: str) -> _Site:
        key = (id(protocol), *map(id, extensions))
        if key not in self._sites:
            self._sites[key] = _Site(protocol, extensions, listener)
        return self._sites[key]
