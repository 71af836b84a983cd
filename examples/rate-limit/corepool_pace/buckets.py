"""A bucket of bytes for each of many clients, which may go into debt. Pure: the clock is an argument.

How much a client will send is known when it has sent it. So a bucket gives whatever is asked, and says how long to
wait until the debt is paid. It is one number: when it will be full again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

_FORGOTTEN_PER_CLIENT = 2  # for each new one: more than one, so that the table shrinks again after a flood


class Buckets:
    """Buckets of `burst` bytes, refilled with `rate` bytes a second."""

    def __init__(self, rate: float, burst: float, most: int) -> None:
        """Begin with every bucket full.

        :param most: buckets that are remembered; beyond that, the one used longest ago is forgotten.
        """
        self._rate = rate
        self._burst_s = burst / rate
        self._most = most
        self._full_at: dict[Hashable, float] = {}
        """In the order in which they were used last. One that is full again need not be remembered."""

    def __len__(self) -> int:
        return len(self._full_at)

    def spend(self, client: Hashable, amount: int, now: float) -> float:
        """Take `amount` bytes.

        :returns: seconds until the debt is paid; 0: there is none.
        """
        full_at = max(self._full_at.pop(client, now), now) + amount / self._rate
        self._forget(now)
        self._full_at[client] = full_at
        return max(0.0, full_at - now - self._burst_s)

    def _forget(self, now: float) -> None:
        for _ in range(_FORGOTTEN_PER_CLIENT):
            oldest = next(iter(self._full_at), None)
            if oldest is None or (self._full_at[oldest] > now and len(self._full_at) < self._most):
                return
            del self._full_at[oldest]
