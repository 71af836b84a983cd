"""The protocol `socketserver`: handlers and servers written for the standard library's socketserver, in threads."""

from __future__ import annotations

import errno
import io
import logging
import os
import socket
import socketserver
from inspect import iscoroutinefunction
from typing import IO, TYPE_CHECKING, Any, Self

from corepool import Address, Endpoint, Size, hookimpl
from corepool.plugins.loading import load_target
from corepool.streams import BlockingOptions, BlockingProtocol, ReadFile
from corepool_hosting import events
from corepool_hosting.facade import spell
from corepool_hosting.server_objects import ServerMaker
from corepool_hosting.targets import Target, required_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer, WriteableBuffer

    from corepool import Worker
    from corepool.streams import BlockingStream

log = logging.getLogger(__name__)

_PIECE = 65_536
"""Bytes of a file that are read at once."""


class SocketserverOptions(BlockingOptions):
    """[listener.options] of protocol = "socketserver"."""

    target: Target
    """As "module:attribute": a class derived from socketserver.BaseRequestHandler; or a server, which its handlers find
    as `self.server`: an object or a class derived from socketserver.BaseServer, or a function that returns one, or
    calls its `serve_forever`."""

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
        self._handler: type[socketserver.BaseRequestHandler]
        self._server: socketserver.BaseServer | None = None
        self._maker: ServerMaker | None = None

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        maker = ServerMaker(self._target, worker, [*_addresses(worker)])
        target: Any = maker.load(lambda: load_target(self._target, self._directory))
        if isinstance(target, type) and issubclass(target, socketserver.BaseRequestHandler):
            if issubclass(target, socketserver.DatagramRequestHandler):
                raise maker.mistake("it is for datagrams; corepool serves connections")
            self._handler = target
        else:
            self._server = _made(maker, target)
            self._maker = maker
            if "threads" not in self.options.model_fields_set and not isinstance(
                self._server, socketserver.ThreadingMixIn
            ):
                # It was written to serve one connection at a time, so its handlers may count on that.
                self.options = self.options.model_copy(update={"threads": 1})
                events.hosted_server_serves_one(log, target=self._target)
        super().on_worker_start(worker)

    @hookimpl
    def on_worker_stop(self) -> None:
        super().on_worker_stop()
        if self._maker is not None:
            self._maker.leave()

    def handle(self, stream: BlockingStream) -> None:
        """Make a handler, which serves while it is made, as in socketserver; or have the server make one."""
        request: Any = RequestSocket(stream, self._limit)
        try:
            if self._server is None:
                handler = self._handler
                is_internet = hasattr(handler, "address_string")  # http.server's takes the host of the address
                server: Any = HostedServer(stream.local, handler)
                handler(request, _peer_of(stream, is_internet=is_internet), server)
            else:
                self._serve(self._server, request, stream)
        finally:
            request.release()

    def _serve(self, server: socketserver.BaseServer, request: Any, stream: BlockingStream) -> None:
        """Do what a server's `process_request` does, in this thread."""
        client: Any = _peer_of(stream, is_internet=getattr(server, "address_family", None) != socket.AF_UNIX)
        try:
            if server.verify_request(request, client):
                server.finish_request(request, client)
        except Exception:
            if type(server).handle_error is socketserver.BaseServer.handle_error:
                raise  # and the log has it
            server.handle_error(request, client)
        server.shutdown_request(request)


def _made(maker: ServerMaker, target: Any) -> socketserver.BaseServer:
    if isinstance(target, socketserver.BaseServer):
        return maker.make(target)
    if isinstance(target, type) and issubclass(target, socketserver.BaseServer):
        return maker.of_class(target)
    if isinstance(target, type) or not callable(target) or iscoroutinefunction(target):
        raise maker.mistake(
            "no class derived from socketserver.BaseRequestHandler or socketserver.BaseServer, "
            "no server, and no function that makes one"
        )
    if required := required_parameters(target):
        raise maker.mistake(f"it wants {', '.join(required)}: expected a function that makes a server of nothing")
    return maker.make(target)


def _addresses(worker: Worker) -> Iterator[Address]:
    for listener in worker.listeners:
        if listener.protocol == "socketserver":
            for url in listener.bind:
                endpoint = Endpoint.parse(url)
                yield Address(endpoint.path if endpoint.port is None else endpoint.host, endpoint.port)


def _peer_of(stream: BlockingStream, *, is_internet: bool) -> tuple[Any, ...] | str:
    """Return a client's address as its server expects it: one that was written for TCP takes it apart."""
    peer = spell(stream.peer)
    return (peer, 0) if is_internet and isinstance(peer, str) else peer


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
