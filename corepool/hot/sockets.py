"""System calls on a bare descriptor that Python has on socket objects only.

A connection has no socket object: making and closing one around it costs 0.7 us.
"""

from __future__ import annotations

import fcntl
import os
import socket
import termios

__all__ = [
    "drop_input",
    "drop_input_in_python",
    "has_come",
    "has_come_in_python",
    "ipv4_sockaddr",
    "ipv4_sockaddr_in_python",
    "peek",
    "shut_down",
    "shut_down_in_python",
    "sockaddr",
    "sockaddr_in_python",
]

PIECE_BYTES = 65_536

_NONE = bytes(4)
"""No bytes, as FIONREAD counts them: in an int of C."""


def shut_down_in_python(fd: int, how: int) -> None:
    """End a socket's output (SHUT_WR), or both sides (SHUT_RDWR). A peer that was faster is no error."""
    sock = _borrow(fd)
    try:
        sock.shutdown(how)
    except OSError:
        pass
    finally:
        sock.detach()


def drop_input_in_python(fd: int) -> bool | None:
    """Read some of the input, and drop it; False: there is none yet, None: it has ended, or is broken."""
    try:
        return True if os.read(fd, PIECE_BYTES) else None
    except BlockingIOError:
        return False
    except OSError:
        return None


def has_come_in_python(fd: int) -> bool:
    """Return whether there is input to be received; False for the end of it, too, and where the kernel can't tell."""
    try:
        return fcntl.ioctl(fd, termios.FIONREAD, _NONE) != _NONE
    except OSError:
        return False


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


def sockaddr_in_python(fd: int, family: int, peer: bool) -> object:  # noqa: FBT001
    """Return the address of one end, as `socket` has that of getpeername(2) or getsockname(2).

    :raises OSError: the peer is gone.
    """
    sock = _borrow(fd, family)
    try:
        address: object = sock.getpeername() if peer else sock.getsockname()
    finally:
        sock.detach()
    return address


def ipv4_sockaddr_in_python(fd: int, peer: bool) -> tuple[str, int] | None:  # noqa: FBT001  # in C there are no keywords
    """Return the same of an IPv4 socket; None: its address is no pair of host and port."""
    found = sockaddr_in_python(fd, socket.AF_INET, peer)
    return found if isinstance(found, tuple) and len(found) == 2 else None


def _borrow(fd: int, family: int = socket.AF_UNIX) -> socket.socket:
    # The family is for addresses alone; given, it costs no getsockopt(2).
    return socket.socket(family, socket.SOCK_STREAM, 0, fd)


try:
    from corepool.hot._sockets import drop_input, has_come, ipv4_sockaddr, shut_down
except ImportError:  # not compiled
    drop_input = drop_input_in_python
    has_come = has_come_in_python
    shut_down = shut_down_in_python
    ipv4_sockaddr = ipv4_sockaddr_in_python
    sockaddr = sockaddr_in_python
else:

    def sockaddr(fd: int, family: int, peer: bool) -> object:  # noqa: FBT001
        """See `sockaddr_in_python`, which is asked for scopes and paths: those of other families."""
        found = ipv4_sockaddr(fd, peer) if family == socket.AF_INET else None
        return sockaddr_in_python(fd, family, peer) if found is None else found
