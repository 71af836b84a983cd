"""Output of one connection, once it is more than one piece: bytes and parts of files, in the order they were sent.

Pure: it sends nothing. The connection asks for the `front`, hands that to the kernel, and calls `advance` with the
number of bytes taken. A connection has an outbox only while it needs one: a reply that the kernel takes at once, which
is nearly every reply, stays a plain bytes object in the connection.
"""

from __future__ import annotations

from collections import deque

from corepool.hot.filesegment import FileSegment

GATHER_BYTES = 262_144
"""Small pieces are joined up to this size: more than the kernel takes at once saves no call."""


class Outbox:
    """A queue of output, never copied but where small pieces are joined."""

    __slots__ = ("_front", "_in_files", "_queue", "_queued")

    def __init__(self, first: bytes | memoryview | FileSegment = b"") -> None:
        """Begin with one piece."""
        self._front = first
        self._queue: deque[bytes | FileSegment] = deque()
        self._queued = 0
        self._in_files = 0

    def __len__(self) -> int:
        return len(self._front) + self._queued

    def __bool__(self) -> bool:
        return bool(self._front)  # nothing waits behind an empty one

    @property
    def waiting(self) -> int:
        """Bytes of memory held behind the front. Files don't count: their bytes are on disk."""
        return self._queued - self._in_files

    def append(self, piece: bytes | FileSegment) -> None:
        """Add a piece at the end; an empty one is dropped, or it would look like the end of everything."""
        if not self._front:
            self._front = piece
            return
        if not piece:
            return
        self._queue.append(piece)
        self._queued += len(piece)
        if isinstance(piece, FileSegment):
            self._in_files += len(piece)

    def front(self) -> bytes | memoryview | FileSegment:
        """Return the next piece to be sent; small ones are joined. Empty only if the outbox is."""
        front = self._front
        if not self._queue or isinstance(front, FileSegment):
            return front
        pieces = [front]
        size = len(front)
        while self._queue and size < GATHER_BYTES:
            piece = self._queue[0]
            if isinstance(piece, FileSegment):
                break
            pieces.append(piece)
            size += len(piece)
            self._queue.popleft()
        if len(pieces) > 1:
            self._queued -= size - len(front)
            self._front = b"".join(pieces)
        return self._front

    def advance(self, count: int) -> None:
        """Drop the first `count` bytes of the front: they were sent."""
        front = self._front
        if isinstance(front, FileSegment):
            front.skip(count)
            if not front:
                front.close()
        else:
            front = self._front = memoryview(front)[count:]
        if not front:
            front = self._front = self._queue.popleft() if self._queue else b""
            self._queued -= len(front)
            if isinstance(front, FileSegment):
                self._in_files -= len(front)

    def clear(self) -> None:
        """Forget everything, and close the files."""
        for piece in (self._front, *self._queue):
            if isinstance(piece, FileSegment):
                piece.close()
        self._front = b""
        self._queue.clear()
        self._queued = self._in_files = 0
