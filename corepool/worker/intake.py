"""The worker's end of the channel to the master."""

from __future__ import annotations

import logging
import sys
from collections import deque
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.messages import (
    FrozenConnections,
    Leaving,
    Message,
    Room,
    Thaw,
)
from corepool.ipc.new_connections import NewConnections
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from corepool.hot.reactor import Reactor
    from corepool.ipc.channel import Channel
    from corepool.ipc.shapes import SocketIndex
    from corepool.worker.counts import ConnectionCounts
    from corepool.worker.service import Service

log = logging.getLogger(__name__)

_SAY_RETRY_S = 0.05
"""When the channel to the master is full (it is not reading), a message is tried again after this long."""


_HEAR_AGAIN_S = 0.05
"""When the system refuses to give what the master has sent, it is tried again after this long."""

_CONNECTIONS = (NewConnections, Thaw)
"""The messages that bring some. A union would be made anew for each message, in as long as the header is read in."""


class Intake:
    """The worker's end of the channel: connections and orders of the master."""

    def __init__(
        self,
        channel: Channel,
        services: Mapping[SocketIndex, Service],
        counts: ConnectionCounts,
        loop: asyncio.AbstractEventLoop,
        on_order: Callable[[Message, list[int]], None],
        on_exhausted: Callable[[], None],
        on_orphaned: Callable[[], None],
    ) -> None:
        """Serve what comes by `channel`.

        :param services: by the index of their bound socket.
        :param on_order: called with whatever is not a connection, and owns the descriptors that came with it.
        :param on_exhausted: called when the process is out of descriptors, so that it can take no more connections.
        :param on_orphaned: called when the master is gone.
        """
        self._channel = channel
        self._services = services
        self._counts = counts
        self._loop = loop
        self._on_order = on_order
        self._on_exhausted = on_exhausted
        self._on_orphaned = on_orphaned
        self._reactor: Reactor | None = None
        """None: nothing is heard, not yet or no more."""
        self._open = True
        self._rate_limited = RateLimitedLog(log)
        counts.on_room.append(self._say_room)

    def watch(self, reactor: Reactor) -> None:
        """Hear the master from now on.

        :raises OSError: ENOSPC, ENOMEM: there is no room to watch it.
        """
        reactor.add(self._channel.fd, self, EPOLLIN)
        self._reactor = reactor

    def ignore(self) -> None:
        """Hear the master no more. Idempotent."""
        if self._reactor is not None:
            self._reactor.discard(self._channel.fd, self)
            self._reactor = None

    def _hear(self, reactor: Reactor) -> None:
        if self._reactor is not None:
            try:
                self.watch(reactor)
            except OSError:
                self._loop.call_later(_HEAR_AGAIN_S, self._hear, reactor)

    def on_event(self, mask: int) -> None:  # noqa: ARG002  # hang-up included: receive tells
        """Take one message: a batch of connections at most, then the ready ones get their turn."""
        try:
            received = self._channel.receive()
        except PeerGoneError:
            self._on_orphaned()
            return
        if received is None:
            return
        message, fds = received
        if not isinstance(message, _CONNECTIONS):
            self._on_order(message, fds)
            return
        if not self._open:
            for fd in fds:  # sent before the master heard `Leaving`; never acknowledged, so still the master's
                release(fd)
            return
        arrived = deque(fds)
        try:
            self._take(message, arrived)
        finally:
            if arrived:
                # Whatever has failed: the master takes what comes next for the acknowledgement of these.
                for fd in arrived:
                    release(fd)
                self._on_exhausted()
        if len(fds) < message.connections:
            events.handoffs_not_received(self._rate_limited, received=len(fds), sent=message.connections)
            self._on_exhausted()

    def _take(self, message: NewConnections | Thaw, arrived: deque[int]) -> None:
        """Take the descriptors of a message out of `arrived`, one by one."""
        service = self._services[message.socket]
        # Acknowledged one by one, each before its first hook: if that hook kills this process, the rest of
        # the batch is dispatched again, and the connection that did it is not.
        take = arrived.popleft
        if isinstance(message, Thaw):
            for record in message.records[: len(arrived)]:
                service.take_frozen(take(), record)
        elif message.crash_slots:
            for crash_slot in message.crash_slots[: len(arrived)]:
                service.take_handed_over(take(), crash_slot)
        else:
            for _ in range(len(arrived)):
                service.take_handed_over(take())

    def on_failure(self) -> None:
        """Log what the system, or a bug of ours, has done; the channel is level-triggered, so nothing is lost."""
        error = sys.exception()
        if isinstance(error, OSError) and self._reactor is not None:
            events.master_not_read(self._rate_limited, reason=error)
            # It would be reported again at once.
            self._reactor.remove(self._channel.fd)
            self._loop.call_later(_HEAR_AGAIN_S, self._hear, self._reactor)
        else:
            events.master_message_failed.exception(self._rate_limited, error)

    def flush(self) -> None:
        """Do nothing: messages leave when they are sent."""

    def say(self, message: Message) -> bool:
        """Send a message to the master; False when it can't be sent now. A master that is gone counts as told."""
        try:
            self._channel.send(message)
        except ChannelFullError:
            return False
        except PeerGoneError:
            pass  # on_event meets it too, and acts on it
        return True

    def hand_back(self, socket: SocketIndex, records: list[bytes], fds: list[int]) -> bool:
        """Send connections to the master, for another worker; False when they can't be sent now."""
        try:
            self._channel.send(FrozenConnections(socket, records), fds)
        except (ChannelFullError, PeerGoneError):
            return False
        return True

    def say_surely(self, message: Message) -> None:
        """Send a message to the master, as soon as it can be sent."""
        if not self.say(message):
            self._loop.call_later(_SAY_RETRY_S, self.say_surely, message)

    def stop(self) -> None:
        """Take nothing more: connections that are not acknowledged go back to the master."""
        self._open = False
        self.say_surely(Leaving())

    def _say_room(self) -> None:
        if not self._counts.full and not self.say(Room()):
            self._loop.call_later(_SAY_RETRY_S, self._say_room)
