"""The client's end of a socket pair, with as much room as a test needs on both sides of it."""

from __future__ import annotations

import copy
import os
import socket

_READ_BYTES = 65_536


class ClientEnd:
    """Sends what the kernel has no room for later, and leaves output of the other end with it if told to.

    The kernel holds some 200 KB between the ends. A client that does not read fills that up, so that all output waits
    in the connection, however little it is.
    """

    def __init__(self) -> None:
        """Make a pair of sockets."""
        theirs, self._sock = socket.socketpair()
        self._sock.setblocking(False)
        self._sock.bind("")  # the kernel finds a name: unix(7), autobind
        self.name: object = self._sock.getsockname()
        """By which the other end knows this one."""
        theirs.setblocking(False)
        self.other_fd = theirs.detach()
        """The worker's end. Owned by the one who takes it."""
        self.unsent = bytearray()
        """Bytes that the kernel had no room for."""
        self.taken = bytearray()
        """Bytes that have come."""
        self.has_met_the_end = False
        """The other side has ended."""
        self._reads = True
        self._end_is_due = False
        self._filler = 0

    def send(self, data: bytes) -> None:
        """Send after everything sent before."""
        self.unsent += data
        self._push()

    def end(self) -> None:
        """End this side, once everything is sent."""
        self._end_is_due = True
        self._push()

    def move(self) -> bool:
        """Send and read as much as is possible now; False: nothing."""
        return self._push() | self._pull()

    def stop_reading(self, fd: int) -> None:
        """Leave output with the other end, whose descriptor is `fd`, from now on."""
        self._pull()
        self._reads = False
        for piece in (bytes(_READ_BYTES), b"\0"):
            self._fill(fd, piece)

    def read_on(self) -> None:
        """Read again."""
        self._reads = True

    def reset(self, fd: int) -> bool:
        """Break the connection, whose other end is `fd`: unread bytes of both sides are lost.

        :returns: False: the other end can't tell this from an orderly end.
        """
        self.unsent.clear()
        _drop_input(fd)
        try:
            os.write(fd, b"\0")  # closed with unread input, a socket is reset
        except BlockingIOError:
            pass  # there is some already
        except OSError:
            return False
        finally:
            self.close()
        return True

    def hand_on(self) -> ClientEnd:
        """Return this end of the connection, which has gone on in another worker; the bytes taken stay here."""
        end = copy.copy(self)
        end.taken = bytearray()
        self._sock = socket.socket(socket.AF_UNIX)
        self.close()
        return end

    def close(self) -> None:
        """Close the socket; again is harmless."""
        self._sock.close()

    def _push(self) -> bool:
        if self._sock.fileno() < 0:
            return False
        has_sent = False
        try:
            while self.unsent:
                del self.unsent[: self._sock.send(self.unsent[:_READ_BYTES])]
                has_sent = True
            if self._end_is_due:
                self._end_is_due = False
                self._sock.shutdown(socket.SHUT_WR)
                has_sent = True
        except BlockingIOError:
            pass
        except OSError:  # the other side is closed
            self.unsent.clear()
        return has_sent

    def _pull(self) -> bool:
        before = len(self.taken)
        while self._reads and not self.has_met_the_end and self._sock.fileno() >= 0:
            try:
                data = self._sock.recv(_READ_BYTES)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            self.has_met_the_end = not data
            skipped = min(self._filler, len(data))
            self._filler -= skipped
            self.taken += data[skipped:]
        return len(self.taken) != before

    def _fill(self, fd: int, piece: bytes) -> None:
        try:
            while True:
                self._filler += os.write(fd, piece)
        except OSError:  # full, or closed
            pass


def _drop_input(fd: int) -> None:
    try:
        while os.read(fd, _READ_BYTES):
            pass
    except OSError:  # no more, or closed
        pass
