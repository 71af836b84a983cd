"""The mailbox of a worker: the socket to which its peers on the bus send.

A SEQPACKET pair of sockets. One end is read here. The other is handed to every peer: the packets of several writers are
never mixed. Each event takes some packets, then the clients of the worker have their turn.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import GarbageError
from corepool.files.descriptors import release
from corepool.ipc import bus_records
from corepool.ipc.bus_records import FILE, LOST, MESSAGE
from corepool.ipc.channel import receive
from corepool.ipc.sealed import read_sealed
from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.bus import MAX_MESSAGE_BYTES
from corepool.worker import events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from corepool.hot.reactor import Reactor

log = logging.getLogger(__name__)

_MAX_PACKETS = 8
"""Taken in one event: 4,000 messages of 100 bytes."""

_READ_AGAIN_S = 0.05
"""When the system refuses to give what peers have sent, it is tried again after this long."""

_SPACE = socket.CMSG_SPACE(4)
"""Of ancillary data: one descriptor comes with a packet at most."""


class Mailbox:
    """A source of the reactor. Owns its end."""

    def __init__(
        self,
        reactor: Reactor,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[bytes, bytes], None],
        on_lost: Callable[[bytes, int], None],
        on_lost_of: Callable[[int, Sequence[bytes], Sequence[bytes]], None],
    ) -> None:
        """Make it, and read it from now on.

        :param on_message: called with topic and data of each message; must not raise.
        :param on_lost: called with a topic, or b"" for several that are not known, and how many messages of it were
            lost.
        :param on_lost_of: called with how many messages were lost, and the topics and prefixes of which they were some.
        :raises OSError: the system has no descriptor or memory to give.
        """
        self._reactor = reactor
        self._loop = loop
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_lost_of = on_lost_of
        self._socket, self.sending_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        """Closed by the caller, once it is handed to the others."""
        self._is_open = True
        self._rate_limited = RateLimitedLog(log)
        try:
            reactor.add(self._socket.fileno(), self, EPOLLIN)
        except OSError:
            self._socket.close()
            self.sending_end.close()
            raise

    def close(self) -> None:
        """Read no more. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._reactor.discard(self._socket.fileno(), self)
            self._socket.close()

    def on_event(self, mask: int) -> None:  # noqa: ARG002  # the end is read as such
        """Take some packets."""
        for _ in range(_MAX_PACKETS):
            if not self._is_open or not self._take():
                return

    def _take(self) -> bool:
        """Take one packet, if there is one."""
        received = receive(self._socket, _SPACE, 0)
        if received is None:
            return False
        if isinstance(received, int):
            raise OSError(received, os.strerror(received))
        packet, fds, _ = received
        if not packet:  # no sender is left, the master included
            self.close()
            return False
        try:
            self._deliver(packet, fds)
        except GarbageError as error:
            events.bus_garbage(self._rate_limited, reason=error)
        finally:
            for fd in fds:
                release(fd)
        return True

    def _deliver(self, packet: bytes, fds: list[int]) -> None:
        on_message = self._on_message
        for kind, topic, data in bus_records.read(packet):
            if kind == MESSAGE:
                on_message(topic, data)
            elif kind == LOST:
                self._on_lost(topic, bus_records.count_of(data))
            elif kind == FILE:
                self._deliver_file(topic, fds)
            else:
                self._on_lost_of(*bus_records.patterns_of(data))

    def _deliver_file(self, topic: bytes, fds: list[int]) -> None:
        try:
            data = read_sealed(fds, MAX_MESSAGE_BYTES)
        except (OSError, ValueError) as error:
            events.bus_message_not_received(self._rate_limited, reason=error)
            self._on_lost(topic, 1)
        else:
            self._on_message(topic, data)

    def on_failure(self) -> None:
        """Log what the system, or a bug of ours, has done; the mailbox is level-triggered, so nothing is lost."""
        error = sys.exception()
        if isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.ENFILE):
            events.bus_message_not_received(self._rate_limited, reason=error)
            # It would be reported again at once.
            self._reactor.discard(self._socket.fileno(), self)
            self._loop.call_later(_READ_AGAIN_S, self._read_again)
        else:
            events.bus_failed.exception(self._rate_limited, error)

    def _read_again(self) -> None:
        if self._is_open:
            try:
                self._reactor.add(self._socket.fileno(), self, EPOLLIN)
            except OSError:
                self._loop.call_later(_READ_AGAIN_S, self._read_again)

    def flush(self) -> None:
        """Do nothing: nothing is sent here."""
