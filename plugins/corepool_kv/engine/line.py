"""The clients of all workers that wait for elements, in the order in which they began to: tables in the store.

They are collections in a database that no client can select, so that a transaction which adds elements serves those who
wait for them, wherever their connections are:

- `waiting`: the database and a digest of the key, then the ticket -> the worker, and a mark (news.py). Tickets
  rise, over all workers.
- `demands`: the worker and the ticket -> the demand.
- `served`: the worker and the ticket -> the outcome, until that worker fetches it.
- `left`: the worker -> the time at which it ended, if its clients have moved to others.

A worker that is killed leaves its entries behind. It is known by its number and the time at which it began.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.demands import take, unpack_demand
from corepool_kv.engine.news import marks_of
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.taken import NoGroupError, Taken
from corepool_kv.stores import SYSTEM, WrongTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Record

_WAITING, _DEMANDS, _SERVED, _LEFT = (bytes((255,)) * 7 + bytes((number,)) for number in range(4))

TICKET_BYTES = 8
WORKER_BYTES = 12
_DIGEST_BYTES = 16
_AFTER_ALL = b"\xff" * (WORKER_BYTES + TICKET_BYTES + 1)

TAKEN, TIMED_OUT, INTERRUPTED, NO_GROUP, NO_STREAM = b"t", b"o", b"i", b"g", b"s"
_MAX_AT_ONCE = 256

_MOVING_MS = 5000
"""For so long its clients, which are on their way, are served when their worker has left."""

_START_FIELD = 19  # of /proc/PID/stat, behind the name: starttime (proc_pid_stat(5))


class Place(NamedTuple):
    """A place in the line."""

    worker: bytes
    ticket: bytes


class Outcome(NamedTuple):
    """The end of a client's wait."""

    kind: bytes
    """TAKEN, TIMED_OUT, or INTERRUPTED by another client; NO_GROUP, NO_STREAM: the group or stream has been removed."""
    demand: AnyDemand
    taken: Taken | None = None

    def pack(self) -> bytes:
        demand = self.demand.pack()
        taken = b"" if self.taken is None else self.taken.pack()
        return self.kind + len(demand).to_bytes(4) + demand + taken

    @classmethod
    def unpack(cls, packed: bytes) -> Outcome:
        end = 5 + int.from_bytes(packed[1:5])
        return cls(packed[:1], unpack_demand(packed[5:end]), Taken.unpack(packed[end:]) if packed[end:] else None)


