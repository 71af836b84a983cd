"""Accepting on one bound socket, in the master."""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.system.accepting import Accepting

if TYPE_CHECKING:
    from corepool.ipc.shapes import SocketIndex
    from corepool.master.dispatch import Dispatch
    from corepool.master.loop import Loop
    from corepool.plugins.listener import BoundSocket

ACCEPTS_PER_TURN = 64
"""Connections taken from one backlog before signals, exits and the other listeners get their turn."""

_LAST_TURNS = 64
"""Turns taken at the end, at most: a whole backlog of the usual size (4096), but no flood that goes on and on."""


class Acceptor:
    """Takes connections from a backlog to the dispatch, as long as there is room."""

    def __init__(self, bound: BoundSocket, loop: Loop, dispatch: Dispatch) -> None:
        """Begin paused."""
        self._bound = bound
        self._index = bound.index
        self._loop = loop
        self._dispatch = dispatch
        self._accepting = Accepting(
            bound.socket,
            bound.url,
            self,
            loop.call_later,
            wants_peer=bound.listener.dispatcher.chooses_by_peer,
        )
        self.pause = self._accepting.pause
        """Leaves connections in the backlog, until `resume`."""
        self.resume = self._accepting.resume

    @property
    def listener(self) -> str:
        """The name of the listener it accepts for."""
        return self._bound.listener.name

    @property
    def socket(self) -> SocketIndex:
        """The index of its socket."""
        return self._index

    def stop(self, *, is_paused: bool) -> None:
        """Take the connections that wait, if there is room and no other server takes them; then nothing more.

        :param is_paused: an operator has paused the listener: they stay where they are.
        """
        if not (is_paused or self._bound.transport.outlives):
            for _ in range(_LAST_TURNS):
                if self._accepting.is_resting or self._accept() < ACCEPTS_PER_TURN:
                    break
        self.pause()

    # --- system.accepting.Side

    def watch(self) -> None:
        """Have the loop tell of connections."""
        self._loop.watch(self._bound.socket.fileno(), EPOLLIN, self._on_event)

    def unwatch(self) -> None:
        """Have it tell no more."""
        self._loop.unwatch(self._bound.socket.fileno())

    def has_room(self) -> bool:
        """Return whether a worker can take a connection now."""
        return self._dispatch.has_room(self._index)

    def take(self, fd: int, sockaddr: object) -> None:
        """Choose a worker."""
        self._dispatch.place(self._bound, fd, sockaddr)

    def _on_event(self, mask: int) -> None:  # noqa: ARG002
        self._accept()

    def _accept(self) -> int:
        self._dispatch.refresh()
        taken = self._accepting.accept(ACCEPTS_PER_TURN)
        self._dispatch.flush()
        return taken
