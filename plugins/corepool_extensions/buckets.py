"""A token bucket for each of many keys, in bounded memory. Pure: the clock is an argument.

A bucket is one number: when it will be full again (the "theoretical arrival time" of GCRA, the same policy
as tokens and a refill, without arithmetic on tokens). In whole nanoseconds, so that nothing is rounded away.

A full bucket says nothing that a new one would not: full ones are forgotten as others come. When all of
`most` are in use, the one that gave a token longest ago is forgotten, full or not. A client with more addresses
than that could exceed the rate anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

_SECOND_NS = 1_000_000_000

_FORGOTTEN_PER_KEY = 2  # for each new one: more than one, so that the table shrinks again after a flood


class Buckets:
    """Buckets that hold `burst` tokens and are refilled with `rate` tokens a second; at most `most` of them."""

    def __init__(self, rate: float, burst: int, most: int) -> None:
        self._interval_ns = max(1, round(_SECOND_NS / rate))
        self._tolerance_ns = (burst - 1) * self._interval_ns
        self._most = most
        self._full_at: dict[Hashable, int] = {}  # in the order in which they last gave a token

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, now_ns: int) -> bool:
        """Take a token from the bucket of `key`; False when it is empty."""
        full_at = self._full_at.get(key)
        if full_at is None:
            self._forget(now_ns)
            full_at = now_ns
        elif full_at - now_ns > self._tolerance_ns:
            return False
        else:
            del self._full_at[key]
        self._full_at[key] = max(full_at, now_ns) + self._interval_ns
        return True

    def _forget(self, now_ns: int) -> None:
        for _ in range(_FORGOTTEN_PER_KEY):
            oldest = next(iter(self._full_at), None)
            if oldest is None or (self._full_at[oldest] > now_ns and len(self._full_at) < self._most):
                return
            del self._full_at[oldest]
