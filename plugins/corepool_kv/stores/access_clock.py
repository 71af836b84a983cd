"""The time at which each key was used last, in memory that the processes of a store share: a read writes no record.

A table of cells of 32 bits, found by the CRC of the key; keys with the same cell have the time of the one that was used
last. That makes a key look younger than it is, never older. There is a cell for each 512 bytes of the store's bound,
so most keys have one of their own.

The owner of the file can truncate it, and then the next use of a key ends a process (SIGBUS).
A sealed memfd could not be truncated, but it has no name by which another pool finds it, nor would it outlive a
restart. So it is as with LMDB's own files, and better in one thing: the process that is started in the place of the
first one makes the file whole again, in its place and so for all.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from corepool_kv.stores.crc import crc_of

if TYPE_CHECKING:
    from pathlib import Path

_UNIT_BITS = 5
"""The clock counts in units of 32 ms."""
_WRAP = 0xFFFFFFFF
_HALF = 1 << 31
"""Units, of 2.2 years: a time that seems to be longer ago is one of the future, by a clock that was set back."""

UNUSED_MS = _HALF << _UNIT_BITS
"""The idle time of a key that was not used since the clock began."""

_CELL_BYTES = 4
_BYTES_OF_A_KEY = 512
"""Of the bound of a store, for each cell."""
_MIN_BITS, _MAX_BITS = 16, 24
_NAME = "access.clock."


def cell_bits(max_bytes: int) -> int:
    """Return the binary logarithm of the number of cells, for a store that may grow to so many bytes."""
    return min(max((max_bytes // _BYTES_OF_A_KEY).bit_length(), _MIN_BITS), _MAX_BITS)


def forget_clocks(folder: Path) -> None:
    """Remove the clocks of a folder: its data are others now."""
    for each in folder.glob(f"{_NAME}*"):
        each.unlink(missing_ok=True)


class AccessClock:
    """The times of all keys of a store. Its methods may be called from any thread, and by any process."""

    def __init__(self, memory: mmap.mmap) -> None:
        """Take memory of 4 bytes for each of a power of two of cells; zeros: no key was used yet."""
        self._memory = memory
        self._cells = memoryview(memory).cast("I")
        self._mask = len(memory) // _CELL_BYTES - 1

    @classmethod
    def of_process(cls, max_bytes: int) -> AccessClock:
        """Make one for this process alone."""
        return cls(mmap.mmap(-1, _CELL_BYTES << cell_bits(max_bytes)))

    @classmethod
    def of_folder(cls, folder: Path, max_bytes: int) -> AccessClock:
        """Open the one of all processes that have the store of a folder open, or make it.

        :raises OSError: it can't be made.
        """
        bits = cell_bits(max_bytes)
        path = folder / f"{_NAME}{bits}"
        for each in folder.glob(f"{_NAME}*"):
            if each != path:  # of another bound; processes that have it open go on with it
                each.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Without room on the disk, or with a file that was truncated, the map would end the process (SIGBUS).
            os.posix_fallocate(descriptor, 0, _CELL_BYTES << bits)
            return cls(mmap.mmap(descriptor, _CELL_BYTES << bits))
        finally:
            os.close(descriptor)

    def touch(self, key: bytes, now_ms: int) -> None:
        """Note that a key is used."""
        self._cells[crc_of(key) & self._mask] = (now_ms >> _UNIT_BITS) & _WRAP

    def idle_ms(self, key: bytes, now_ms: int) -> int:
        """Return for how long a key was not used, in milliseconds; UNUSED_MS: not since the clock began."""
        used = self._cells[crc_of(key) & self._mask]
        if used == 0:
            return UNUSED_MS
        units = ((now_ms >> _UNIT_BITS) - used) & _WRAP
        return units << _UNIT_BITS if units < _HALF else 0
