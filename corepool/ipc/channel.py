"""The channel between the master and one worker: a SEQPACKET socket pair that carries messages and descriptors.

Both ends are non-blocking. A full channel, too many descriptors in flight, and a dead peer are ordinary
answers, so they have errors of their own.
"""

from __future__ import annotations

import array
import errno
import os
import socket
from typing import TYPE_CHECKING, TypeAlias

from corepool.errors import ChannelFullError, GarbageError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.encoding import HEADER_SIZE, decode, encode
from corepool.ipc.shapes import MAX_FDS, MAX_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.ipc.messages import Message

__all__ = ["Channel", "Received", "receive", "receive_in_python", "send", "send_in_python"]

_BUGS = frozenset({errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOTSOCK})
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ECONNREFUSED})

_FD_SIZE = array.array("i").itemsize
_SPACE = socket.CMSG_SPACE(MAX_FDS * _FD_SIZE)
_MAX_SPACE = socket.CMSG_SPACE(253 * _FD_SIZE)
"""For as many as the kernel lets anything send (SCM_MAX_FD): beyond that, only a lack of descriptors cuts a message."""
_RECORD_SIZE = HEADER_SIZE + MAX_PAYLOAD

# Plain numbers: those of `socket` are members of an enumeration, and joining two of them takes a microsecond.
_SEND_FLAGS = int(socket.MSG_DONTWAIT) | int(socket.MSG_NOSIGNAL)
_RECEIVE_FLAGS = int(socket.MSG_DONTWAIT) | int(socket.MSG_CMSG_CLOEXEC)
_IS_CUT = int(socket.MSG_CTRUNC)
_PEEK = int(socket.MSG_PEEK)
_SOCKET_LEVEL = int(socket.SOL_SOCKET)
_RIGHTS = int(socket.SCM_RIGHTS)


Received: TypeAlias = "tuple[bytes, list[int], bool]"
"""A record, its descriptors, and whether the process had no room for all of them."""


def send_in_python(sock: socket.socket, record: bytes, fds: Sequence[int]) -> int:
    """Send a record with copies of `fds`, whole or not at all, without waiting.

    :returns: 0, or the number of the error.
    """
    ancillary = [(_SOCKET_LEVEL, _RIGHTS, array.array("i", fds))] if fds else []
    try:
        sock.sendmsg([record], ancillary, _SEND_FLAGS)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def receive_in_python(sock: socket.socket, space: int, flags: int) -> Received | int | None:
    """Receive a record and its descriptors, close-on-exec, without waiting.

    :param space: bytes for ancillary data, `_MAX_SPACE` at most.
    :returns: None: there is none now; or the number of the error.
    """
    try:
        # recvmsg and not socket.recv_fds, which ignores its flags: what it receives would be
        # inherited by every program the worker starts.
        record, ancillary, got, _ = sock.recvmsg(_RECORD_SIZE, space, _RECEIVE_FLAGS | flags)
    except BlockingIOError:
        return None
    except OSError as error:
        return error.errno or errno.EIO
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == _SOCKET_LEVEL and kind == _RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % _FD_SIZE])
    return record, fds.tolist(), bool(got & _IS_CUT)


try:
    from corepool.ipc._channel import receive, send
except ImportError:
    send, receive = send_in_python, receive_in_python


def _decode(record: bytes, fds: list[int]) -> tuple[Message, list[int]]:
    try:
        return decode(record), fds
    except GarbageError:
        for fd in fds:
            release(fd)
        raise


class Channel:
    """One end of a channel. Owns its descriptor."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over one end of a SEQPACKET pair."""
        sock.setblocking(False)
        self._sock = sock
        self.fd = sock.fileno()

    @staticmethod
    def pair() -> tuple[Channel, Channel]:
        """Make both ends: the master's and the worker's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(ours), Channel(theirs)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send `message` and copies of `fds`, whole or not at all.

        Ownership: the caller keeps its descriptors, whatever happens.
        :raises ChannelFullError: not now, for whatever reason; nothing was sent. EAGAIN: the queue is full
            (net.unix.max_dgram_qlen, or the send buffer). ETOOMANYREFS: an unprivileged process may have RLIMIT_NOFILE
            descriptors in flight (unix(7)). ENOBUFS, ENOMEM: the kernel has no memory for the record. What else a
            security policy may say (EPERM, EACCES) is no different: the message is kept, and sent again later.
        :raises PeerGoneError: never again; nothing was sent.
        """
        failed = send(self._sock, encode(message), fds)
        if failed:
            if failed in _BUGS:
                raise OSError(failed, os.strerror(failed))
            raise (PeerGoneError if failed in _GONE else ChannelFullError)(os.strerror(failed))

    def receive(self) -> tuple[Message, list[int]] | None:
        """Receive one message and its descriptors, close-on-exec; None when there is none now.

        Ownership: the caller owns the descriptors.
        :raises PeerGoneError: the other end is closed and everything it sent was received.
        :raises GarbageError: the record is not a message: both ends run this code, so something else in that process
            has written to the descriptor. Nothing received is left open.
        :raises OSError: ENOMEM and the like: not now.

        A process at its descriptor limit receives fewer than were sent (MSG_CTRUNC); so a message with
        connections says how many there should be.
        """
        received = self._receive(_SPACE, 0)
        return None if received is None else _decode(received[0], received[1])

    def receive_whole(self) -> tuple[Message, list[int]] | None:
        """Receive one message if there is room for all of its descriptors: for descriptors without a copy.

        As `receive`, for one system call more.
        :raises OSError: EMFILE: there is no room now; the message stays in the channel.
        """
        received = self._receive(_MAX_SPACE, _PEEK)
        if received is None:
            return None
        record, fds, is_cut = received
        if is_cut:
            for fd in fds:
                release(fd)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        try:
            self._sock.recvmsg(1)  # the descriptors that were seen are ours already: these are dropped
        except OSError:
            for fd in fds:
                release(fd)
            raise
        return _decode(record, fds)

    def _receive(self, space: int, flags: int) -> Received | None:
        received = receive(self._sock, space, flags)
        if isinstance(received, int):
            if received in _GONE:
                raise PeerGoneError(os.strerror(received))
            raise OSError(received, os.strerror(received))
        if received is not None and not received[0]:
            for fd in received[1]:
                release(fd)
            raise PeerGoneError("closed by the peer")
        return received

    def hang_up(self) -> None:
        """End this side: the peer meets PeerGoneError. Its own messages are still received."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone already

    def close(self) -> None:
        """Close this end; the peer then meets PeerGoneError."""
        release(self._sock.detach())
