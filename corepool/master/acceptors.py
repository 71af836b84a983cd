"""The acceptors of a pool, one for each bound socket; some of them may be paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.master.acceptor import Acceptor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from corepool.master.dispatch import Dispatch
    from corepool.master.loop import Loop
    from corepool.plugins.listener import BoundSocket


class Acceptors:
    """Accepts while the dispatch has room, except from listeners that an operator has paused."""

    def __init__(self, loop: Loop, dispatch: Dispatch, paused: Collection[str]) -> None:
        """Begin with no socket.

        :param paused: the names of the paused listeners; looked at whenever accepting begins anew.
        """
        self._loop = loop
        self._dispatch = dispatch
        self._paused = paused
        self._acceptors: list[Acceptor] = []

    def use(self, bound: Iterable[BoundSocket]) -> None:
        """Accept from these from now on; nothing more is taken from those before."""
        self.pause()
        self._acceptors = [
            Acceptor(each, self._loop, self._dispatch) for each in bound if not each.listener.dispatcher.worker_accepts
        ]
        self.resume()

    def pause(self) -> None:
        """Leave connections in the backlogs."""
        for acceptor in self._acceptors:
            acceptor.pause()

    def resume(self) -> None:
        """Accept, where there is room."""
        for acceptor in self._acceptors:
            if acceptor.listener in self._paused or self._dispatch.holds_up(acceptor.socket):
                acceptor.pause()
            elif not self._dispatch.paused:
                acceptor.resume()

    def stop(self) -> None:
        """Accept the waiting connections, if there is room, and then stop accepting."""
        for acceptor in self._acceptors:
            acceptor.stop(is_paused=acceptor.listener in self._paused)
        self._acceptors = []
