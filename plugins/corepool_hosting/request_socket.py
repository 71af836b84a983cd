"""The `self.request` of a hosted handler: the part of a socket that a handler of one connection needs."""

from __future__ import annotations

import errno
import io
import os
import socket
from typing import IO, TYPE_CHECKING, Any, Self

from corepool.streams import ReadFile
from corepool_hosting.facade import spell

if TYPE_CHECKING:
    import ssl

    from _typeshed import ReadableBuffer, WriteableBuffer

    from corepool.streams import BlockingStream

_PIECE = 65_536
"""Bytes of a file that are read at once."""


_OF_TLS = frozenset(
    {"cipher", "compression", "context", "getpeercert", "selected_alpn_protocol", "server_side", "version"}
)
"""Attributes of an SSLSocket that say something about TLS."""


class RequestSocket:
    """What handlers find as `self.request`: the part of a socket that a handler of one connection needs."""

    def __init__(self, stream: BlockingStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive.

        :raises OSError: flags were asked for, such as MSG_PEEK; or it was closed.
        """
        if self._is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if flags:
            raise OSError("a hosted connection knows no flags of recv")
        return self._stream.recv(bufsize)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer."""
        view = memoryview(buffer).cast("B")
        if nbytes > len(view):
            raise ValueError("buffer too small for requested bytes")
        data = self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:  # noqa: ARG002
        """Send all of it."""
        self._stream.sendall(data)
        return memoryview(data).nbytes

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:  # noqa: ARG002
        """Send."""
        self._stream.sendall(data)

    def makefile(self, mode: str = "r", buffering: int = -1, **text: Any) -> Any:
        """Make a file of it, as socket.makefile does."""
        raw: Any
        if "w" not in mode:
            raw = ReadFile(self._stream, self._limit)
        elif "r" in mode:
            raw = DuplexFile(self._stream, self._limit)
        else:
            raw = self._stream.wfile
        if "w" in mode and "r" not in mode and buffering != 0:
            raw = io.BufferedWriter(raw, buffering if buffering > 0 else io.DEFAULT_BUFFER_SIZE)
        return raw if "b" in mode else io.TextIOWrapper(raw, **text)

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:
        """Send a file from `offset` on, `count` bytes of it or all; return how many. As socket.sendfile does.

        :raises ValueError: it is no binary file.
        """
        if "b" not in getattr(file, "mode", "b"):
            raise ValueError("file should be opened in binary mode")
        if count is not None and count <= 0:
            raise ValueError(f"count must be a positive integer (got {count!r})")
        if hasattr(file, "seek"):  # to 0 as well: not from where the file happens to be
            file.seek(offset)
        sent = 0
        while data := file.read(_PIECE if count is None else min(_PIECE, count - sent)):
            self._stream.sendall(data)
            sent += len(data)
        if sent and hasattr(file, "seek"):
            file.seek(offset + sent)
        return sent

    def fileno(self) -> int:
        """Return a descriptor for select and poll alone: it is readable when there is input, and always writable.

        After `close` it is -1.
        """
        return -1 if self._is_closed else self._stream.readable_fd()

    def release(self) -> None:
        """Close that descriptor; the handler has ended."""
        self._is_closed = True
        self._stream.close_readable_fd()

    def settimeout(self, value: float | None) -> None:
        """Limit how long the other methods wait.

        :raises ValueError: 0 was given: there is no mode that does not block.
        """
        if value == 0:
            raise ValueError(
                "a hosted connection always blocks: settimeout of 0 and setblocking(False) have no meaning"
            )
        self._stream.settimeout(value)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001  # as a socket has it
        """Wait for ever, as settimeout(None)."""
        self.settimeout(None if flag else 0)

    def getblocking(self) -> bool:
        """Return True."""
        return True

    def gettimeout(self) -> float | None:
        """Return the time-out set by settimeout."""
        return self._stream.gettimeout()

    def getpeername(self) -> tuple[Any, ...] | str:
        """Return the client's address."""
        return spell(self._stream.peer)

    def getsockname(self) -> tuple[Any, ...] | str:
        """Return our address."""
        return spell(self._stream.local)

    def setsockopt(self, *_: object) -> None:
        """Do nothing: options of sockets are the transport's business (TCP_NODELAY is set)."""

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> int | bytes:
        """Return 0: see setsockopt.

        :raises OSError: ssl asks, before it wraps a socket.
        """
        if (level, optname) == (socket.SOL_SOCKET, socket.SO_TYPE):
            raise OSError(
                errno.ENOTSOCK,
                "ssl can't wrap a hosted connection: call self.request.start_tls(context), or bind to tls://",
            )
        return bytes(buflen) if buflen else 0

    def shutdown(self, how: int) -> None:
        """End our side once its output has left, or the whole connection."""
        if how == socket.SHUT_WR:
            self._stream.write_eof()
        elif how == socket.SHUT_RDWR:
            self._stream.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Begin TLS, in the place of `context.wrap_socket(self.request, server_side=True)`; see `BlockingStream`."""
        self._stream.start_tls(context)

    def __getattr__(self, name: str) -> Any:
        """Have the methods of an SSLSocket that say something about TLS, once there is TLS."""
        session = self._stream.facts.get("ssl_object") if name in _OF_TLS else None
        if session is None:
            raise AttributeError(f"a hosted connection has no attribute {name!r}")
        return getattr(session, name)

    def close(self) -> None:
        """End the connection."""
        self._is_closed = True
        self._stream.close()


class DuplexFile(ReadFile):
    """Both directions in one file; writes are sent at once."""

    def __init__(self, stream: BlockingStream, max_line: int | None = None) -> None:
        super().__init__(stream, max_line)
        self._output = stream

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Send all of it."""
        self._output.sendall(data)
        return memoryview(data).nbytes
