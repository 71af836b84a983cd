"""Removing expired records and elements left behind: a bounded number at once, in one worker of the pool."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool_kv import events
from corepool_kv.engine.keyspace import Limits
from corepool_kv.stores import DATABASES, StoreError

if TYPE_CHECKING:
    import asyncio

    from corepool_kv.engine.execution import Execution
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work

log = logging.getLogger(__name__)

_INTERVAL_S = 0.1

_MAX_KEYS = 200
"""Removed at a time: a millisecond's work."""

_MAX_ELEMENTS = 1000
"""Of large collections that were removed, likewise."""


class Sweeper:
    """A client of the execution like any other: it shares transactions with other writes."""

    def __init__(self, execution: Execution, loop: asyncio.AbstractEventLoop) -> None:
        self._execution = execution
        self._loop = loop
        self.waiting: list[Work] = []
        self.limits = Limits(0, 0, 0)  # it stores nothing
        self._removed = 0
        self._elements_removed = 0
        self.total = 0
        """Keys removed and not counted yet."""
        self._timer: asyncio.Handle | None = None

    def rest(self) -> None:
        """Look for something to remove in a while."""
        self._timer = self._loop.call_later(_INTERVAL_S, self._sweep)

    def stop(self) -> None:
        """End: the store is closed."""
        if self._timer is not None:
            self._timer.cancel()

    def answer(self, replies: bytes) -> None:  # noqa: ARG002
        """Continue soon if there may be more, and let the clients have their turn between."""
        self.total += self._removed
        if self._removed == _MAX_KEYS or self._elements_removed >= _MAX_ELEMENTS:
            self._timer = self._loop.call_soon(self._sweep)
        else:
            self.rest()

    def explain(self, error: StoreError, commands: int) -> bytes:  # noqa: ARG002
        """Note that nothing was removed."""
        self._removed = self._elements_removed = 0
        return b""

    def _sweep(self) -> None:
        if self._has_due():
            self._execution.submit(self, self._remove)
        else:
            self.rest()

    def _has_due(self) -> bool:
        try:
            db = self._execution.read(self.limits)
            return any(db.select(number).has_due() for number in range(DATABASES))
        except StoreError as error:
            self._execution.log_failure(error)
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            events.kv_expiry_failed.exception(log, error)
        finally:
            self._execution.end_event()
        return False

    def _remove(self, db: Keyspace) -> bytes:
        self._removed = self._elements_removed = 0
        for number in range(DATABASES):
            each = db.select(number)
            self._removed += each.remove_expired(_MAX_KEYS - self._removed)
            self._elements_removed += each.elements.remove_garbage(_MAX_ELEMENTS - self._elements_removed)
        return b""
