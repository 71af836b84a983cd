"""Accepting from one listening socket, for the master and for workers that accept by themselves.

accept(2) also reports errors of the connection while it was queued: those are the fault of one
connection, and the next one may be fine. Only the lack of descriptors or memory says something about the
listener: it is left alone for a while, with its connections waiting in the backlog, since level-triggered
epoll would report it again at once and for ever.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Protocol

from corepool.logs.rate_limited import RateLimitedLog
from corepool.system import events

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = logging.getLogger(__name__)

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
    """Accept one connection: its descriptor (close-on-exec, non-blocking) and the peer's address.

    Ownership: the caller owns the descriptor.
    :returns: None when no connection waits.
    :raises ExhaustedError: EMFILE, ENFILE, ENOBUFS, ENOMEM; or connection after connection has failed.
    :raises OSError: the listener itself is broken.
    """
    reason = ""
    for _ in range(_MAX_ACCEPTS):
        try:
            # Not accept(): it takes 7.5 us, this 3.5 to 5: the difference is a socket object, which is not needed.
            fd, sockaddr = listening._accept()  # type: ignore[attr-defined]  # noqa: SLF001
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
        try:
            os.set_blocking(fd, False)
        except OSError as error:
            os.close(fd)
            raise ExhaustedError(error.strerror) from None
        return fd, sockaddr
    raise ExhaustedError(reason)


try:
    from corepool.system import _accepting
except ImportError:  # corepool was installed without a compiler
    accept_unknown = accept_one
else:
    accept_unknown = partial(_accepting.accept_one, accept_one)
    """Does as `accept_one`, and leaves the peer's address to be asked of the connection: None."""


class Side(Protocol):
    """The process that accepts, as `Accepting` needs it."""

    def watch(self) -> None:
        """Have `Accepting.accept` called when connections wait.

        :raises OSError: ENOSPC, ENOMEM: there is no room to watch the socket now.
        """

    def unwatch(self) -> None:
        """Have it called no more."""

    def has_room(self) -> bool:
        """Return whether a connection that is accepted now can be taken."""

    def take(self, fd: int, sockaddr: object) -> None:
        """Take a connection, and own its descriptor.

        :param sockaddr: the peer's address as accept(2) gave it; None: to be asked of the connection.
        """


class Accepting:
    """One listening socket: watched unless it is paused by its owner, or rests since the system refuses connections."""

    def __init__(
        self,
        listening: socket.socket,
        url: str,
        side: Side,
        call_later: Callable[[float, Callable[[], None]], object],
        *,
        wants_peer: bool = False,
    ) -> None:
        """Begin paused.

        :param wants_peer: the address of each peer is looked at: it is taken from accept(2) then, which costs less than
            asking the connection for it.
        """
        self._accept_one = accept_one if wants_peer else accept_unknown
        self._listening = listening
        self._url = url
        self._side = side
        self._call_later = call_later
        self._rate_limited = RateLimitedLog(log)
        self._is_paused = True
        self._is_resting = False
        self._is_watched = False

    @property
    def is_resting(self) -> bool:
        """True while the listener is left alone."""
        return self._is_resting

    def resume(self) -> None:
        """Accept from now on. Idempotent."""
        self._is_paused = False
        self._update()

    def pause(self) -> None:
        """Leave connections in the backlog until `resume`. Idempotent."""
        self._is_paused = True
        self._update()

    def accept(self, most: int) -> int:
        """Take connections from the backlog, as long as there is room and `most` at the most; return their number."""
        side = self._side
        for taken in range(most):
            if not side.has_room():
                return taken
            try:
                accepted = self._accept_one(self._listening)
            except ExhaustedError as error:
                self._rest(error)
                return taken
            except OSError:
                self.failed()
                return taken
            if accepted is None:
                return taken
            fd, sockaddr = accepted
            side.take(fd, sockaddr)
        return most

    def failed(self) -> None:
        """Log the exception that is being handled, and leave the listener alone for a moment."""
        events.accept_failed.exception(self._rate_limited, sys.exception(), url=self._url, retry_s=RETRY_DELAY_S)
        self._leave_alone()

    def _rest(self, reason: Exception) -> None:
        events.accept_paused(self._rate_limited, url=self._url, reason=reason, retry_s=RETRY_DELAY_S)
        self._leave_alone()

    def _leave_alone(self) -> None:
        if not self._is_resting:
            self._is_resting = True
            self._call_later(RETRY_DELAY_S, self._on_rested)
        self._update()

    def _on_rested(self) -> None:
        self._is_resting = False
        self._update()

    def _update(self) -> None:
        is_wanted = not (self._is_paused or self._is_resting)
        if is_wanted and not self._is_watched:
            try:
                self._side.watch()
            except OSError as error:
                self._rest(error)
            else:
                self._is_watched = True
        elif self._is_watched and not is_wanted:
            self._is_watched = False
            self._side.unwatch()
