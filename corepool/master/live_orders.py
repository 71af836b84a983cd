"""Orders that change how pools serve until the master ends, whatever their configuration says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.errors import ControlError
from corepool.ipc.messages import LogLevel, Pause, Resume
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.master.pools import Pools
    from corepool.master.upgrade import Upgrade

log = logging.getLogger(__name__)

_LOG_LEVELS = ("debug", "info", "warning", "error")


class LiveOrders:
    """Paused listeners, and the level of the log."""

    def __init__(self, pools: Pools, upgrade: Upgrade, paused: set[str]) -> None:
        """Begin with the paused listeners.

        :param paused: their names, which others look at.
        """
        self._pools = pools
        self._upgrade = upgrade
        self._paused = paused

    def pause_listener(self, name: str) -> None:
        """Leave new connections of a listener in the kernel's backlog; open ones go on.

        :raises ControlError: there is none of that name, or an upgrade is under way.
        """
        self._upgrade.refuse_orders()
        self._tell_listener(name, Pause)
        self._paused.add(name)
        self._resume_acceptors()
        events.listener_paused(log, name=name)

    def resume_listener(self, name: str) -> None:
        """Take connections of a listener again.

        :raises ControlError: there is none of that name, or an upgrade is under way.
        """
        self._upgrade.refuse_orders()
        self.accept_again([name])
        events.listener_resumed(log, name=name)

    def accept_again(self, names: Iterable[str]) -> None:
        """Take connections of some listeners again.

        :raises ControlError: there is none of such a name.
        """
        for name in names:
            self._tell_listener(name, Resume)
            self._paused.discard(name)
        self._resume_acceptors()

    def set_log_level(self, level: str) -> None:
        """Log records of `level` and above: here, in every worker, and in those to come.

        :raises ControlError: there is no such level, or an upgrade is under way.
        """
        self._upgrade.refuse_orders()
        if level not in _LOG_LEVELS:
            raise ControlError(f"no log level {level!r}; there are: {', '.join(_LOG_LEVELS)}")
        logging.getLogger().setLevel(level.upper())
        for pool in self._pools:
            pool.tell(LogLevel(logging.getLogger().level))

    def _tell_listener(self, name: str, order: type[Pause | Resume]) -> None:
        """Send an order to the workers that accept from a listener's sockets."""
        known: set[str] = set()
        for pool in self._pools.serving.values():
            for bound in pool.serving.bound:
                known.add(bound.listener.name)
                if bound.listener.name == name:
                    pool.tell(order(bound.index))
        if name not in known:
            raise ControlError(f"no listener named {name!r}; there are: {', '.join(sorted(known))}")

    def _resume_acceptors(self) -> None:
        for pool in self._pools.serving.values():
            pool.acceptors.resume()
