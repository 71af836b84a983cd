"""Accepting on one bound socket, in a worker (dispatchers with `worker_accepts`)."""

from __future__ import annotations

from select import EPOLLEXCLUSIVE, EPOLLIN
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.system.accepting import Accepting

if TYPE_CHECKING:
    import asyncio

    from corepool.hot.reactor import Reactor
    from corepool.plugins.listener import BoundSocket
    from corepool.worker.counts import ConnectionCounts
    from corepool.worker.service import Service

ACCEPTS_PER_EVENT = 16
"""Connections taken from one backlog before the ready ones get their turn."""

_LAST_TURNS = 256
"""Turns taken at the end, at most: a whole backlog of the usual size (4096), but no flood that goes on and on."""


class BacklogReader:
    """Accepts from one listening socket, as long as the worker has room. A source of the reactor."""

    def __init__(
        self,
        bound: BoundSocket,
        service: Service,
        counts: ConnectionCounts,
        reactor: Reactor,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Begin without accepting."""
        self._socket = bound.socket
        self._fd = bound.socket.fileno()
        self._service = service
        self._counts = counts
        self._reactor = reactor
        self._loop = loop
        self._accepting = Accepting(bound.socket, bound.url, self, loop.call_later)
        self._is_paused = True
        self._is_finishing = False
        self._is_stopped = False
        counts.on_room.append(self._on_room)

    def resume(self) -> None:
        """Accept from now on, as long as there is room."""
        self._is_paused = False
        self._on_room()

    def pause(self) -> None:
        """Leave connections in the backlog until `resume`."""
        self._is_paused = True
        self._accepting.pause()

    @property
    def is_open(self) -> bool:
        """True as long as connections may come from it."""
        return not self._is_stopped

    def finish(self) -> None:
        """Accept the connections that wait, as long as there is room, and then stop: no other worker will."""
        if not self._is_finishing:
            self._is_finishing = True
            self._accepting.pause()
            self._loop.call_soon(self._take_rest, _LAST_TURNS)

    def stop(self) -> None:
        """Accept nothing any more, and give up our share of the listening socket."""
        self._is_stopped = True
        self._accepting.pause()
        release(self._socket.detach())  # or the kernel would go on filling a backlog without a reader

    def _on_room(self) -> None:
        if not (self._is_stopped or self._is_finishing or self._is_paused or self._counts.full):
            self._accepting.resume()

    def _take_rest(self, turns: int) -> None:
        """Take a few connections in each turn of the loop: the requests under way need their turns, too."""
        if self._is_stopped:
            return
        if not self._is_paused and self._accepting.accept(ACCEPTS_PER_EVENT) == ACCEPTS_PER_EVENT and turns > 1:
            self._loop.call_soon(self._take_rest, turns - 1)
        else:
            self.stop()

    # --- system.accepting.Side

    def watch(self) -> None:
        """Have the reactor tell of connections."""
        # EXCLUSIVE: one connection wakes one worker or a few, not all. It refuses EPOLL_CTL_MOD, so pausing means
        # taking it out.
        self._reactor.add(self._fd, self, EPOLLIN | EPOLLEXCLUSIVE)

    def unwatch(self) -> None:
        """Have it tell no more."""
        self._reactor.remove(self._fd)

    def has_room(self) -> bool:
        """Return whether the worker may hold another connection; a child of its hook, which ends soon, takes none."""
        return not (self._counts.full or self._reactor.is_abandoned)

    def take(self, fd: int, sockaddr: object) -> None:  # noqa: ARG002  # asked of the descriptor, if it is wanted
        """Begin a connection."""
        self._service.take_accepted(fd)

    # --- a source of the reactor

    def on_event(self, mask: int) -> None:  # noqa: ARG002
        """Take a few connections."""
        self._accepting.accept(ACCEPTS_PER_EVENT)
        if self._counts.full:
            self._accepting.pause()

    def on_failure(self) -> None:
        """Log the exception that is being handled."""
        self._accepting.failed()

    def flush(self) -> None:
        """Do nothing: nothing is ever buffered."""
