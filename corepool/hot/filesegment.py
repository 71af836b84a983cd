"""Part of a file on its way out of a connection: by sendfile(2), so that its bytes never enter this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from corepool.files.descriptors import release

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

CHUNK_BYTES = 262_144
"""Bytes read at a time where sendfile(2) can't be used (TLS)."""


class FileSegment:
    """The unsent part of a file. Owns a duplicate of its descriptor until `close`."""

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
        """Send some of it to a socket; the caller then calls `skip`.

        :returns: bytes sent, more than 0.
        :raises BlockingIOError: the peer takes nothing now.
        :raises EOFError: the file is shorter than promised.
        :raises OSError: the peer is gone, or the file can't be read.
        """
        sent = os.sendfile(fd, self._fd, self._offset, self._count)
        if sent == 0:
            raise EOFError
        return sent

    def read(self) -> bytes:
        """Return its next bytes, which stay until they are skipped.

        :raises EOFError: the file is shorter than promised.
        :raises OSError: the file can't be read.
        """
        data = os.pread(self._fd, min(self._count, CHUNK_BYTES), self._offset)
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
