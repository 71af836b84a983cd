"""Crash slots: the state of each connection that is to outlive a crash of its worker, in shared memory.

A crash slot is a byte of status, a word about a reply that is being sent, and room for the state that another worker
needs. The master allocates and frees crash slots; in between, the connection's worker writes, from just before it
acknowledges the connection. So no two processes ever write the same cell, and nothing is locked.
"""

from __future__ import annotations

import mmap
from enum import IntEnum

CRASH_SLOTS = 65_536
"""Connections that can be kept at once in all pools. Untouched memory costs nothing."""

STATE_BYTES = 512
"""Room for what another worker has to know; while a connection has more to say it doesn't count as idle."""

LENGTH_BITS = 24

MAX_ANNOUNCED = (1 << LENGTH_BITS) - 1
"""Bytes a reply may have, to be known whole or not at all."""


class Status(IntEnum):
    """Where a connection stands. A crash finds it there."""

    FREE = 0
    BUSY = 1  # something has begun, and no byte of a reply has left
    IDLE = 2  # between requests: another worker may go on
    SENDING = 3  # a whole reply is being sent in one go, after which it is idle: all of it has left, or nothing
    SPEAKING = 4  # some of a reply has left, and more is to come
    CLOSED = 5  # its worker has closed it: the crash slot is the master's again


_CLOSED = bytes((Status.CLOSED,))


class CrashSlots:
    """All of them. Made by the master before the first fork; workers inherit the mapping. Crash slot 0 means none."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, CRASH_SLOTS)
        self.statuses = memoryview(self._map)
        """A `Status` each, as bytes."""
        self.sending = memoryview(mmap.mmap(-1, CRASH_SLOTS * 8)).cast("Q")
        """Of a reply that is being sent in one go: bytes sent before it << LENGTH_BITS | bytes that it has."""
        self._states = memoryview(mmap.mmap(-1, CRASH_SLOTS * STATE_BYTES))
        self._lengths = memoryview(mmap.mmap(-1, CRASH_SLOTS * 2)).cast("H")
        """How much of its room each state takes."""

    def clear(self, crash_slot: int) -> None:
        """Forget the state that was written."""
        self._lengths[crash_slot] = 0

    def write(self, crash_slot: int, state: bytes) -> bool:
        """Write what another worker has to know; False: it is too long."""
        length = len(state)
        if length > STATE_BYTES:
            return False
        start = crash_slot * STATE_BYTES
        self._lengths[crash_slot] = length
        self._states[start : start + length] = state
        return True

    def read(self, crash_slot: int) -> bytes:
        """Return the state that was written last; empty: none was."""
        start = crash_slot * STATE_BYTES
        return bytes(self._states[start : start + self._lengths[crash_slot]])

    def announced(self, crash_slot: int) -> tuple[int, int]:
        """Return the last announcement: the bytes sent before, and those of the reply."""
        return self.sending[crash_slot] >> LENGTH_BITS, self.sending[crash_slot] & MAX_ANNOUNCED

    def closed(self, last: int) -> list[int]:
        """List the crash slots up to `last` whose connections were closed."""
        find, crash_slot = self._map.find, 0
        found = []
        while (crash_slot := find(_CLOSED, crash_slot + 1, last + 1)) > 0:
            found.append(crash_slot)
        return found
