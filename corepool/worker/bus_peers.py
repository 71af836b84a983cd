"""The other workers on the bus, as one that publishes sees them. `bus_peer.py` has one of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.ipc import bus_records
from corepool.ipc.bus_board import hashed
from corepool.ipc.bus_records import HEADER_SIZE, MAX_PACKET
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events
from corepool.worker.bus_peer import File, Peer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool.hot.reactor import Reactor
    from corepool.ipc.bus_board import Hashed, PeerTable
    from corepool.worker.bus_topics import Patterns

log = logging.getLogger(__name__)


class Peers:
    """All of them."""

    def __init__(
        self,
        reactor: Reactor,
        loop: asyncio.AbstractEventLoop,
        flush_later: Callable[[], None],
        queue_bytes: int,
    ) -> None:
        """Begin without any.

        :param flush_later: has `flush` called at the end of the batch.
        :param queue_bytes: the most that may wait for each.
        """
        self._queue_bytes = queue_bytes
        self._reactor = reactor
        self._loop = loop
        self._flush_later = flush_later
        self._peers: dict[int, Peer] = {}
        self._dirty: dict[Peer, None] = {}
        """Those with messages that are in no packet yet."""
        self._rate_limited = RateLimitedLog(log)

    def __contains__(self, number: object) -> bool:
        return number in self._peers

    def add(self, number: int, mailbox: int, table: PeerTable) -> None:
        """Begin to send to a worker; owns the descriptor of its mailbox."""
        self._peers[number] = Peer(self._reactor, self._loop, mailbox, table, self._queue_bytes)

    def remove(self, number: int) -> None:
        """Forget a worker that has ended, if it is known."""
        peer = self._peers.pop(number, None)
        if peer is not None:
            self._dirty.pop(peer, None)
            peer.close()

    def wanting(self, topic: bytes) -> int:
        """Count their subscriptions that a message would reach. From any thread."""
        key = hashed(topic)
        return sum(peer.table.wanting(key) for peer in list(self._peers.values()))

    def publish(self, topic: bytes, data: bytes) -> int:
        """Send a message to those that want it, and return how many were dropped for it."""
        key = hashed(topic)
        wanting = [peer for peer in self._peers.values() if peer.table.wanting(key)]
        if not wanting:
            return 0
        if HEADER_SIZE + len(topic) + len(data) > MAX_PACKET:
            return self._publish_file(wanting, key, data)
        record = bus_records.message(topic, data)
        dropped = 0
        for peer in wanting:
            dropped += peer.add(record)
            self._dirty[peer] = None
        self._flush_later()
        return dropped

    def _publish_file(self, wanting: list[Peer], key: Hashed, data: bytes) -> int:
        try:
            file = File(data)
        except OSError as error:  # EMFILE, ENOMEM; EFBIG by `ulimit -f`
            events.bus_message_not_sent(self._rate_limited, size=len(data), reason=error)
            for peer in wanting:
                peer.lose(key.topic)
            return len(wanting)
        record = bus_records.in_file(key.topic, len(data))
        dropped = sum(peer.add_file(record, file, len(record) + len(data)) for peer in wanting)
        file.release()
        return dropped

    def lose(self, topic: bytes, number: int) -> None:
        """Let those that want a topic, or all if it is b"", know of messages that they will not get."""
        key = hashed(topic)
        for peer in self._peers.values():
            if not topic or peer.table.wanting(key):
                peer.lose(topic, number)

    def lose_of(self, patterns: Patterns, count: int) -> None:
        """Let all know of messages of some topics that have never come to the bus."""
        for record in bus_records.lost_of(*patterns, count):
            for peer in self._peers.values():
                peer.add(record)
                self._dirty[peer] = None
        self._flush_later()

    def flush(self) -> int:
        """Send the messages of this batch, and return how many older ones were dropped for them."""
        dirty, self._dirty = self._dirty, {}
        return sum(peer.seal() for peer in dirty)

    def send_again(self) -> None:
        """Try again to send what waits: the loop, which would, turns no more."""
        for peer in self._peers.values():
            peer.send_again()

    @property
    def is_done(self) -> bool:
        """True when no message waits for a mailbox."""
        return all(peer.is_done for peer in self._peers.values())

    def close(self) -> None:
        """Drop what waits, and release the mailboxes. Idempotent."""
        for number in list(self._peers):
            self.remove(number)
