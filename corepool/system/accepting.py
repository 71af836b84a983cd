"""What the errors of accept(2) mean, for the master and for workers that accept by themselves.

accept(2) also reports what happened to the connection while it was queued: those are the fault of one
connection, and the next one may be fine. Only the lack of descriptors or memory says something about the
listener: it is left alone for a while, with its connections waiting in the backlog, since level-triggered
epoll would report it again at once and for ever.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

RETRY_DELAY_S = 0.1
"""How long a listener is left alone when the system is out of descriptors: ten failing calls a second cost nothing."""

_NONE_NOW = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})

# accept(2), "Error handling": already-pending network errors are passed on as an error of accept.
_ONE_CONNECTION = frozenset(
    {
        errno.EINTR,
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
    }
)


_MAX_ACCEPTS = 64
"""Connections that may fail one after the other, before that says something about the listener: a security policy that
forbids accept(2) gives EPERM each time, and the backlog never gets shorter."""


class ExhaustedError(Exception):
    """The system gives no connection now, though some wait."""


def accept_one(listening: socket.socket) -> tuple[int, object] | None:
    """Accept one connection: its descriptor (close-on-exec, blocking) and the peer's address.

    Ownership: the caller owns the descriptor.
    :returns: None when no connection waits.
    :raises ExhaustedError: EMFILE, ENFILE, ENOBUFS, ENOMEM; or connection after connection has failed.
    :raises OSError: the listener itself is broken.
    """
    reason = ""
    for _ in range(_MAX_ACCEPTS):
        try:
            # Not accept(): it takes 7.5 us, this 3.5 to 5: the difference is a socket object, which is not needed.
            return listening._accept()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _NONE_NOW:
                return None
            if error.errno in _ONE_CONNECTION:
                reason = os.strerror(error.errno)
                continue
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                raise ExhaustedError(os.strerror(error.errno)) from None
            raise
    raise ExhaustedError(reason)
