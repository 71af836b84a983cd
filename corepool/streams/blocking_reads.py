"""The reads of a stream for threads: each is an attempt on the inbox, repeated until it gives something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from corepool.streams.errors import EndedError
from corepool.streams.inbox import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class BlockingReads(ABC):
    """The part of a BlockingStream that reads, and its time-out."""

    _timeout_s: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        """Let reads and writes that wait longer raise TimeoutError; None: they wait for ever."""
        if seconds is not None and seconds <= 0:
            raise ValueError(f"settimeout: expected more than 0 seconds, or None; got {seconds:g}")
        self._timeout_s = seconds

    def gettimeout(self) -> float | None:
        """Return the time-out in seconds that `settimeout` has set."""
        return self._timeout_s

    @abstractmethod
    def take(self, attempt: Callable[[Inbox], bytes | None], *, begun: bool = False) -> bytes:
        """Try `attempt` on the inbox until it gives something, and wait for more in between."""

    @abstractmethod
    def put_back(self, pieces: list[bytes]) -> None:
        """Put pieces back, for the next read."""

    def recv(self, limit: int, *, begun: bool = False) -> bytes:
        """Wait for input.

        :param begun: the handler already has a part of what it waits for: a worker that leaves then waits, too.
        :returns: `limit` bytes at most; b"" at the end.
        :raises ConnectionResetError: the connection is broken; all reads raise this.
        :raises TimeoutError: nothing came in time; all reads raise this.
        """
        if limit < 0:
            raise ValueError(f"recv: expected 0 bytes or more; got {limit}")
        return self.take(lambda inbox: inbox.take_some(limit), begun=begun) if limit else b""

    def peek(self, limit: int) -> bytes:
        """Wait for input as `recv`, and leave it to be read."""
        return self.take(lambda inbox: inbox.peek(limit))

    def readline(self, *, begun: bool = False) -> bytes:
        """Read a line with its line break; at the end the rest, and then b"".

        :param begun: as for `recv`.
        :raises ValueError: it is longer than the limit; the part that has arrived is dropped.
        """
        return self.take(Inbox.take_line, begun=begun)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def readexactly(self, n: int, *, begun: bool = False) -> bytes:
        """Read `n` bytes.

        :param begun: as for `recv`: for the body of a message whose header was read, say.
        :raises asyncio.IncompleteReadError: the peer has ended before.
        """
        if n < 0:
            raise ValueError(f"readexactly: expected 0 bytes or more; got {n}")
        taken = self.gather(n, begun=begun)
        if len(taken) < n:
            raise EndedError(taken, n)
        return taken

    def readuntil(self, separator: bytes = b"\n", *, begun: bool = False) -> bytes:
        """Read until a separator, and with it.

        :param begun: as for `recv`.
        :raises asyncio.IncompleteReadError: the peer has ended before.
        :raises asyncio.LimitOverrunError: it doesn't come within the limit.
        """
        if not separator:
            raise ValueError("an empty separator separates nothing")
        return self.take(lambda inbox: inbox.take_until(separator), begun=begun)

    def gather(self, size: int, *, line: bool = False, begun: bool = False) -> bytes:
        """Take `size` bytes, or a line of that many at most; fewer only at the end.

        :raises OSError: as `recv`; what came before it is there for the next read.
        """
        attempt = Inbox.take_line_of if line else Inbox.take_some
        pieces: list[bytes] = []
        left = size
        try:
            while left:
                piece = self.take(lambda inbox: attempt(inbox, left), begun=begun or bool(pieces))  # noqa: B023  # at once
                pieces.append(piece)
                left -= len(piece)
                if not piece or (line and piece.endswith(b"\n")):
                    break
        except BaseException:
            self.put_back(pieces)
            raise
        return b"".join(pieces)
