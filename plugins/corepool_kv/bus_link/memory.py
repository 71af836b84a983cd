"""The part of a link that outlives its worker: the pool's name on the channel, and the numbers of messages."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from corepool import MapFullError
from corepool_kv.bus_link.frames import MAX_ORIGINS, ORIGIN_BYTES

if TYPE_CHECKING:
    from corepool import Worker

_NUMBER_BYTES = 8
_KEPT_S = 3600.0
"""A pool that has sent nothing for so long has ended."""

_OWN, _BEGUN = b"own", b"begun"


class Memory:
    """In memory that all workers of the pool share."""

    def __init__(self, worker: Worker, link: str) -> None:
        """Find what another worker may have left.

        :param link: names the link among those of the pool.
        """
        digest = hashlib.sha256(link.encode()).digest()[:ORIGIN_BYTES]
        self._key = digest
        self._map = worker.map("corepool-bus-link", most=MAX_ORIGINS, size=64)
        self._sent = worker.counter(f"corepool-bus-link {digest.hex()}")
        self.origin = self._find_origin()

    def _find_origin(self) -> bytes:
        made = os.urandom(ORIGIN_BYTES)
        try:
            self._map.add(self._key + _OWN, made)
            return self._map.get(self._key + _OWN) or made
        except (MapFullError, TimeoutError):  # a worker was stopped in the middle of a change
            return made

    def begin(self) -> None:
        """Begin to count messages: those that were published since another worker has ended count as one.

        How many they were is not known, and there may be none: a subscriber that asks for what it has missed does so
        once too often.
        """
        try:
            is_first = self._map.add(self._key + _BEGUN, b"")
        except (MapFullError, TimeoutError):  # as above
            is_first = False
        if not is_first:
            self.next_number()

    def next_number(self, count: int = 1) -> int:
        """Count messages that are sent, or lost; return the number of the last one."""
        self._sent.add(count)
        return self._sent.get()

    @property
    def last_number(self) -> int:
        """The number of the last message that was sent."""
        return self._sent.get()

    def known(self) -> dict[bytes, int]:
        """Return the numbers of other pools' last messages, by origin."""
        begin = len(self._key)
        try:
            items = self._map.items()
        except TimeoutError:
            return {}
        return {
            key[begin:]: int.from_bytes(value)
            for key, value in items
            if key.startswith(self._key) and len(value) == _NUMBER_BYTES
        }

    def keep(self, origin: bytes, number: int) -> None:
        """Keep the number of a pool's last message."""
        try:
            self._map.put(self._key + origin, number.to_bytes(_NUMBER_BYTES), _KEPT_S)
        except (MapFullError, TimeoutError):
            pass  # the next worker will count too many
