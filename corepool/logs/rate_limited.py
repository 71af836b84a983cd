"""Log lines that a client, an application or the system can cause at any rate, written once a second or less often.

Not for the tracebacks of an application's own requests: its author wants all of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool.logs.event import EventMessage

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from corepool.logs.event import ExcInfo


class RateLimitedLog:
    """Writes each event once in an interval at most, with the number of records that were held back since the last one.

    The name of the event decides, whatever its fields are; so the table is as long as the catalogue.
    """

    def __init__(
        self, log: logging.Logger, clock: Callable[[], float] = time.monotonic, *, interval_s: float = 1.0
    ) -> None:
        self._log = log
        self._clock = clock
        self._interval_s = interval_s
        self._quiet_until: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def isEnabledFor(self, level: int, /) -> bool:  # noqa: N802  # the name of logging
        """Report whether records of a level are logged."""
        return self._log.isEnabledFor(level)

    def log(self, level: int, message: object, /, *, exc_info: ExcInfo | None, stacklevel: int) -> None:
        """Log an event, if it is time."""
        assert isinstance(message, EventMessage)
        name = message.event.name
        if self._is_due(name):
            message = message.with_field("suppressed", self._suppressed.pop(name, None))
            self._log.log(level, message, exc_info=exc_info, stacklevel=stacklevel + 1)

    def _is_due(self, name: str) -> bool:
        now = self._clock()
        if now < self._quiet_until.get(name, 0.0):
            self._suppressed[name] = self._suppressed.get(name, 0) + 1
            return False
        self._quiet_until[name] = now + self._interval_s
        return True
