"""Bounds on what a client makes the server do for nothing: how often, in a length of time.

| abuse | counted |
|---|---|
| rapid_reset | a stream that the client resets before its response was whole (CVE-2023-44487) |
| made_reset | a stream that the client has the server reset, by an error ("MadeYouReset", CVE-2025-8671) |
| stream_flood | a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS |
| settings_flood, ping_flood | a frame that has to be answered; a value of SETTINGS, which may change every stream |
| empty_frames_flood | DATA without content that ends nothing, and CONTINUATION without a fragment |
| priority_flood | PRIORITY and PRIORITY_UPDATE |
| window_flood | a WINDOW_UPDATE of less than SMALL_UPDATE bytes |
| late_frames_flood | a frame for a stream that is closed |
| unknown_frames_flood | a frame of an unknown type |

Those with a bound of their own, in bytes, are judged where they are read: continuation_flood, header_bomb.
Honest clients stay an order of magnitude below; the bounds are where the work is still less than that for requests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_http.http2.errors import Code, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

RESETS = 0
"""Of both kinds: one bound for the sum, or each could be had beside the other."""
STREAMS = 1
SETTINGS = 2
PINGS = 3
EMPTY = 4
PRIORITIES = 5
WINDOWS = 6
LATE = 7
UNKNOWN = 8
VALUES = 9

_MOST = (500, 1_000, 500, 5_000, 1_000, 2_000, 10_000, 10_000, 1_000, 1_000)
"""Within PERIOD_S, by the numbers above."""

PERIOD_S = 5.0
SMALL_UPDATE = 1_024


class Bounds:
    """Counts for one connection."""

    __slots__ = ("_clock", "_left", "_since")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing counted.

        :param clock: seconds; asked when a count is at its bound, never before.
        """
        self._clock = clock
        self._left: list[int] | None = None
        self._since: list[float] | None = None

    def count(self, what: int, abuse: str) -> None:
        """Count one.

        :raises Failure: too many have come in too short a time.
        """
        left = self._left
        if left is None or self._since is None:
            left = self._left = list(_MOST)
            self._since = [self._clock()] * len(_MOST)
        left[what] -= 1
        if left[what] < 0:
            now = self._clock()
            if now - self._since[what] < PERIOD_S:
                raise Failure(Code.ENHANCE_YOUR_CALM, f"more than {_MOST[what]} in {PERIOD_S:g} s", abuse)
            left[what] = _MOST[what] - 1
            self._since[what] = now
