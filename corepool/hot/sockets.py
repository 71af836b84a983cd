"""System calls on a bare descriptor that Python has on socket objects only.

A connection has no socket object: making and closing one around it costs 0.7 us.
"""

from __future__ import annotations

import socket


def shut_down(fd: int, how: int) -> None:
    """End a socket's output (SHUT_WR), or both sides (SHUT_RDWR). A peer that was faster is no error."""
    sock = _borrow(fd)
    try:
        sock.shutdown(how)
    except OSError:
        pass
    finally:
        sock.detach()


def peek(fd: int, count: int) -> bytes:
    """Return the first bytes of the input, and leave them there; b"" at its end.

    :param count: bytes at most.
    :raises BlockingIOError: there are none yet.
    :raises OSError: the connection is broken.
    """
    sock = _borrow(fd)
    try:
        if socket.getdefaulttimeout() is not None:  # an application has set it, and recv would wait for so long
            sock.settimeout(0)
        return sock.recv(count, socket.MSG_PEEK)
    finally:
        sock.detach()


def sockaddr(fd: int, family: int, *, peer: bool) -> object:
    """Return the address of one end, as getpeername(2) and getsockname(2) have it.

    :raises OSError: the peer is gone.
    """
    sock = _borrow(fd, family)
    try:
        address: object = sock.getpeername() if peer else sock.getsockname()
    finally:
        sock.detach()
    return address


def _borrow(fd: int, family: int = socket.AF_UNIX) -> socket.socket:
    # The family is for addresses alone; given, it costs no getsockopt(2).
    return socket.socket(family, socket.SOCK_STREAM, 0, fd)
