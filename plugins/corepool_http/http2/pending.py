"""The content of one response that waits for its client, for its turn, or for room in the connection's output.

Parts of files are read when they are due, with pread(2): sendfile(2) would take two system calls for each 16 KiB, the
longest frame that clients take unless they say otherwise, and can't send through TLS at all.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from corepool.files.descriptors import release

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


class FilePart:
    """A part of a file."""

    __slots__ = ("_fd", "_offset", "left")

    def __init__(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Take a part.

        Ownership: the descriptor is duplicated; the caller may close `file` at once.
        """
        self._fd = os.dup(file if isinstance(file, int) else file.fileno())
        self._offset = offset
        self.left = count

    def read(self, most: int) -> bytes:
        """Read on.

        :raises EOFError: the file has turned out shorter.
        :raises OSError: it can't be read.
        """
        data = os.pread(self._fd, min(most, self.left), self._offset)
        if not data:
            raise EOFError("the file is shorter than it was")
        self._offset += len(data)
        self.left -= len(data)
        if not self.left:
            self.close()
        return data

    def close(self) -> None:
        """Close the descriptor."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            release(fd)


class Pending:
    """A queue of content; never copied but where small pieces are joined."""

    __slots__ = ("_pieces", "held", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | memoryview | FilePart] = deque()
        self.size = 0
        """Bytes of content, those in files included."""
        self.held = 0
        """Bytes of memory: those in files are on disk."""

    def append(self, data: bytes) -> None:
        """Add a piece, which is not empty."""
        self._pieces.append(data)
        self.size += len(data)
        self.held += len(data)

    def append_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Add a part of a file, which is not empty.

        Ownership: the descriptor is duplicated; the caller may close `file` at once.
        """
        self._pieces.append(FilePart(file, offset, count))
        self.size += count

    def take(self, most: int) -> bytes:
        """Return the next content, `most` bytes or all of it; a file may return less.

        :raises EOFError: a file has turned out shorter.
        :raises OSError: it can't be read.
        """
        pieces = self._pieces
        front = pieces[0]
        if isinstance(front, FilePart):
            data = front.read(most)
            if not front.left:
                pieces.popleft()
            self.size -= len(data)
            return data
        taken: list[bytes | memoryview] = []
        left = most
        while pieces and left:
            front = pieces[0]
            if isinstance(front, FilePart):
                break
            if len(front) > left:
                view = memoryview(front)
                taken.append(view[:left])
                pieces[0] = view[left:]
                left = 0
            else:
                taken.append(front)
                pieces.popleft()
                left -= len(front)
        data = taken[0] if len(taken) == 1 and type(taken[0]) is bytes else b"".join(taken)
        self.size -= len(data)
        self.held -= len(data)
        return data

    def clear(self) -> None:
        """Drop everything."""
        for piece in self._pieces:
            if isinstance(piece, FilePart):
                piece.close()
        self._pieces.clear()
        self.size = self.held = 0
