"""How many connections the whole pool holds, as one of its workers can know it.

Each worker publishes its count when a batch of events is over. Reading all of them costs some 50 us, more
than a connection itself: so they are read at most ten times a second, and in between this worker adds and
subtracts its own connections. The changes of the others since then are not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_NS = 100_000_000
"""How old the figures of the other workers may be. Half of it would cost a flooded worker 0.1 % of its time more."""


class PoolCount:
    """The connections of the pool. Pure, but for the reading, which is passed in, and the clock, an argument."""

    def __init__(self, read: Callable[[], int]) -> None:
        """Take how the published count is read."""
        self._read = read
        self._published = 0
        self._since = 0
        self._read_at_ns: int | None = None

    def begin(self, now_ns: int) -> bool:
        """Count a connection that begins here.

        :returns: True when the count was read anew. It should then be read again when the batch is over: what
            this worker did before in the same batch is not published yet.
        """
        is_due = self._read_at_ns is None or now_ns - self._read_at_ns >= PERIOD_NS
        if is_due:
            self._read_at_ns = now_ns
            self.read_again()
        self._since += 1
        return is_due

    def end(self) -> None:
        """Count a connection that has ended here."""
        self._since -= 1

    def read_again(self) -> None:
        """Read the published count; by now it includes everything that began and ended before."""
        self._published = self._read()
        self._since = 0

    @property
    def held(self) -> int:
        """How many there are."""
        return self._published + self._since
