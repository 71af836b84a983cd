"""The order to stop: for `shutdown_delay` probes tell of it, and everything is served; then the stop begins."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.master.loop import Loop, Timer

log = logging.getLogger(__name__)


class Shutdown:
    """The order and the beginning of the stop."""

    def __init__(self, loop: Loop, delay_s: float, begin: Callable[[], None]) -> None:
        """Nothing is ordered yet.

        :param delay_s: between the order and the stop.
        :param begin: called when that time is over.
        """
        self._loop = loop
        self._delay_s = delay_s
        self._begin = begin
        self._timer: Timer | None = None
        self.is_ordered = False
        """Probes say so."""
        self.has_begun = False
        """Nothing is accepted any more."""

    def order(self, *, at_once: bool) -> bool:
        """Note the order.

        :param at_once: there is no time for a delay, or nothing to wait for.
        :returns: whether the stop has to wait; a second order ends the delay.
        """
        waits = not (at_once or self.is_ordered or self._delay_s <= 0)
        self.is_ordered = True
        if waits:
            events.pool_stop_delayed(log, delay_s=self._delay_s)
            self._timer = self._loop.call_later(self._delay_s, self._begin)
        return waits

    def begin(self) -> bool:
        """Note that the stop begins.

        :returns: False: it has begun already.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        begins = not self.has_begun
        self.is_ordered = self.has_begun = True
        return begins
