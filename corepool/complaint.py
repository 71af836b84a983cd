"""Log lines that a client, an application or the system can cause at any rate, written once a second.

Not for the tracebacks of an application's own requests: its author wants all of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_INTERVAL_S = 1.0


class Complaint:
    """Writes each message once a second at most, with the number of those that were held back since the last one.

    A message is known by its text without values; so there are as many as there are calls in the code.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._quiet_until: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def warn(self, message: str, *values: object) -> None:
        """Log a warning, if it is time."""
        if self._is_due(message):
            self._log.warning(message + " suppressed=%d", *values, self._suppressed.pop(message, 0))

    def error(self, message: str, *values: object) -> None:
        """Log an error, if it is time."""
        if self._is_due(message):
            self._log.error(message + " suppressed=%d", *values, self._suppressed.pop(message, 0))

    def exception(self, message: str, *values: object) -> None:
        """Log the exception that is being handled, if it is time."""
        if self._is_due(message):
            self._log.exception(message + " suppressed=%d", *values, self._suppressed.pop(message, 0))

    def _is_due(self, message: str) -> bool:
        now = self._clock()
        if now < self._quiet_until.get(message, 0.0):
            self._suppressed[message] = self._suppressed.get(message, 0) + 1
            return False
        self._quiet_until[message] = now + _INTERVAL_S
        return True
