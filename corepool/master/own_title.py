"""The title of the master's process, kept current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.system.title import Title, count

if TYPE_CHECKING:
    from corepool.master.loop import Loop
    from corepool.master.pools import Pools

_INTERVAL_S = 1.0


class OwnTitle:
    """Shows the pool's name, and the number of its workers."""

    def __init__(self, loop: Loop, pools: Pools, name: str | None) -> None:
        """Prepare; nothing is shown before `start`.

        :param name: of the whole; None: the names of the listeners.
        """
        self._loop = loop
        self._pools = pools
        self._name = name
        self._title = Title()

    def start(self) -> None:
        """Show it from now on."""
        self._show()
        self._loop.repeat(lambda: _INTERVAL_S, self._show)

    def _show(self) -> None:
        listeners = (bound.listener.name for bound in self._pools.sockets())
        name = self._name or ", ".join(dict.fromkeys(listeners))
        self._title.show(f"master [{name}] {count(self._pools.workers, 'worker')}")
