"""The extension pace: a client that sends faster than it may is not refused. It is read more slowly.

Unread bytes wait in the kernel, then in the client's kernel, and then the client waits: TCP's own way to slow a sender
down, which needs no word in any protocol and loses no byte. So it goes in front of every protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

import corepool
from corepool import Connection, Worker, hookimpl
from corepool_pace.buckets import Buckets

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

__all__ = ["Pace", "PaceOptions"]


class PaceOptions(corepool.Options):
    """[listener.extension_options.pace]."""

    rate: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
    """Bytes a second that a client may send in the long run, over all its connections to a worker."""

    burst: Annotated[int, Field(ge=0)] = 65_536
    """Bytes that it may send at once after a pause."""

    max_clients: Annotated[int, Field(ge=1, le=10_000_000)] = 65_536
    """Clients that a worker remembers."""


class Pacer:
    """The state of one connection."""

    __slots__ = ("charged", "client", "resumption")

    def __init__(self, conn: Connection) -> None:
        peer = conn.peer
        # Clients of a UNIX socket have no address that would tell them apart: each connection is one.
        self.client: Hashable = peer.host if peer.port is not None else conn.id
        self.charged = conn.bytes_in
        self.resumption: asyncio.TimerHandle | None = None

    def owes(self, conn: Connection) -> int:
        """Return the number of bytes received since the last call."""
        received, charged = conn.bytes_in, self.charged
        self.charged = received
        return received - charged

    def stop_waiting(self) -> None:
        """Forget that the connection was to be resumed."""
        if self.resumption is not None:
            self.resumption.cancel()


class Pace:
    """Pause connections of clients that have sent too much, until their buckets are no longer overdrawn.

    One instance per listener; each worker has a copy. `conn.session` and `conn.deadline` are the protocol's, so the
    state of a connection is kept by its id, and the timers are the loop's.
    """

    Options: ClassVar[type[PaceOptions]] = PaceOptions

    def __init__(self, options: PaceOptions) -> None:
        self._buckets = Buckets(options.rate, options.burst, options.max_clients)
        self._pacers: dict[int, Pacer] = {}
        self._loop: asyncio.AbstractEventLoop
        self._is_leaving = False

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Take the worker's clock."""
        self._loop = worker.loop

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        """Meet a connection."""
        self._pacers[conn.id] = Pacer(conn)

    @hookimpl
    def on_readable(self, conn: Connection) -> object | None:
        """Let the protocol read, or not yet. What it reads now is charged at the next event, when it is known how much.

        That may be as much as a worker reads of a connection at a time, and is a debt then like any other.
        """
        pacer = self._pacers[conn.id]
        wait_s = self._charge(conn, pacer)
        if not wait_s or self._is_leaving:
            return None
        conn.pause()
        pacer.resumption = self._loop.call_later(wait_s, conn.resume)
        return True  # the protocol behind is not called

    @hookimpl
    def on_drain(self, conn: Connection) -> None:
        """Let everything be read: what a paused connection has sent would be lost with it."""
        self._is_leaving = True
        self._pacers[conn.id].stop_waiting()
        conn.resume()

    @hookimpl
    def on_close(self, conn: Connection) -> None:
        """Forget the connection. Its client's bucket stays, or a client could clear its debt by connecting again."""
        pacer = self._pacers.pop(conn.id)
        pacer.stop_waiting()
        self._charge(conn, pacer)

    @hookimpl
    def on_freeze(self) -> bytes:
        """Let a connection go on in another worker, which has a bucket of its own for the client."""
        return b""

    @hookimpl
    def on_thaw(self, conn: Connection) -> None:
        """Meet a connection that began elsewhere, and was charged there."""
        self._pacers[conn.id] = Pacer(conn)

    def _charge(self, conn: Connection, pacer: Pacer) -> float:
        """Charge the bucket for the received bytes, and return the seconds to wait."""
        return self._buckets.spend(pacer.client, pacer.owes(conn), self._loop.time())
