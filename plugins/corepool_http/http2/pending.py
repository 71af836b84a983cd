"""The content of one response that waits for its client, for its turn, or for room in the connection's output.

Parts of files are read when they are due, straight into their frames: sendfile(2) would take two system calls for each
16 KiB, the longest frame that clients take unless they say otherwise, and can't send through TLS at all.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool_http.http2.frames import HEAD_SIZE, read_frames

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

    def read(self, count: int, most: int, number: int, ends: bool) -> bytes:  # noqa: FBT001
        """Read on, and return frames of DATA.

        :param count: bytes of content, no more than are left; fewer may be read.
        :param most: bytes of content in a frame.
        :param number: the stream.
        :param ends: the last of `count` bytes end it.
        :raises EOFError: the file has turned out shorter.
        :raises OSError: it can't be read.
        """
        data = read_frames(self._fd, self._offset, count, most, number, ends)
        size = len(data)
        if not size:
            raise EOFError("the file is shorter than it was")
        size -= (size + most + HEAD_SIZE - 1) // (most + HEAD_SIZE) * HEAD_SIZE
        self._offset += size
        self.left -= size
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

    def file(self) -> FilePart | None:
        """Return the part of a file whose turn it is; None: other content is to be taken."""
        front = self._pieces[0]
        return front if isinstance(front, FilePart) else None

    def take_from(self, part: FilePart, count: int, most: int, number: int, ends: bool) -> bytes:  # noqa: FBT001
        """Return the next content of `file`, as `FilePart.read` does."""
        left = part.left
        data = part.read(count, most, number, ends)
        if not part.left:
            self._pieces.popleft()
        self.size -= left - part.left
        return data

    def take(self, most: int) -> bytes:
        """Return the next content, `most` bytes or all of it up to the next file."""
        pieces = self._pieces
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
