"""Where connections go that a pool can't serve: to another pool of this master, or to a new master."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.ipc.shapes import SocketIndex
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events
from corepool.master.ledger import Handoff

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from corepool.master.recovery import Recovery
    from corepool.master.upgrading import Upgrading
    from corepool.master.worker_pool import WorkerPool
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

_UNKNOWN = SocketIndex(-1)
"""Of a socket that is not ours any more."""


class OtherPools:
    """The way out of every pool (owner.Elsewhere)."""

    def __init__(
        self,
        inherited: Mapping[int, SocketIndex],
        upgrading: Upgrading,
        recovery: Recovery,
        serving: Callable[[], Iterable[WorkerPool]],
        lasting: Callable[[], Iterable[BoundSocket]],
    ) -> None:
        """Prepare.

        :param inherited: the bound sockets that may be the old master's, by the descriptors that it knows them by.
        :param serving: lists the pools that serve.
        :param lasting: lists the sockets that will be served once a reload that is under way is over.
        """
        self._inherited = inherited
        self._upgrading = upgrading
        self._recovery = recovery
        self._serving = serving
        self._lasting = lasting
        self._rate_limited = RateLimitedLog(log)

    def lasting_sockets(self) -> Collection[SocketIndex]:
        """List the sockets that will be served once a reload or an upgrade that is under way is over."""
        if self._upgrading.new_master is not None:
            return self._upgrading.new_master.sockets
        return [bound.index for bound in self._lasting()]

    def take(self, handoff: Handoff) -> None:
        """Pass a connection to the new master, or to the pool that serves its listener now; without one it is lost."""
        if self._upgrading.new_master is not None:
            self._recovery.free(handoff.crash_slot)
            self._upgrading.new_master.give(handoff)
            return
        for pool in self._serving():
            if any(bound.index == handoff.socket for bound in pool.serving.bound):
                pool.dispatch.adopt([handoff])
                return
        events.connections_lost(self._rate_limited, reason="no pool serves their listener any more")
        self._recovery.free(handoff.crash_slot)
        release(handoff.fd)

    def adopt(self, listening_fd: int, fd: int, frozen: bytes | None) -> None:
        """Go on with a connection that the master before us has left.

        :param listening_fd: the socket by which it came in. If that is not ours any more, the connection is lost.
        :param frozen: its state in its worker; None: it has met none.
        """
        # Not by who owns the descriptor now: the socket may be the new master's, or gone, and its number another's.
        self.take(Handoff(fd, self._inherited.get(listening_fd, _UNKNOWN), None, frozen))

    @property
    def is_holding(self) -> bool:
        """True while connections wait until the new master has room."""
        return self._upgrading.new_master is not None and self._upgrading.new_master.is_holding
