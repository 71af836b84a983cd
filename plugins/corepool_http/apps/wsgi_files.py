"""wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"), and which files sendfile(2) may send."""

from __future__ import annotations

import io
import os
import stat
from tempfile import _TemporaryFileWrapper
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from typing import BinaryIO

BLOCK_BYTES = 65_536


class FileWrapper:
    """An iterable over the blocks of a file, which the server may send by a shorter way."""

    def __init__(self, filelike: BinaryIO, block_size: int = BLOCK_BYTES) -> None:
        """Wrap a file.

        :param block_size: bytes to read at a time; the usual number if it is not positive.
        """
        self.filelike = filelike
        self.block_size = block_size if block_size > 0 else BLOCK_BYTES
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if block := self.filelike.read(self.block_size):
            return block
        raise StopIteration


class Segment(NamedTuple):
    """The rest of a plain file."""

    fd: int
    offset: int
    size: int


def plain_segment(result: object) -> Segment | None:
    """Return the part of a file that is still to be read, if reading would yield the bytes that its descriptor has.

    That is known of Python's own file objects over a regular file, and of no other: `gzip.open` has a descriptor, too,
    and unpacks as it reads. A subclass may read in a way of its own.
    """
    if type(result) is not FileWrapper:
        return None
    file: object = result.filelike
    if type(file) is _TemporaryFileWrapper:
        file = file.file
    raw = file.raw if type(file) in {io.BufferedReader, io.BufferedRandom} else file  # type: ignore[attr-defined]
    if type(raw) is not io.FileIO or "read" in vars(file):
        return None
    try:
        if not raw.readable():
            return None
        if type(file) is io.BufferedRandom:
            file.flush()  # buffered writes are part of the file, too
        offset = file.tell()  # type: ignore[attr-defined]
        status = os.fstat(raw.fileno())
    except (OSError, ValueError):
        return None
    size = status.st_size - offset
    # Files of /proc are regular, and 0 bytes long.
    return Segment(raw.fileno(), offset, size) if stat.S_ISREG(status.st_mode) and size > 0 else None
