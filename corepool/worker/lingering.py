"""Closing connections whose peers are still sending.

close(2) with unread input sends RST, which destroys what the peer has not read of our last words. So the input is read
and forgotten until the peer has ended too, within bounds of time, of bytes, and of connections.
"""

from __future__ import annotations

import logging
import os
import sys
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    import asyncio

    from corepool.hot.reactor import Reactor

log = logging.getLogger(__name__)

_TIME_S = 2.0
"""How long a closed connection may go on sending before it is reset (nginx's lingering_timeout is 5 s)."""

_READS = 64
"""How often it is read from: 4 MiB at the most."""

MAX_LINGERING = 256
"""How many there are, of one bound socket. `max_connections` doesn't count them, and clients could take up every
descriptor with them; beyond this the oldest one is reset."""


class Lingerings:
    """The lingering connections of one bound socket."""

    def __init__(self, reactor: Reactor, loop: asyncio.AbstractEventLoop) -> None:
        self.reactor = reactor
        self.loop = loop
        self.rate_limited = RateLimitedLog(log)
        self.open: dict[Lingering, None] = {}
        """In the order of their age."""

    def add(self, fd: int) -> bool:
        """Keep a connection, and own it; False: it can't be watched now."""
        if len(self.open) >= MAX_LINGERING:
            next(iter(self.open)).finish()
        try:
            lingering = Lingering(self, fd)
        except OSError:
            return False
        self.open[lingering] = None
        return True


class Lingering:
    """One connection that is closed for us."""

    def __init__(self, all_of_them: Lingerings, fd: int) -> None:
        self._all = all_of_them
        self._fd = fd
        self._reads_left = _READS
        all_of_them.reactor.add(self._fd, self, EPOLLIN)
        self._timer = all_of_them.loop.call_later(_TIME_S, self.finish)

    def on_event(self, mask: int) -> None:  # noqa: ARG002  # whatever it is, read tells
        self._reads_left -= 1
        try:
            if self._reads_left and os.read(self._fd, 65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # reset: it is over, which is what we wait for
        self.finish()

    def on_failure(self) -> None:
        events.linger_failed.exception(self._all.rate_limited, sys.exception())
        self.finish()

    def flush(self) -> None:
        """Do nothing: nothing is ever buffered."""

    def finish(self) -> None:
        """Close it. To be called once."""
        del self._all.open[self]
        self._timer.cancel()
        self._all.reactor.remove(self._fd)
        self._all.reactor.close_later(self._fd)
