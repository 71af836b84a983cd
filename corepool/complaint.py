"""What may go wrong a thousand times a second, and is logged once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_INTERVAL_S = 1.0


class Complaint:
    """A log line that is written once a second at the most, with the number of those that were kept back."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._quiet_until = 0.0
        self._suppressed = 0

    def warn(self, message: str, *values: object) -> None:
        """Log a warning, if it is time."""
        if self._is_due():
            self._log.warning(message + " suppressed=%d", *values, self._suppressed)
            self._suppressed = 0

    def error(self, message: str, *values: object) -> None:
        """Log an error, if it is time."""
        if self._is_due():
            self._log.error(message + " suppressed=%d", *values, self._suppressed)
            self._suppressed = 0

    def exception(self, message: str, *values: object) -> bool:
        """Log the exception that is being handled, if it is time.

        :returns: whether it was logged.
        """
        if not self._is_due():
            return False
        self._log.exception(message + " suppressed=%d", *values, self._suppressed)
        self._suppressed = 0
        return True

    def _is_due(self) -> bool:
        now = self._clock()
        if now < self._quiet_until:
            self._suppressed += 1
            return False
        self._quiet_until = now + _INTERVAL_S
        return True
