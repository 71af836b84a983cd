"""A piece of a file on its way out of a connection: by sendfile(2), so that its bytes never enter this process."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from corepool.spec.transport import ByteStream

_CHUNK_BYTES = 262_144
"""What is read at a time for a stream that is no socket (TLS), which sendfile would send in the clear."""


class FileSegment:
    """What is left to be sent of a file. Owns a duplicate of its descriptor until `close`."""

    __slots__ = ("_count", "_fd", "_offset")

    def __init__(self, file: BinaryIO, offset: int, count: int) -> None:
        """Duplicate the descriptor of `file`.

        :raises OSError: EMFILE.
        """
        self._fd = os.dup(file.fileno())
        self._offset = offset
        self._count = count

    def __len__(self) -> int:
        return self._count

    def send_to(self, stream: ByteStream) -> int:
        """Send some of it.

        :returns: bytes sent, more than 0.
        :raises BlockingIOError: the peer takes nothing now.
        :raises EOFError: the file ended before what was promised.
        :raises OSError: the peer is gone, or the file can't be read.
        """
        if type(stream) is socket.socket:
            sent = os.sendfile(stream.fileno(), self._fd, self._offset, self._count)
        else:
            data = os.pread(self._fd, min(self._count, _CHUNK_BYTES), self._offset)
            sent = stream.send(data) if data else 0
        if sent == 0:
            raise EOFError
        self._offset += sent
        self._count -= sent
        return sent

    def close(self) -> None:
        """Close the duplicate; again is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
