"""Asking something of a socket that the master has as a bare descriptor."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def borrowed(fd: int) -> Iterator[socket.socket]:
    """Yield a socket object for a descriptor of any family, which stays its owner's.

    No dup(2): at the limit of descriptors that would fail, though nothing here needs another one.
    """
    sock = socket.socket(fileno=fd)
    try:
        yield sock
    finally:
        sock.detach()


def peer_of(fd: int) -> object:
    """Return the peer's address as getpeername(2) has it; None: it has gone meanwhile."""
    with borrowed(fd) as sock:
        try:
            address: object = sock.getpeername()
        except OSError:
            return None
        return address
