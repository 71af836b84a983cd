"""Closing connections whose peers are still sending.

close(2) with unread input sends RST, which destroys what the peer has not read of our last words. So our side is ended,
and the input is read and dropped until the peer has ended too, is silent, or has had time enough; as with nginx's
`lingering_close on`, there is no bound for the bytes: a client that uploads a file and is refused reads the refusal.

Unread input is the sign of such a peer, in the kernel or in a layer, and so is input that came while its last output
left, which is dropped (hot/dropping.py). A protocol that knows that more will come, and has not seen it, waits for it
before it closes (http1/ending.py).
"""

from __future__ import annotations

import logging
import sys
from select import EPOLLIN
from socket import SHUT_WR
from typing import TYPE_CHECKING

from corepool.hot.sockets import drop_input, shut_down
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    import asyncio

    from corepool.hot.reactor import Reactor
    from corepool.hot.site import Held

log = logging.getLogger(__name__)

SILENCE_S = 2.0
"""How long a peer may be silent before its connection is reset (nginx's lingering_timeout: 5 s)."""

MAX_TIME_S = 30.0
"""How long it may go on sending in all (nginx's lingering_time)."""

MAX_LINGERING = 512
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

    def take(self, conn: Held, fd: int) -> bool:
        """Keep a connection whose peer is still sending, and own `fd`; False when it isn't.

        A close with unread input sends RST, which destroys the part of our last words that the peer has not read. So
        does any input that comes after a close.
        """
        holds_input = conn.layers is not None and conn.layers.holds_bytes
        dropped = drop_input(fd)
        if dropped is None or not (dropped or conn.drops_input or holds_input):
            return False
        shut_down(fd, SHUT_WR)
        return self.add(fd)

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
        all_of_them.reactor.add(self._fd, self, EPOLLIN)
        self._heard_at = all_of_them.loop.time()
        self._until = self._heard_at + MAX_TIME_S
        self._timer = all_of_them.loop.call_later(SILENCE_S, self._look)

    def on_event(self, mask: int) -> None:  # noqa: ARG002  # whatever it is, the input tells
        dropped = drop_input(self._fd)
        if dropped:
            self._heard_at = self._all.loop.time()
        elif dropped is None:
            self.finish()

    def _look(self) -> None:
        """Finish, if it is time; the timer isn't set for each piece that arrives."""
        now = self._all.loop.time()
        due = min(self._heard_at + SILENCE_S, self._until)
        if now >= due:
            self.finish()
        else:
            self._timer = self._all.loop.call_at(due, self._look)

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