class Line:
    """The tables, in one transaction or view."""

    def __init__(self, db: Keyspace) -> None:
        self._own = db.select(SYSTEM)
        self._elements = self._own.elements

    def new_ticket(self) -> bytes:
        """Return a larger ticket than any before."""
        return self._own.new_collection()

    def add(self, place: Place, demand: AnyDemand) -> None:
        """Have a client wait."""
        for key, mark in marks_of(demand).items():
            self._elements.put(_WAITING, _of_key(demand.number, key) + place.ticket, place.worker + mark)
        self._elements.put(_DEMANDS, place.worker + place.ticket, demand.pack())

    def is_empty(self) -> bool:
        """Report whether no client waits."""
        return not self._elements.has_any(_WAITING)

    def find(self, place: Place) -> AnyDemand | None:
        """Return the demand of a client that waits; None: it does not."""
        packed = self._elements.get(_DEMANDS, place.worker + place.ticket)
        return None if packed is None else unpack_demand(packed)

    def remove(self, place: Place, demand: AnyDemand) -> None:
        """Have a client wait no more."""
        for key in dict.fromkeys(demand.keys):
            name = _of_key(demand.number, key) + place.ticket
            stored = self._elements.get(_WAITING, name) or b""
            if stored[:WORKER_BYTES] == place.worker:  # else it has moved, or it is another's in a copy
                self._elements.delete(_WAITING, name)
        self._elements.delete(_DEMANDS, place.worker + place.ticket)

    def waiting(self, number: int, key: bytes) -> Iterator[tuple[Place, bytes]]:
        """Yield the clients that wait for a key, with their marks, the oldest first; they may be removed meanwhile."""
        low = begin = _of_key(number, key)
        most = 1
        while some := list(itertools.islice(self._elements.between(_WAITING, low, begin + _AFTER_ALL), most)):
            for name, stored in some:
                yield Place(stored[:WORKER_BYTES], name[-TICKET_BYTES:]), stored[WORKER_BYTES:]
            low = some[-1][0] + b"\0"
            most = min(2 * most, _MAX_AT_ONCE)

    def serve(self, place: Place, outcome: Outcome) -> None:
        """Keep an outcome until its worker fetches it; the client waits no more."""
        self.remove(place, outcome.demand)
        self._elements.put(_SERVED, place.worker + place.ticket, outcome.pack())

    def fetch(self, place: Place) -> Outcome | None:
        """Remove and return an outcome; None: there is none."""
        packed = self._elements.delete(_SERVED, place.worker + place.ticket)
        return None if packed is None else Outcome.unpack(packed)

    def served(self, worker: bytes) -> list[bytes]:
        """List the tickets of a worker's clients whose outcomes it has not fetched."""
        found = self._elements.between(_SERVED, worker, worker + _AFTER_ALL)
        return [name[WORKER_BYTES:] for name, _ in found]

    def tickets(self, worker: bytes) -> list[bytes]:
        """List the tickets of a worker's clients that wait."""
        found = self._elements.between(_DEMANDS, worker, worker + _AFTER_ALL)
        return [name[WORKER_BYTES:] for name, _ in found]

    def workers(self) -> set[bytes]:
        """Return the workers that have entries."""
        found: set[bytes] = set()
        for table in (_DEMANDS, _SERVED, _LEFT):
            low = b""
            while first := list(itertools.islice(self._elements.between(table, low, _AFTER_ALL), 1)):
                worker = first[0][0][:WORKER_BYTES]
                found.add(worker)
                low = worker + _AFTER_ALL[WORKER_BYTES:]
        return found

    def leave(self, worker: bytes) -> None:
        """Note that a worker has ended, and its clients have moved."""
        self._elements.put(_LEFT, worker, self._own.now_ms.to_bytes(8))

    def forget(self, worker: bytes) -> None:
        """Forget that a worker has ended."""
        self._elements.delete(_LEFT, worker)

    def can_fetch(self, worker: bytes) -> bool:
        """Report whether a worker is there to fetch outcomes, or another one is about to for the clients it has had."""
        if is_alive(worker):
            return True
        left = self._elements.get(_LEFT, worker)
        return left is not None and self._own.now_ms < int.from_bytes(left) + _MOVING_MS

    def find_client(self, client: int) -> Place | None:
        """Find the client of a number among those that wait, in time proportional to their number."""
        for name, packed in self._elements.between(_DEMANDS, b"", _AFTER_ALL):
            if unpack_demand(packed).client == client:
                return Place(name[:WORKER_BYTES], name[WORKER_BYTES:])
        return None

    def wanted(self, databases: set[int]) -> set[tuple[int, bytes]]:
        """Return the keys of some databases that clients wait for, in time proportional to the clients that wait."""
        found: set[tuple[int, bytes]] = set()
        for _, packed in self._elements.between(_DEMANDS, b"", _AFTER_ALL):
            demand = unpack_demand(packed)
            if demand.number in databases:
                found.update((demand.number, key) for key in demand.keys)
        return found


def outcome_of(db: Keyspace, demand: AnyDemand, key: bytes, record: Record | None) -> Outcome | None:
    """Return the end of a client's wait by the record of a key; None: it goes on."""
    if record is None or record.type != demand.type:
        needs_stream = isinstance(demand, StreamDemand) and demand.group is not None
        return Outcome(NO_STREAM, demand) if needs_stream else None
    try:
        taken = take(db, demand, key)
    except WrongTypeError:
        taken = Taken(key, [], [])
    except NoGroupError:
        return Outcome(NO_GROUP, demand)
    return None if taken is None else Outcome(TAKEN, demand, taken)


def this_worker() -> bytes:
    """Return the name of this process, which no other has had."""
    pid = os.getpid()
    return pid.to_bytes(4) + _began(pid).to_bytes(8)


def is_alive(worker: bytes) -> bool:
    """Report whether the process of a name lives."""
    return _began(int.from_bytes(worker[:4])) == int.from_bytes(worker[4:])


def _began(pid: int) -> int:
    """Return the time at which a process began, in ticks since the start of the system; 0: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123  # a path costs more than the read
            fields = stat.read().rpartition(b")")[2].split()
            return 0 if fields[0] in b"ZX" else int(fields[_START_FIELD])
    except (OSError, IndexError):
        return 0


def _of_key(number: int, key: bytes) -> bytes:
    return bytes((number,)) + hashlib.blake2b(key, digest_size=_DIGEST_BYTES).digest()
