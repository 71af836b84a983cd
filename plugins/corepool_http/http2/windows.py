"""Windows for content that grow with what applications take (RFC 9113, 6.9), and the memory that they may cost.

A stream begins with a window of 64 KiB: all that an application which takes nothing costs. An upload gets one window in
each round trip, so over a long way 64 KiB are slow. A window doubles when its application has taken all that had come;
what it may have beyond its first size is bounded for each connection, and for all connections of a worker together.
"""

from __future__ import annotations

STREAM_WINDOW = 65_535
"""Bytes of content that a client may send on a stream before its application takes any: the initial value of
SETTINGS_INITIAL_WINDOW_SIZE, which is not changed."""

MAX_STREAM_WINDOW = 1 << 20
MAX_EXTRA = 4 << 20
"""Of all windows of a connection, beyond STREAM_WINDOW for each."""
MAX_EXTRA_OF_WORKER = 64 << 20

WINDOW = 1 << 20
"""Of the connection. It is opened again as content arrives: what waits is bounded by the windows of the streams, and a
stream that is not read must not hold up the others."""


class ExtraRoom:
    """The bytes by which the windows of all connections of a worker may grow still."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_EXTRA_OF_WORKER

    def take(self, wanted: int) -> int:
        """Take as much of `wanted` as there is, and return it."""
        taken = min(wanted, self.left)
        self.left -= taken
        return taken

    def give_back(self, count: int) -> None:
        """Return bytes that were taken, for others."""
        self.left += count
