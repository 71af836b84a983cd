"""The protocol `socketserver`: any BaseRequestHandler class of the standard library's socketserver, in threads."""

from __future__ import annotations

import errno
import io
import os
import socket
import socketserver
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field

from corepool import Size, hookimpl
from corepool.plugins.loading import LoadError, load_target
from corepool.streams import BlockingOptions, BlockingProtocol, ReadFile
from corepool_hosting.facade import spell

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from corepool import Address, Worker
    from corepool.streams import BlockingStream


class SocketserverOptions(BlockingOptions):
    """[listener.options] of protocol = "socketserver"."""

    target: Annotated[str, Field(pattern=r"^[^:]+:[^:]+$")]
    """As "module:attribute": a class derived from socketserver.BaseRequestHandler."""

    directory: str = "."
    """Where modules are imported from first."""

    limit: Size = 1 << 20
    """Bytes that a line may have when it is read without a size; socketserver itself has no limit."""


class SocketserverHandlers(BlockingProtocol):
    """Serve handlers written for socketserver, each connection in a thread."""

    Options = SocketserverOptions

    answers = True

    try_it = "nc {host} {port}"

    def __init__(self, options: SocketserverOptions) -> None:
        super().__init__(options)
        self._target = options.target
        self._directory = options.directory
        self._limit = options.limit

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        target: Any = load_target(self._target, self._directory)
        if not (isinstance(target, type) and issubclass(target, socketserver.BaseRequestHandler)):
            raise LoadError(f"target = {self._target!r}: no class derived from socketserver.BaseRequestHandler")
        if issubclass(target, socketserver.DatagramRequestHandler):
            raise LoadError(f"target = {self._target!r}: it is for datagrams; corepool serves connections")
        self._handler = target
        super().on_worker_start(worker)

    def handle(self, stream: BlockingStream) -> None:
        """Make a handler, which serves while it is made, as in socketserver."""
        server = HostedServer(stream.local, self._handler)
        self._handler(RequestSocket(stream, self._limit), spell(stream.peer), server)  # type: ignore[arg-type]


class HostedServer:
    """The `self.server` of handlers: its address, and their class."""

    def __init__(self, address: Address, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.server_address = spell(address)
        self.RequestHandlerClass = handler


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

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> int | bytes:  # noqa: ARG002
        """Return 0: see setsockopt."""
        return bytes(buflen) if buflen else 0

    def shutdown(self, how: int) -> None:
        """End our side once its output has left, or the whole connection."""
        if how == socket.SHUT_WR:
            self._stream.write_eof()
        elif how == socket.SHUT_RDWR:
            self._stream.close()

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
