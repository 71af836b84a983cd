"""The figures of INFO over all workers and listeners of a store, in memory that the workers of the pool share.

A worker adds what it has counted once a second, and before it tells the sums. So a worker that is killed costs the
counts of its last second, and no total goes backwards. Present figures are each worker's own; those of a process that
has ended are left out.
"""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import time
from collections import Counter
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from corepool import MapFullError
from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.engine.line import is_alive, this_worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool import SharedMap, Worker

log = logging.getLogger(__name__)

_MOST, _BYTES = 4096, 256
"""Of the map: about 30 keys of each store, those of errors aside."""

MAX_ERRORS = 128
"""Kinds of errors that are told apart: a script may make up any number of first words."""
OTHER_ERRORS = "ERRORSTATS_OVERFLOW"
_MAX_ERROR_BYTES = 100

_TOTAL, _ERROR, _LISTENER, _BEGAN = b"t", b"e", b"l", b"b"
_PROCESS, _CPU = b"process ", b"cpu"

_KEPT_S = 600.0
"""For so long figures of a process that has ended may lie around."""

_TRIES = 20


class Totals(NamedTuple):
    """Counts since the pool has started, or since CONFIG RESETSTAT."""

    connections: int = 0
    commands: int = 0
    errors: int = 0
    expired: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    evicted: int = 0
    hits: int = 0
    misses: int = 0

    def plus(self, other: Totals) -> Totals:
        """Return the sums."""
        return Totals(*(one + two for one, two in zip(self, other, strict=True)))

    def minus(self, other: Totals) -> Totals:
        """Return the differences."""
        return Totals(*(one - two for one, two in zip(self, other, strict=True)))


class Present(NamedTuple):
    """Figures of one listener in one worker, or their sums."""

    clients: int = 0
    blocked: int = 0
    commands_per_s: int = 0
    bytes_in_per_s: int = 0
    bytes_out_per_s: int = 0


class Process(NamedTuple):
    """Memory of one worker in bytes, or the sums."""

    resident: int = 0
    own: int = 0
    """Of that, the part that is shared with no other process or file."""
    peak: int = 0
    """The largest `own`."""
    at_start: int = 0
    scripts: int = 0


_TOTALS, _PRESENT, _PROCESSES = Struct("<9q"), Struct("<5q"), Struct("<5q")
_PAIR, _NUMBER = Struct("<2q"), Struct("<q")


class ProcessFigures:
    """The figures of this process, whatever number of listeners it has: made once, by `worker.shared`."""

    def __init__(self) -> None:
        self._name = this_worker()
        self._peak = 0
        self._at_start, _ = memory_of_process()
        self._told = (0, 0)
        self._shared_s = 0.0
        self.script_bytes: dict[int, int] = {}
        """Of each listener."""

    def share(self, shared: SharedMap, *, now: bool = False) -> None:
        """Write them, unless that was done a moment ago.

        :param now: in any case.
        """
        at_s = time.monotonic()
        if not now and at_s - self._shared_s < 0.5:  # half of the interval
            return
        self._shared_s = at_s
        resident, own = memory_of_process()
        self._peak = max(self._peak, own)
        figures = Process(resident, own, self._peak, self._at_start, sum(self.script_bytes.values()))
        shared.put(_PROCESS + self._name, _PROCESSES.pack(*figures), _KEPT_S)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = (int(usage.ru_stime * 1e6), int(usage.ru_utime * 1e6))
        if _add(shared, _PROCESS + _CPU, _PAIR, tuple(new - old for new, old in zip(used, self._told, strict=True))):
            self._told = used

    def leave(self, shared: SharedMap) -> None:
        """Remove them: the process ends. Its CPU time stays in the sum."""
        self.share(shared, now=True)
        shared.pop(_PROCESS + self._name)


