"""How the bytes of a connection travel: straight over its descriptor, or through what a transport made of it.

A wire belongs to a bound socket, not to a connection: each of its functions takes the connection's *handle*.
For TCP and UNIX sockets that is the bare descriptor: making and closing a socket object around it takes
0.7 us more, a system call among it (getsockname, in the constructor).
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from corepool.hot.filesegment import FileSegment
    from corepool.spec.transport import ByteStream, Transport

Handle = Any
"""A descriptor or a ByteStream: what `open` of the same wire gave."""


class Wire(Protocol):
    """The functions of a wire. They raise BlockingIOError when they would wait, OSError when the peer is gone."""

    can_move: bool
    """Nothing of a connection is in this process: its descriptor is everything."""

    def open(self, fd: int) -> Handle:
        """Make an accepted descriptor non-blocking and ready to be used. Owns `fd`, unless it raises."""

    def read(self, handle: Handle, limit: int, /) -> bytes:
        """Receive; b"" when the peer has ended."""

    def write(self, handle: Handle, data: bytes | memoryview, /) -> int:
        """Send some."""

    def send_file(self, handle: Handle, segment: FileSegment) -> int:
        """Send some of a file. EOFError when it is shorter than it was said to be."""

    def shutdown(self, handle: Handle, how: int) -> None:
        """End one side, or both, as shutdown(2)."""

    def close(self, handle: Handle, /) -> None:
        """Close."""

    def sockaddr(self, handle: Handle, *, peer: bool) -> object:
        """Return the address of one end."""


def wire_of(transport: Transport, family: int) -> Wire:
    """Return the wire that fits a transport's sockets."""
    return StreamWire(transport, family) if transport.wraps else DescriptorWire(family)


class DescriptorWire:
    """Bytes go to the descriptor as they are; the handle is the descriptor."""

    can_move = True
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    close = staticmethod(os.close)

    def __init__(self, family: int) -> None:
        self._family = family

    def open(self, fd: int) -> int:
        os.set_blocking(fd, False)
        return fd

    def send_file(self, fd: int, segment: FileSegment) -> int:
        return segment.send_to(fd)

    def shutdown(self, fd: int, how: int) -> None:
        sock = self._borrow(fd)
        try:
            sock.shutdown(how)
        finally:
            sock.detach()

    def sockaddr(self, fd: int, *, peer: bool) -> object:
        sock = self._borrow(fd)
        try:
            address: object = sock.getpeername() if peer else sock.getsockname()
        finally:
            sock.detach()
        return address

    def _borrow(self, fd: int) -> socket.socket:
        return socket.socket(self._family, socket.SOCK_STREAM, 0, fd)


class StreamWire:
    """Bytes go through a transport's stream (TLS); the handle is the stream."""

    can_move = False

    def __init__(self, transport: Transport, family: int) -> None:
        self._transport = transport
        self._family = family

    def open(self, fd: int) -> ByteStream:
        sock = socket.socket(self._family, socket.SOCK_STREAM, 0, fd)
        try:
            sock.setblocking(False)
            return self._transport.wrap(sock)
        except BaseException:
            sock.detach()
            raise

    def read(self, stream: ByteStream, limit: int, /) -> bytes:
        return stream.recv(limit)

    def write(self, stream: ByteStream, data: bytes | memoryview, /) -> int:
        return stream.send(data)

    def send_file(self, stream: ByteStream, segment: FileSegment) -> int:
        # sendfile(2) would send it in the clear.
        return stream.send(segment.read())

    def shutdown(self, stream: ByteStream, how: int) -> None:
        stream.shutdown(how)

    def close(self, stream: ByteStream, /) -> None:
        stream.close()

    def sockaddr(self, stream: ByteStream, *, peer: bool) -> object:
        return stream.getpeername() if peer else stream.getsockname()
