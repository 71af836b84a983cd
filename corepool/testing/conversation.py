r"""A client's side of a protocol that runs in the test's own process: no master, no fork, a debugger works.

    def test_it_answers(connection):
        client = connection(Shout())
        client.send(b"hello\n")
        assert client.receive() == b"HELLO\n"

The service and the connections are a worker's, over pairs of sockets; so order, refusals, budgets, back-pressure and
mistakes in a signature are the real ones. An exception in a hook ends the connection, as it would in a worker, and is
then raised in the test. Coroutines run until they wait for something other than the client. Deadlines of connections
pass when the test says so. Threads, and tests that depend on time, need a real pool.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from typing import TYPE_CHECKING, Self

from corepool.hot.ending import break_off
from corepool.hot.leaving import depart
from corepool.spec.types import Address, CloseReason, TimeoutKind
from corepool.testing.client_end import ClientEnd
from corepool.testing.serving import Peers, Serving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from corepool.hot.connection import Connection

PEER = Address("192.0.2.1", 50_000)  # RFC 5737: an address for documentation, assigned to no host

_HIGH_WATER = 262_144  # the default of `output_high_water`


class Conversation:
    """The client's side of one connection."""

    def __init__(self, serving: Serving, conn: Connection, end: ClientEnd) -> None:
        self.conn = conn
        """The `corepool.Connection` that the hooks are given. Besides, it has `paused`: `pause` was called."""
        self._serving = serving
        self._end = end

    @property
    def reason(self) -> CloseReason | None:
        """Why the connection has ended; None while it is open.

        If an extension has closed it, plugins are told "refused"; here it is "closed" or "aborted", as it was.
        """
        return self.conn.reason if self.conn.fileno() < 0 else None

    @property
    def can_move(self) -> bool:
        """Whether every plugin of its listener can let go of connections; not whether this one is idle."""
        return self._serving.chain.freezer.can_freeze

    @property
    def unread(self) -> int:
        """Bytes that the client has sent and the protocol has not received."""
        if self.conn.fileno() < 0:
            return len(self._end.unsent)
        (in_kernel,) = struct.unpack("i", fcntl.ioctl(self.conn.fileno(), termios.FIONREAD, bytes(4)))
        return len(self._end.unsent) + int(in_kernel)

    @property
    def has_met_the_end(self) -> bool:
        """Whether the protocol's side has ended: it sends nothing more."""
        return self._end.has_met_the_end

    def send(self, data: bytes) -> None:
        """Have `data` arrive in one piece, or in several of 64 KiB; bytes that are not read wait at the client."""
        self._end.send(data)
        self._serving.settle(self.conn)

    def receive(self) -> bytes:
        """Return the bytes that have come since the last call."""
        data = bytes(self._end.taken)
        self._end.taken.clear()
        return data

    def end(self) -> None:
        """End the client's side; it still receives."""
        self._end.end()
        self._serving.settle(self.conn)

    def reset(self) -> None:
        """Break the connection; bytes that the client has sent and the protocol has not received are lost."""
        if not self._end.reset(self.conn.fileno()):
            break_off(self.conn, CloseReason.RESET)
        self._serving.settle(self.conn)

    def stop_reading(self) -> None:
        """Stop taking output, so that it piles up in the connection."""
        self._end.stop_reading(self.conn.fileno())

    def read_on(self) -> None:
        """Take everything again."""
        self._end.read_on()
        self._serving.settle(self.conn)

    def time_out(self, kind: TimeoutKind) -> None:
        """Have a deadline pass."""
        if self.conn.fileno() >= 0:
            self.conn.on_deadline(kind)
        self._serving.settle(self.conn)

    def drain(self) -> None:
        """Have the worker leave: `on_drain` is called, and a connection that the protocol leaves open is closed."""
        self._serving.drain(self.conn, self._end)

    def leave_for(self, there: Serving) -> Conversation:
        """Go on in another worker. See `Conversations.move`."""
        assert self.can_move, "it can't go: a plugin that keeps something about it has no on_freeze"
        assert self.conn.can_move and self.conn.is_idle, (  # noqa: PT018
            "it can't go: it is busy, paused, ended, or output of it waits"
        )
        frozen = self._serving.served.service.moving.freeze(self.conn)
        self._serving.failures.raise_first()
        assert frozen is not None, "it can't go: an on_freeze has returned None"
        fd = os.dup(self.conn.fileno())
        depart(self.conn)
        self._serving.let_go(self.conn)
        end = self._end.hand_on()
        conn = there.thaw(fd, frozen.encode(), end)
        there.settle(conn)
        return Conversation(there, conn, end)


class Conversations:
    """Opens connections to protocols; at the end of the test they are closed, and the plugins told to stop."""

    def __init__(self) -> None:
        self._servings: dict[tuple[int, ...], Serving] = {}
        self._peers = Peers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stack:  # the last one first, and all of them whatever one raises
            for serving in self._servings.values():
                stack.callback(serving.stop)

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
        serving = self._serving(protocol, extensions, listener)
        end = ClientEnd()
        self._peers.of_names[end.name] = peer
        conn = serving.accept(end, high_water)
        serving.settle(conn)
        return Conversation(serving, conn, end)

    def move(self, conversation: Conversation, protocol: object, extensions: Sequence[object] = ()) -> Conversation:
        """Have a connection go on in another worker, which has these plugins.

        :raises AssertionError: it can't be moved now, or at all.
        :raises ThawRefusedError: the other worker's protocol can't go on with it.
        """
        return conversation.leave_for(self._serving(protocol, extensions, conversation.conn.listener))

    def _serving(self, protocol: object, extensions: Sequence[object], listener: str) -> Serving:
        key = (id(protocol), *map(id, extensions))
        if key not in self._servings:
            self._servings[key] = Serving(protocol, extensions, listener, self._peers)
        return self._servings[key]
