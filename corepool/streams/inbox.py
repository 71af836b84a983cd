"""What has arrived on a connection and was not read yet: pure, so that coroutines and threads read by the same rules.

An inbox never grows by itself: who feeds it stops when it is `full`, which leaves the rest to the kernel and then to
the peer. Each `take_...` gives what it was asked for, or None when more has to arrive first.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, LimitOverrunError


class TooLongError(LimitOverrunError, ValueError):
    """A peer's line, or what it has sent before a separator, is longer than the limit.

    Both of what asyncio.StreamReader raises: ValueError by readline, LimitOverrunError by readuntil.
    """


class Inbox:
    """Bytes in the order of their arrival, and then perhaps the end."""

    __slots__ = ("_limit", "_searched", "data", "is_ended")

    def __init__(self, limit: int) -> None:
        """Make an empty one.

        :param limit: bytes that one line may have; with twice as many it is `full`.
        """
        self._limit = limit
        self._searched = 0  # no line ends, and no separator begins, before this
        self.data = bytearray()
        self.is_ended = False
        """Nothing more will come."""

    @property
    def full(self) -> bool:
        """True when nothing more is to be put in."""
        return len(self.data) > 2 * self._limit

    def take(self, count: int) -> bytes:
        """Take so many bytes from the front, or what there is."""
        data = self.data
        taken = bytes(data[:count])
        del data[:count]
        self._searched = 0
        return taken

    def take_some(self, most: int) -> bytes | None:
        """Take what is there, `most` bytes at most; b"" at the end."""
        if self.data or self.is_ended:
            return self.take(most)
        return None

    def take_line(self) -> bytes | None:
        r"""Take a line with its \n; at the end what is left, without one.

        :raises TooLongError: it is longer than the limit.
        """
        data = self.data
        end = data.find(b"\n", self._searched) + 1
        if not end:
            if len(data) > self._limit:
                raise TooLongError(f"a line has more than {self._limit} bytes", len(data))
            if self.is_ended:
                return self.take(len(data))
            self._searched = len(data)
            return None
        if end > self._limit:
            raise TooLongError(f"a line has more than {self._limit} bytes", end)
        self._searched = 0
        if end == len(data):  # a client that waits for its answer: usual, and by half cheaper
            line = bytes(data)
            data.clear()
            return line
        line = bytes(data[:end])
        del data[:end]
        return line

    def take_line_of(self, most: int) -> bytes | None:
        """Take a line, or `most` bytes of one, or what is there of one that is longer than the inbox."""
        data = self.data
        end = data.find(b"\n", self._searched, most) + 1
        if end:
            return self.take(end)
        if self.is_ended or len(data) >= most or self.full:
            return self.take(most)
        self._searched = len(data)
        return None

    def take_until(self, separator: bytes) -> bytes | None:
        """Take what ends with `separator`.

        :raises TooLongError: it doesn't come within the limit.
        :raises IncompleteReadError: the end came before it; what there was is in its `partial`.
        """
        data = self.data
        start = data.find(separator, self._searched)
        end = start + len(separator)
        if start >= 0 and end <= self._limit:
            return self.take(end)
        if start >= 0 or len(data) > self._limit:
            raise TooLongError(f"no {separator!r} within {self._limit} bytes", len(data))
        if self.is_ended:
            raise IncompleteReadError(self.take(len(data)), None)
        self._searched = max(0, len(data) - len(separator) + 1)  # it may have begun already
        return None

    def forget(self) -> None:
        """Drop what is there."""
        self.data.clear()
        self._searched = 0
