"""The unread input of a connection: pure, so that coroutines and threads read by the same rules.

An inbox never grows by itself: its owner stops feeding it when it is `full`, so the rest waits in the kernel, and then
at the peer. Each `take_...` returns the requested bytes, or None when more have to arrive first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.streams.errors import EndedError, TooLongError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Inbox:
    """Bytes in the order of their arrival, and then perhaps the end."""

    __slots__ = ("_limit", "_searched", "_sought", "data", "is_ended")

    def __init__(self, limit: int) -> None:
        """Make an empty one.

        :param limit: bytes that may come before a line's end or a separator; with twice as many it is `full`.
        """
        self._limit = limit
        self._sought = b"\n"
        self._searched = 0  # no `_sought` begins before this
        self.data = bytearray()
        self.is_ended = False
        """Nothing more will come."""

    @property
    def full(self) -> bool:
        """True when nothing more is to be put in."""
        return len(self.data) > 2 * self._limit

    def take(self, count: int) -> bytes:
        """Take `count` bytes from the front, or all if there are fewer."""
        data = self.data
        taken = bytes(data[:count])
        del data[:count]
        self._searched = 0
        return taken

    def take_some(self, most: int) -> bytes | None:
        """Take the bytes that have arrived, `most` at most; b"" at the end."""
        if self.data or self.is_ended:
            return self.take(most)
        return None

    def peek(self, most: int) -> bytes | None:
        """Return the bytes that have arrived, `most` at most, and leave them; b"" at the end."""
        return bytes(self.data[:most]) if self.data or self.is_ended else None

    def take_line(self) -> bytes | None:
        r"""Take a line with its \n; at the end the rest, without one.

        :raises TooLongError: it is longer than the limit. As with asyncio's readline, the part that has arrived is
            dropped, so that the next read goes on behind it.
        """
        data = self.data
        if self._sought != b"\n":
            self._seek(b"\n")
        end = data.find(b"\n", self._searched) + 1
        if not end:
            size = len(data)
            if size > self._limit:
                self.forget()
                raise TooLongError(f"a line has more than {self._limit} bytes", size)
            if self.is_ended:
                return self.take(size)
            self._searched = size
            return None
        self._searched = 0
        if end > self._limit + 1:
            del data[:end]
            raise TooLongError(f"a line has more than {self._limit} bytes", end - 1)
        if end == len(data):  # a client that waits for its answer: the usual case, at half the cost
            line = bytes(data)
            data.clear()
            return line
        line = bytes(data[:end])
        del data[:end]
        return line

    def take_line_of(self, most: int) -> bytes | None:
        """Take a line, or `most` bytes of one, or the part that has arrived of one that is longer than the inbox."""
        data = self.data
        if self._sought != b"\n":
            self._seek(b"\n")
        end = data.find(b"\n", self._searched, most) + 1
        if end:
            return self.take(end)
        if self.is_ended or len(data) >= most or self.full:
            return self.take(most)
        self._searched = len(data)
        return None

    def take_until(self, separator: bytes) -> bytes | None:
        """Take the bytes up to `separator`, with it.

        :raises TooLongError: it doesn't come within the limit. Nothing is dropped; its `consumed` says how many bytes
            are before the separator, or before where one may begin.
        :raises EndedError: the end came before it; its `partial` has the rest.
        """
        data = self.data
        if self._sought != separator:
            self._seek(separator)
        start = data.find(separator, self._searched)
        if 0 <= start <= self._limit:
            return self.take(start + len(separator))
        if start < 0:
            start = max(0, len(data) - len(separator) + 1)  # it may have begun already
        if start > self._limit:
            raise TooLongError(f"no {separator!r} within {self._limit} bytes", start)
        if self.is_ended:
            raise EndedError(self.take(len(data)), None)
        self._searched = start
        return None

    def put_back(self, pieces: Iterable[bytes]) -> None:
        """Put pieces back to the front, for the next read."""
        self.data[:0] = b"".join(pieces)
        self._searched = 0

    def forget(self) -> None:
        """Drop the input."""
        self.data.clear()
        self._searched = 0

    def _seek(self, separator: bytes) -> None:
        self._sought = separator
        self._searched = 0
