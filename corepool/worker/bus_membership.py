"""The way of a worker into the bus of its master: it asks for the others, and hands out its own mailbox and table.

The scoreboard has the number of joins, which the master writes before it tells of one; so a worker knows at any time
whether it is behind (`is_behind`), and keeps its messages until it is not.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from corepool.errors import GarbageError
from corepool.files.descriptors import release
from corepool.ipc.bus_board import PeerTable
from corepool.ipc.messages import BusJoined, BusPeerGone, BusPeers, JoinBus
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from corepool.worker.bus_peers import Peers

log = logging.getLogger(__name__)

_SAY_AGAIN_S = 0.05
"""When the channel to the master is full, it is told again after this long."""

_ASK_AGAIN_S = 0.2
"""When this process had no room for others, the master is asked for them again after this long."""


class Membership:
    """The part of this worker in the bus."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        peers: Peers,
        joins: Callable[[], int],
        say: Callable[[JoinBus, Sequence[int]], bool] | None,
        on_known: Callable[[], None],
    ) -> None:
        """Take no part yet.

        :param joins: returns how many workers have ever joined.
        :param say: sends a message and descriptors to the master; False: not now. None: there is no master, and no
            other worker.
        :param on_known: called when this worker is behind no more.
        """
        self._loop = loop
        self._peers = peers
        self._joins = joins
        self._say = say
        self._on_known = on_known
        self._number = secrets.randbits(63) + 1
        self._known = 0
        """The number of joins up to which the others are known."""
        self._unanswered = 0
        """How often it has said that it joins, and was not told yet that it has."""
        self._is_asking = self._is_member = False
        self._will_ask_again = False
        self._when_active: list[Callable[[], None]] = []
        self._rate_limited = RateLimitedLog(log)

    @property
    def is_behind(self) -> bool:
        """True while there are workers that this one does not know."""
        return self._known != self._joins()

    @property
    def is_active(self) -> bool:
        """True when all others know this worker, or will before they send anything more."""
        return self._is_member and not self._unanswered

    def when_active(self, call: Callable[[], None]) -> None:
        """Call `call` as soon as it is active, which may be now."""
        if self.is_active:
            call()
        else:
            self._when_active.append(call)

    def ask_if_behind(self) -> None:
        """Ask for the others, as a publisher, unless there are none or they are known. Idempotent."""
        if not self._is_asking and self.is_behind:
            self._join(())

    def enter(self, mailbox: int, table: int) -> None:
        """Have the others send to this worker; owns the descriptors. Once."""
        self._is_member = True
        self._join((mailbox, table))

    def _join(self, fds: Sequence[int]) -> None:
        self._is_asking = True
        if self._say is not None:
            self._unanswered += 1
            self._tell(self._say, fds)
        else:
            _release(fds)

    def _tell(self, say: Callable[[JoinBus, Sequence[int]], bool], fds: Sequence[int]) -> None:
        if say(JoinBus(self._number), fds):
            _release(fds)
        else:
            self._loop.call_later(_SAY_AGAIN_S, self._tell, say, fds)

    def heard(self, message: BusPeers | BusPeerGone | BusJoined, fds: Sequence[int]) -> None:
        """Take what the master has said; owns the descriptors that came with it."""
        match message:
            case BusPeers(joins=joins, numbers=numbers):
                self._add(numbers, fds)
                self._known = max(self._known, joins)
            case BusPeerGone(number=number):
                self._peers.remove(number)
            case BusJoined(joins=joins):
                self._known = max(self._known, joins)
                self._unanswered -= 1
                if self.is_active:
                    calls, self._when_active = self._when_active, []
                    for call in calls:
                        call()
        if not self.is_behind:
            self._on_known()

    def _add(self, numbers: Sequence[int], fds: Sequence[int]) -> None:
        if len(fds) < 2 * len(numbers):
            events.bus_peers_not_received(self._rate_limited, received=len(fds) // 2, sent=len(numbers))
            self._ask_again_later()
        for number, mailbox, table in zip(numbers, fds[::2], fds[1::2], strict=False):
            if number in self._peers:
                release(mailbox)
            else:
                self._meet(number, mailbox, table)
            release(table)
        if len(fds) % 2:
            release(fds[-1])

    def _meet(self, number: int, mailbox: int, table: int) -> None:
        try:
            self._peers.add(number, mailbox, PeerTable(table))
        except (GarbageError, OSError) as error:
            events.bus_peer_not_known(self._rate_limited, reason=error)
            release(mailbox)
            if isinstance(error, OSError):  # ENOMEM: another version stays another one
                self._ask_again_later()

    def _ask_again_later(self) -> None:
        if not self._will_ask_again:
            self._will_ask_again = True
            self._loop.call_later(_ASK_AGAIN_S, self._ask_again)

    def _ask_again(self) -> None:
        self._will_ask_again = False
        self._join(())


def _release(fds: Sequence[int]) -> None:
    for fd in fds:
        release(fd)
