"""The subscriptions of a worker, in memory that its peers read: who wants a topic is known without a system call.

A table has 65,536 cells: how many subscriptions have this hash. A topic has two, the halves of its CRC-32: a worker
wants it if neither is zero. So a worker with 1,000 topics seems to want one in a thousand of all others; such a message
is dropped where it arrives. A prefix is counted in the same cells, with another start of the CRC. Its length is a bit
of a mask, so that a publisher looks for no other lengths.

Rejected: the topics themselves, since each worker would keep those of all others. One board for all workers, mapped
before the first fork: it would take a second one at an upgrade, rows that are given out and taken back, and memory
where no plugin uses the bus.

Each table has one writer, and a cell is stored as a whole, in native byte order. So nothing is locked, and the death of
the writer in the middle of a change leaves a table.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from corepool.errors import GarbageError
from corepool.ipc.memory import share

if TYPE_CHECKING:
    from mmap import mmap

FORMAT = 1
"""Of tables and packets: peers of another one, in the other master of an upgrade, are left alone."""

_CELLS = 65_536
_HEADER_BYTES = 64
_FORMAT, _LENGTHS = 0, 1
_SIZE = _HEADER_BYTES + 4 * _CELLS

_OF_PREFIXES = 0x70726566
"""Where the CRC of a prefix starts."""

_MAX_LENGTH = 63
"""Of a prefix, as it is counted here: of a longer one, its first bytes are."""


class Hashed(NamedTuple):
    """A topic, as tables have it."""

    low: int
    high: int
    topic: bytes


def hashed(topic: bytes) -> Hashed:
    """Hash a topic."""
    crc = crc32(topic)
    return Hashed(crc & 0xFFFF, crc >> 16, topic)


class PeerTable:
    """The table of another worker. Reads only."""

    def __init__(self, fd: int) -> None:
        """Map it; the caller keeps `fd`, and may close it.

        :raises GarbageError: it is no table of this format.
        :raises OSError: the system refuses.
        """
        if os.fstat(fd).st_size != _SIZE:
            raise GarbageError("the table of another version")
        self._head, self._cells = _views(share(_SIZE, fd))
        if self._head[_FORMAT] != FORMAT:
            raise GarbageError(f"a table of format {self._head[_FORMAT]}; this process reads {FORMAT}")

    def wanting(self, topic: Hashed) -> int:
        """Count the subscriptions that a message on `topic` would reach."""
        count = 0
        if found := self._cells[topic.low]:
            count = min(found, self._cells[topic.high])
        if lengths := self._head[_LENGTHS]:
            count += self._by_prefixes(topic.topic, lengths)
        return count

    def _by_prefixes(self, topic: bytes, lengths: int) -> int:
        count = 0
        for length in range(min(len(topic), _MAX_LENGTH) + 1):
            if lengths >> length & 1:
                crc = crc32(topic[:length], _OF_PREFIXES)
                count += min(self._cells[crc & 0xFFFF], self._cells[crc >> 16])
        return count


class Table:
    """The table of this worker. Its only writer."""

    def __init__(self) -> None:
        """Make it; nothing is wanted yet.

        :raises OSError: the system refuses: no descriptor, or `ulimit -f`.
        """
        self.fd = os.memfd_create("subscriptions", os.MFD_CLOEXEC)
        """Owned by the caller, who sends it to the others, and may close it then."""
        try:
            os.ftruncate(self.fd, _SIZE)
            self._head, self._cells = _views(share(_SIZE, self.fd))
        except OSError:
            os.close(self.fd)
            raise
        self._head[_FORMAT] = FORMAT
        self._of_length = [0] * (_MAX_LENGTH + 1)

    def add(self, topic: bytes) -> None:
        """Count a subscription to a topic."""
        self._count(crc32(topic), 1)

    def remove(self, topic: bytes) -> None:
        """Count it no more."""
        self._count(crc32(topic), -1)

    def add_prefix(self, prefix: bytes) -> None:
        """Count a subscription to a prefix."""
        self._count_prefix(prefix[:_MAX_LENGTH], 1)

    def remove_prefix(self, prefix: bytes) -> None:
        """Count it no more."""
        self._count_prefix(prefix[:_MAX_LENGTH], -1)

    def clear(self) -> None:
        """Want nothing."""
        self._head[_LENGTHS] = 0
        self._cells[:] = memoryview(bytes(4 * _CELLS)).cast("I")

    def _count(self, crc: int, by: int) -> None:
        low, high = crc & 0xFFFF, crc >> 16
        self._cells[low] += by
        if high != low:
            self._cells[high] += by

    def _count_prefix(self, prefix: bytes, by: int) -> None:
        length = len(prefix)
        self._of_length[length] += by
        self._count(crc32(prefix, _OF_PREFIXES), by)
        mask = self._head[_LENGTHS]
        self._head[_LENGTHS] = mask | 1 << length if self._of_length[length] else mask & ~(1 << length)


def _views(area: mmap) -> tuple[memoryview[int], memoryview[int]]:
    """Return the header, and the cells."""
    view = memoryview(area)
    return view[:_HEADER_BYTES].cast("Q"), view[_HEADER_BYTES:].cast("I")
