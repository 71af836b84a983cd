"""The new master, which serves in the place of this one, and the connections from our workers that are sent to it.

They go by the channel of upgrading.py. The new master takes them between its own events, so for a moment the channel
may be full: connections that come then wait here, our loop goes on, and our workers are asked to wait as well
(`NewMaster.is_holding`). A new master that takes nothing for a while counts as stopped or stuck for good. The waiting
connections are closed then, all at once, and so are later ones: clients whose connections are closed can connect anew.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.messages import Thaw
from corepool.ipc.new_connections import NewConnections
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from corepool.ipc.channel import Channel
    from corepool.ipc.shapes import SocketIndex
    from corepool.master.ledger import Handoff
    from corepool.master.loop import Loop, Timer

log = logging.getLogger(__name__)

_PATIENCE_S = 2.0
"""How long a new master may take nothing of what waits for it."""

_RETRY_S = 0.01
"""How soon a full channel is tried again. Not by EPOLLOUT: ETOOMANYREFS comes from a channel that has room."""


class NewMaster:
    """The new master, once it is ready. Owns the channel to it."""

    def __init__(
        self, loop: Loop, channel: Channel, places: Mapping[SocketIndex, SocketIndex], on_room: Callable[[], None]
    ) -> None:
        """Begin with nothing that waits.

        :param places: by the indices of our bound sockets, what the new master calls them.
        :param on_room: called when nothing waits any more.
        """
        self._loop = loop
        self._channel: Channel | None = channel
        self._places = places
        self._on_room = on_room
        self._waiting: deque[tuple[NewConnections | Thaw, int]] = deque()
        self._retry: Timer | None = None
        self._moved_at = 0.0
        self._rate_limited = RateLimitedLog(log)

    @property
    def sockets(self) -> Collection[SocketIndex]:
        """The sockets that it was given."""
        return self._places.keys()

    @property
    def is_holding(self) -> bool:
        """True while connections wait for room in the channel."""
        return bool(self._waiting)

    def give(self, handoff: Handoff) -> None:
        """Send it a connection, at once or as soon as it has room, and own it; one that it does not take is lost."""
        place = self._places.get(handoff.socket)
        if place is None:
            events.connections_lost(self._rate_limited, reason="the new master has no socket of theirs")
            release(handoff.fd)
            return
        if handoff.frozen is None:
            message: NewConnections | Thaw = NewConnections(place, 1)
        else:
            message = Thaw(place, (handoff.frozen,))
        self._waiting.append((message, handoff.fd))
        if self._retry is None:
            self._moved_at = self._loop.time()
            self._send()

    def release(self) -> None:
        """End the channel to it: nothing more comes. Idempotent."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        while self._waiting:
            release(self._waiting.popleft()[1])
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _retry_now(self) -> None:
        self._retry = None
        self._send()
        if not self._waiting:
            self._on_room()

    def _send(self) -> None:
        while self._waiting:
            message, fd = self._waiting[0]
            if self._channel is None:
                self._give_up()
                return
            try:
                self._channel.send(message, [fd])
            except PeerGoneError:
                self._give_up()
                return
            except ChannelFullError:
                if self._loop.time() - self._moved_at > _PATIENCE_S:
                    self._give_up()
                else:
                    self._retry = self._loop.call_later(_RETRY_S, self._retry_now)
                return
            self._waiting.popleft()
            release(fd)
            self._moved_at = self._loop.time()

    def _give_up(self) -> None:
        events.connections_lost(
            self._rate_limited, reason="the new master does not take them", count=len(self._waiting)
        )
        self.release()
