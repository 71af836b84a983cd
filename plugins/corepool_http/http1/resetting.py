"""The end of a response that is not whole, where the end of the connection would say that it is (HTTP/1.0)."""

from __future__ import annotations

import array
import ctypes
import fcntl
import termios
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from corepool import Connection

_LINGER_S = 10.0
"""How long the client may take to read the output; then the rest is dropped."""

_FIRST_LOOK_S, _MAX_WAIT_S = 0.005, 0.5


class Reset:
    """Resets a connection as soon as the client's kernel has everything that was sent.

    Not before: a reset destroys what still waits here.
    """

    def __init__(self, conn: Connection[Any], loop: asyncio.AbstractEventLoop) -> None:
        """Begin to wait. Nothing more may be sent, and nothing is received."""
        conn.busy = True
        conn.pause()
        self._conn = conn
        self._loop = loop
        self._until = loop.time() + _LINGER_S
        self._wait_s = _FIRST_LOOK_S
        loop.call_later(self._wait_s, self._look)

    def _look(self) -> None:
        conn = self._conn
        if conn.closed:
            return
        if (conn.buffered or _undelivered(conn.fileno())) and self._loop.time() < self._until:
            self._wait_s = min(2 * self._wait_s, _MAX_WAIT_S)
            self._loop.call_later(self._wait_s, self._look)
            return
        _reset(conn.fileno())
        conn.abort()


def _undelivered(fd: int) -> int:
    """Report how many bytes the kernel still holds because the peer has not acknowledged them (SIOCOUTQ, tcp(7))."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.TIOCOUTQ, count)
    except (OSError, ValueError):  # a stream without a descriptor of its own
        return 0
    return count[0]


def _reset(fd: int) -> None:
    # connect(2): an address of AF_UNSPEC dissolves the association, which TCP does by RST. Unlike lingering for 0 s
    # this also works while the master has a copy of the descriptor. A UNIX socket takes no notice.
    ctypes.CDLL(None).connect(fd, bytes(16), 16)
