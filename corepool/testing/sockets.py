"""A client's side of a socket, in tests: connect by URL, read the expected bytes, break off rudely."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from corepool.spec.transport import Endpoint
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator


def connect(url: str, timeout_s: float = DEADLINE_S) -> socket.socket:
    """Connect to a tcp: or unix: URL as `status` gives it.

    Every later call on the socket fails with TimeoutError after `timeout_s`, so that a test ends.
    The caller owns the socket.
    """
    endpoint = Endpoint.parse(url)
    if endpoint.scheme == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        try:
            path = os.fsencode(endpoint.path)
            sock.connect(b"\0" + path[1:] if path.startswith(b"@") else path)
        except OSError:
            sock.close()
            raise
        return sock
    sock = socket.create_connection((endpoint.host or None, endpoint.port), timeout_s)
    # The tests send many small pieces: without this Nagle's algorithm holds each for the last one's ACK.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Hold a free TCP port of 127.0.0.1, for a server that has to be told its port before it starts.

    Better let the server bind port 0, and ask it. The socket stays bound but doesn't listen: the kernel gives the
    port to no bind that asks for any, refuses clients that connect, and still lets a server bind it by number with
    SO_REUSEADDR, as servers do. Hold it until the server has ended.
    """
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        port: int = reservation.getsockname()[1]
        yield port


def receive_exactly(sock: socket.socket, count: int) -> bytes:
    """Receive `count` bytes; fewer only when the peer ended before."""
    received = bytearray()
    while len(received) < count and (piece := sock.recv(count - len(received))):
        received += piece
    return bytes(received)


def receive_all(sock: socket.socket) -> bytes:
    """Receive until the peer ends its side."""
    received = bytearray()
    while piece := sock.recv(65536):
        received += piece
    return bytes(received)


def reset(sock: socket.socket) -> None:
    """Close so that the peer gets a RST (TCP) or ECONNRESET at once, whatever is still unsent."""
    # Lingering for 0 s makes close(2) drop the connection instead of ending it; socket(7).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