class Statistics:
    """The figures of one listener in one worker, and the sums."""

    def __init__(self, worker: Worker, store: str) -> None:
        """Take part.

        :param store: the same for listeners whose figures are summed.
        """
        self._shared = worker.map("kv.statistics", _MOST, _BYTES)
        self._process = worker.shared(ProcessFigures)
        self._store = hashlib.sha256(store.encode(errors="surrogateescape")).digest()[:8]
        self._mine = self._store + _LISTENER + this_worker() + id(self).to_bytes(8)
        self._told = Totals()
        self.errors: Counter[str] = Counter()
        """Error replies by their first words, since they were shared."""
        self._log = RateLimitedLog(log)

    def count_error(self, name: str, times: int) -> None:
        """Count error replies."""
        if name not in self.errors and len(self.errors) >= MAX_ERRORS:
            name = OTHER_ERRORS
        self.errors[name] += times

    def share(self, counted: Totals, present: Present, script_bytes: int, *, now: bool = False) -> None:
        """Add the counts, and show the present figures.

        :param counted: since this listener has begun.
        :param now: those of the process, too, even if they were shared a moment ago.
        """
        self._process.script_bytes[id(self)] = script_bytes
        try:
            self._shared.put(self._mine, _PRESENT.pack(*present), _KEPT_S)
            self._process.share(self._shared, now=now)
            self._add_errors()
            if _add(self._shared, self._store + _TOTAL, _TOTALS, counted.minus(self._told)):
                self._told = counted
        except (MapFullError, TimeoutError) as error:  # the next second has it
            events.kv_statistics_not_shared(self._log, reason=error)

    def forget(self, counted: Totals) -> None:
        """Begin all totals anew.

        :param counted: by this listener until now; it is forgotten, too.
        """
        self._told = counted
        self.errors.clear()
        self._shared.pop(self._store + _TOTAL)
        for name in self._of_store(_ERROR):
            self._shared.pop(self._store + _ERROR + name)

    def leave(self) -> None:
        """Show nothing of this listener any more: its worker ends."""
        try:
            self._shared.pop(self._mine)
            self._process.leave(self._shared)
        except (MapFullError, TimeoutError):
            pass  # they expire

    # --- sums

    def totals(self) -> Totals:
        """Return the totals of all workers."""
        packed = self._shared.get(self._store + _TOTAL)
        return Totals() if packed is None else Totals(*_TOTALS.unpack(packed))

    def error_totals(self) -> Mapping[str, int]:
        """Return how many error replies of each kind there were, in all workers."""
        found = self._of_store(_ERROR)
        return {name.decode(errors="replace"): _NUMBER.unpack(each)[0] for name, each in sorted(found.items())}

    def present(self) -> Present:
        """Return the sums of the workers that are there."""
        return Present(*_sums([_PRESENT.unpack(each) for each in self._alive(self._of_store(_LISTENER))], Present()))

    def processes(self) -> Process:
        """Return the sums of the workers that are there."""
        begin = len(_PROCESS)
        found = {key[begin:]: value for key, value in self._shared.items() if key[:begin] == _PROCESS}
        found.pop(_CPU, None)
        return Process(*_sums([_PROCESSES.unpack(each) for each in self._alive(found)], Process()))

    def cpu_s(self) -> tuple[float, float]:
        """Return the seconds of CPU time that workers have used, those that have ended too: system and user."""
        packed = self._shared.get(_PROCESS + _CPU)
        system, user = (0, 0) if packed is None else _PAIR.unpack(packed)
        return system / 1e6, user / 1e6

    def uptime_s(self) -> int:
        """Return the seconds since the first worker of the pool has served this store."""
        key, now_ns = self._store + _BEGAN, time.monotonic_ns()
        self._shared.add(key, _NUMBER.pack(now_ns))
        return int((now_ns - _NUMBER.unpack(self._shared.get(key) or _NUMBER.pack(now_ns))[0]) // 1_000_000_000)

    def _add_errors(self) -> None:
        for name, count in list(self.errors.items()):
            key = self._store + _ERROR + name.encode(errors="replace")[:_MAX_ERROR_BYTES]
            if self._shared.get(key) is None and len(self._of_store(_ERROR)) >= MAX_ERRORS:
                key = self._store + _ERROR + OTHER_ERRORS.encode()
            if _add(self._shared, key, _NUMBER, (count,)):
                del self.errors[name]

    def _of_store(self, kind: bytes) -> dict[bytes, bytes]:
        """Return the values of this store's keys of a kind, by the rest of the key."""
        begin = self._store + kind
        return {key[len(begin) :]: value for key, value in self._shared.items() if key.startswith(begin)}

    @staticmethod
    def _alive(found: Mapping[bytes, bytes]) -> list[bytes]:
        """Return the values of processes that live; the keys begin with their names."""
        return [value for name, value in found.items() if is_alive(name[: len(this_worker())])]


def memory_of_process() -> tuple[int, int]:
    """Return the bytes of this process in memory, and how many of them are shared with no file."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_bytes().split())
    page = os.sysconf("SC_PAGE_SIZE")
    return resident * page, (resident - shared) * page


def _add(shared: SharedMap, key: bytes, shape: Struct, amounts: tuple[int, ...]) -> bool:
    """Add to numbers that other processes add to at the same time; False: they were faster each time."""
    if not any(amounts):
        return True
    for _ in range(_TRIES):
        old = shared.get(key)
        if old is None:
            if shared.add(key, shape.pack(*amounts)):
                return True
        elif shared.replace(key, old, shape.pack(*map(sum, zip(shape.unpack(old), amounts, strict=True)))):
            return True
    return False


def _sums(rows: list[tuple[int, ...]], nothing: tuple[int, ...]) -> list[int]:
    return [sum(column) for column in zip(nothing, *rows, strict=True)]
