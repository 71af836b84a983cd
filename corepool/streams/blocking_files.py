"""The files of a BlockingStream, for handlers that were written for the rfile and wfile of socketserver."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Protocol

from corepool.streams.errors import GoneError, TooLongError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_PIECE = 65_536
"""Bytes that `read1` without a number takes at once."""


class Input(Protocol):
    """The reads of a stream, as a file needs them; see `BlockingStream`."""

    def recv(self, limit: int, /) -> bytes: ...

    def peek(self, limit: int, /) -> bytes: ...

    def readline(self) -> bytes: ...

    def gather(self, size: int, /, *, line: bool = False) -> bytes: ...

    def is_cut(self) -> bool: ...


class Output(Protocol):
    """The writes of a stream, as a file needs them."""

    def sendall(self, data: ReadableBuffer, /) -> None: ...


class ReadFile(io.BufferedIOBase):
    """The input as a binary file. It buffers nothing: unread bytes stay in the stream."""

    def __init__(self, stream: Input, max_line: int | None = None) -> None:
        """Read from `stream`.

        :param max_line: bytes of a line at most; None: the stream's limit.
        """
        self._stream = stream
        self._max_line = max_line

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end; -1: to the end.

        :raises ConnectionResetError: the worker has ended the connection before they came: input that is cut short must
            not be taken for complete.
        """
        stream = self._stream
        if size is None or size < 0:
            return stream.gather(sys.maxsize)
        taken = stream.gather(size)
        if len(taken) < size and stream.is_cut():
            raise GoneError(f"{len(taken)} of {size} bytes have come, and the worker has ended the connection")
        return taken

    def read1(self, size: int = -1, /) -> bytes:
        """Read the bytes that have arrived, at least one; b"" at the end."""
        return self._stream.recv(size if size >= 0 else _PIECE)

    def peek(self, size: int = 0, /) -> bytes:
        """Return the bytes that have arrived, at least one, and leave them to be read; b"" at the end."""
        return self._stream.peek(size if size > 0 else _PIECE)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer`, less only at the end."""
        return _put(self.read(memoryview(buffer).nbytes), buffer)

    def readinto1(self, buffer: WriteableBuffer, /) -> int:
        """Read the bytes that have arrived into `buffer`."""
        return _put(self.read1(memoryview(buffer).nbytes), buffer)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line with its line break, at most `size` bytes of it; at the end the rest, and then b"".

        :raises ValueError: no `size` is given, and it is longer than the limit.
        """
        if size is None or size < 0:
            if self._max_line is None:
                return self._stream.readline()
            line = self.readline(self._max_line + 1)
            if len(line) > self._max_line:
                raise TooLongError(f"a line has more than {self._max_line} bytes", len(line))
            return line
        return self._stream.gather(size, line=True)


class WriteFile(io.RawIOBase):
    """The output as a binary file."""

    def __init__(self, stream: Output) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Send all of it."""
        self._stream.sendall(data)
        return memoryview(data).nbytes


def _put(data: bytes, buffer: WriteableBuffer) -> int:
    memoryview(buffer).cast("B")[: len(data)] = data
    return len(data)
