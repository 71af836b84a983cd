"""The counts of one listener over all of its workers, those that have ended included.

Each worker counts in attributes, which costs next to nothing, and adds the differences to shared counters once a
second: so the counts of other workers are up to a second old, and a worker that is killed loses those of its last one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool import Worker

_INTERVAL_S = 1.0
_STALE_S = 5.0
"""The connections of a worker that has not told for so long are gone with it."""

_AT_RESET = b"at reset"
_MAX_COUNTS_BYTES = 4096
_MAX_CONNECTIONS_BYTES = 64


class SharedCounts:
    """The sums of what workers count, since they were reset."""

    def __init__(
        self, worker: Worker, listener: str, read: Callable[[], Mapping[str, int]], connections: Callable[[], int]
    ) -> None:
        """Begin to tell.

        :param read: return what this worker has counted since its start, always by the same names.
        :param connections: return how many it has.
        """
        prefix = f"memcached {listener}"
        self._read = read
        self._connections = connections
        self._loop = worker.loop
        self._slot = f"{worker.slot}"
        self._counters = {name: worker.counter(f"{prefix} {name}") for name in read()}
        self._told = dict.fromkeys(self._counters, 0)
        self._at_reset = worker.map(f"{prefix} counts", most=1, size=_MAX_COUNTS_BYTES)
        self._of_workers = worker.map(f"{prefix} connections", size=_MAX_CONNECTIONS_BYTES)
        self._timer = self._loop.call_later(_INTERVAL_S, self._go_on)

    def close(self) -> None:
        """End, with the last counts added."""
        self._timer.cancel()
        self._tell()
        with suppress(TimeoutError):
            self._of_workers.pop(self._slot)

    def totals(self) -> dict[str, int]:
        """Return the sums.

        :raises TimeoutError: another worker was stopped while it changed them.
        """
        self._tell()
        at_reset = json.loads(self._at_reset.get(_AT_RESET) or b"{}")
        return {name: counter.get() - at_reset.get(name, 0) for name, counter in self._counters.items()}

    def connections(self) -> int:
        """Return the connections of all workers.

        :raises TimeoutError: as of `totals`.
        """
        self._tell()
        return sum(int(number) for _, number in self._of_workers.items())

    def reset(self) -> None:
        """Have all sums begin with zero.

        :raises TimeoutError: as of `totals`.
        """
        self._tell()
        now = {name: counter.get() for name, counter in self._counters.items()}
        self._at_reset.put(_AT_RESET, json.dumps(now))

    def _go_on(self) -> None:
        self._timer = self._loop.call_later(_INTERVAL_S, self._go_on)
        self._tell()

    def _tell(self) -> None:
        counts = self._read()
        for name, counter in self._counters.items():
            counter.add(counts[name] - self._told[name])
            self._told[name] = counts[name]
        with suppress(TimeoutError):
            self._of_workers.put(self._slot, f"{self._connections()}", _STALE_S)
