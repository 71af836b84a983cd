"""A piece of a file on its way out of a connection: by sendfile(2), so that its bytes never enter this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from corepool.files.descriptors import release

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

_CHUNK_BYTES = 262_144
"""What is read at a time where sendfile can't be used (TLS)."""


class FileSegment:
    """What is left to be sent of a file. Owns a duplicate of its descriptor until `close`."""

    __slots__ = ("_count", "_fd", "_offset")

    def __init__(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Duplicate the descriptor of `file`.

        :raises OSError: EMFILE.
        """
        self._fd = os.dup(file if isinstance(file, int) else file.fileno())
        self._offset = offset
        self._count = count

    def __len__(self) -> int:
        return self._count

    def send_to(self, fd: int) -> int:
        """Send some of it to a socket.

        :returns: bytes sent, more than 0.
        :raises BlockingIOError: the peer takes nothing now.
        :raises EOFError: the file ended before what was promised.
        :raises OSError: the peer is gone, or the file can't be read.
        """
        sent = os.sendfile(fd, self._fd, self._offset, self._count)
        if sent == 0:
            raise EOFError
        self.skip(sent)
        return sent

    def read(self) -> bytes:
        """Give the next bytes of it, which stay until they are skipped.

        :raises EOFError: the file ended before what was promised.
        """
        data = os.pread(self._fd, min(self._count, _CHUNK_BYTES), self._offset)
        if not data:
            raise EOFError
        return data

    def skip(self, count: int) -> None:
        """Note that `count` bytes of it were sent."""
        self._offset += count
        self._count -= count

    def close(self) -> None:
        """Close the duplicate; again is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            release(fd)
