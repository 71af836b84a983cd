"""Another worker on the bus, as one that publishes sees it: its mailbox, and a queue while that is full.

Messages for a peer are gathered until the batch ends, or a packet is full, and leave in one system call. A mailbox that
is full is watched until it has room. Meanwhile packets wait in a queue, which has a bound: then the oldest are dropped,
and the peer is told of how many, in their place. So a worker that is slow, stuck or stopped costs others some memory.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections import deque
from select import EPOLLOUT
from typing import TYPE_CHECKING, NamedTuple

from corepool.files.descriptors import release
from corepool.ipc import bus_records
from corepool.ipc.bus_records import HEADER_SIZE, MAX_PACKET
from corepool.ipc.channel import send
from corepool.ipc.sealed import sealed
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events
from corepool.worker.bus_kept import Losses

if TYPE_CHECKING:
    import asyncio

    from corepool.hot.reactor import Reactor
    from corepool.ipc.bus_board import PeerTable

log = logging.getLogger(__name__)

MAX_QUEUE_BYTES = 16 * 2**20
"""For each peer; 100,000 messages of 100 bytes. It is used only while the peer does not read."""

MAX_FILES = 64
"""Of packets in a queue, each of which keeps a descriptor."""

_RETRY_S = 0.01
"""How soon sending is tried again when the system, and not the mailbox, refuses: ETOOMANYREFS, ENOBUFS, ENOMEM."""

_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ECONNREFUSED, errno.EBADF})


class File:
    """Data that is too long for a packet, in a sealed file for all peers that get it."""

    __slots__ = ("_users", "fd")

    def __init__(self, data: bytes) -> None:
        """Make it, for one user.

        :raises OSError: the system has no descriptor or memory to give.
        """
        self.fd = sealed(data, "message")
        self._users = 1

    def share(self) -> None:
        """Have one more user."""
        self._users += 1

    def release(self) -> None:
        """Have one user less; the last one closes it."""
        self._users -= 1
        if not self._users:
            release(self.fd)


class _Packet(NamedTuple):
    records: bytes
    size: int
    """Bytes that it keeps, its file included."""
    file: File | None


class Peer:
    """One of them. Owns the sending end of its mailbox; a source of the reactor while that is full."""

    def __init__(
        self, reactor: Reactor, loop: asyncio.AbstractEventLoop, mailbox: int, table: PeerTable, queue_bytes: int
    ) -> None:
        """Take over the descriptor of a mailbox.

        :param queue_bytes: the most that may wait for it.
        """
        self._max_queue_bytes = queue_bytes
        self._reactor = reactor
        self._loop = loop
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, mailbox)
        self._fd = mailbox
        self.table = table
        self._pending: list[bytes] = []
        """Records that are in no packet yet."""
        self._pending_bytes = 0
        self._queue: deque[_Packet] = deque()
        self._queue_bytes = 0
        self._files = 0
        self._lost = Losses()
        """Since the peer was told last."""
        self._waits = self._is_watched = False
        """For the mailbox to have room; or for the system, or it."""
        self._is_gone = False
        self._rate_limited = RateLimitedLog(log)

    def add(self, record: bytes) -> int:
        """Send a message with the next packet, and return how many were dropped for it."""
        size = len(record)
        dropped = self.seal() if self._pending_bytes + size > MAX_PACKET else 0
        self._pending.append(record)
        self._pending_bytes += size
        return dropped

    def add_file(self, record: bytes, file: File, size: int) -> int:
        """Send a message whose data is in a file, and return how many were dropped for it."""
        dropped = self.seal()
        file.share()
        return dropped + self._put(_Packet(record, size, file))

    def seal(self) -> int:
        """Send the messages added, as soon as the mailbox takes them; return how many were dropped for them."""
        if not self._pending:
            return 0
        records = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        if not (self._waits or self._queue or self._lost) and self._send(records, ()):
            return 0
        return self._put(_Packet(records, len(records), None))

    def lose(self, topic: bytes, number: int = 1) -> None:
        """Count messages that the peer will not get, and let it know."""
        self.seal()
        self._lost.count(topic, number)
        if not self._waits and not self._is_gone:
            self._transmit()

    @property
    def is_done(self) -> bool:
        """True when nothing waits for the mailbox."""
        return not self._queue and not self._pending

    def close(self) -> None:
        """Drop what waits, and release the mailbox. Idempotent."""
        if not self._is_gone:
            self._is_gone = True
            self._unwatch()
            self._pending.clear()
            self._pending_bytes = 0
            while self._queue:
                self._pop()
            release(self._socket.detach())

    # --- a source of the reactor

    def on_event(self, mask: int) -> None:  # noqa: ARG002  # a hang-up is found by sending
        """Go on sending: the mailbox has room."""
        self._waits = False
        self._transmit()
        if not self._waits:
            self._unwatch()

    def on_failure(self) -> None:
        """Log what should not happen."""
        events.bus_failed.exception(self._rate_limited, sys.exception())

    def flush(self) -> None:
        """Do nothing: output leaves by `seal`."""

    # --- packets

    def _put(self, packet: _Packet) -> int:
        if self._is_gone:
            if packet.file is not None:
                packet.file.release()
            return 0
        self._queue.append(packet)
        self._queue_bytes += packet.size
        self._files += packet.file is not None
        if not self._waits:
            self._transmit()
        dropped = 0
        while (self._queue_bytes > self._max_queue_bytes or self._files > MAX_FILES) and len(self._queue) > 1:
            for _, topic, _ in bus_records.read(self._pop()):
                self._lost.count(topic)
                dropped += 1
        return dropped

    def _pop(self) -> bytes:
        """Take the oldest packet out of the queue, and return its records."""
        packet = self._queue.popleft()
        self._queue_bytes -= packet.size
        if packet.file is not None:
            self._files -= 1
            packet.file.release()
        return packet.records

    def _transmit(self) -> None:
        while self._queue or self._lost:
            if self._lost:
                records = b"".join(bus_records.lost(topic, count) for topic, count in self._some_lost())
                if not self._send(records, ()):
                    return
                for topic, _ in self._some_lost():
                    del self._lost[topic]
            else:
                packet = self._queue[0]
                if not self._send(packet.records, () if packet.file is None else (packet.file.fd,)):
                    return
                self._pop()

    def _some_lost(self) -> list[tuple[bytes, int]]:
        """Return as many of the losses as fit a packet."""
        found: list[tuple[bytes, int]] = []
        size = 0
        for topic, count in self._lost.items():
            size += HEADER_SIZE + len(topic) + 4
            if size > MAX_PACKET:
                break
            found.append((topic, count))
        return found

    def _send(self, records: bytes, fds: tuple[int, ...]) -> bool:
        failed = send(self._socket, records, fds)
        if not failed:
            return True
        if failed in _GONE:  # it has died, and the master will say so
            self.close()
            return False
        self._waits = True
        if failed == errno.EAGAIN and self._watch():
            return False
        # There is room in the mailbox, so epoll would report it for ever.
        self._unwatch()
        self._loop.call_later(_RETRY_S, self._retry)
        return False

    def _retry(self) -> None:
        if not self._is_watched:
            self.send_again()

    def send_again(self) -> None:
        """Try again to send what waits, if anything does."""
        if self._waits and not self._is_gone:
            self._waits = False
            self._transmit()

    def _watch(self) -> bool:
        if not self._is_watched:
            try:
                self._reactor.add(self._fd, self, EPOLLOUT)
            except OSError:
                return False
            self._is_watched = True
        return True

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._reactor.remove(self._fd)
