"""Requests whose client has given them up, and whose application is still at work.

A reset stream is no open stream any more, and makes room for the next one; a thread of WSGI that serves it can't be
stopped. So such requests go on counting against the limit of open streams, until their application lets go of the
exchange: else a client that resets each request (CVE-2023-44487) could have any amount of work begun.
"""

from __future__ import annotations


class Token:
    """Held by a lost stream, which its exchange holds, which the application holds; freed with the last of them."""

    __slots__ = ("_released",)

    def __init__(self, released: list[None]) -> None:
        self._released = released

    def __del__(self) -> None:
        self._released.append(None)  # in any thread: appending is one step of the interpreter


class Unfinished:
    """Counts the lost requests of one connection that are still held."""

    __slots__ = ("_count", "_released")

    def __init__(self) -> None:
        self._count = 0
        self._released: list[None] = []

    def token(self) -> Token:
        """Count one until the token is freed."""
        self._count += 1
        return Token(self._released)

    def __len__(self) -> int:
        if self._count:
            freed = len(self._released)
            del self._released[:freed]
            self._count -= freed
        return self._count
