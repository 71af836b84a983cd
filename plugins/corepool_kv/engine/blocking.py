"""Clients of one worker that wait for elements of lists and sorted sets, or entries of streams, of any worker.

A transaction that adds elements serves those who wait for them, in the order of the line (`line.py`): elements
for a client of another worker are kept in the store, in the same transaction. That worker is told over the bus, and
fetches it in a transaction of its own, after which it sends the reply. So each element has one owner at any moment. If
a worker is killed, another one puts back what it has not fetched, within a second.

A client is served, runs out of patience, is interrupted or leaves in a transaction, whichever comes first.
"""

from __future__ import annotations

import functools
import hashlib
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.demands import Demand, put_back
from corepool_kv.engine.keyspace import Limits
from corepool_kv.engine.line import (
    INTERRUPTED,
    NO_STREAM,
    TAKEN,
    TIMED_OUT,
    Line,
    Outcome,
    Place,
    outcome_of,
    this_worker,
)
from corepool_kv.engine.news import News
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.waits import Gone, Wait, Waiter
from corepool_kv.stores import LIST, StoreError

if TYPE_CHECKING:
    from corepool import Listening, Worker
    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.execution import Execution
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.taken import Taken
    from corepool_kv.engine.work import Work

_KEPT_S = 60.0
"""Demands of a worker that has died are kept so long: its clients may be on their way to another worker."""

_MAX_TIMER_S = 1e9
"""Some 30 years: the loop's clock has its limits."""

_NO_LIMIT = 1 << 62


class Blocking:
    """The clients of one worker that wait, and the part of this worker in serving those of all. Owned by an engine."""

    def __init__(self, execution: Execution, worker: Worker, identity: str, max_key_bytes: int) -> None:
        """Serve from now on; the bus is used from the first client on.

        :param identity: that of the store: its workers find each other by it.
        """
        self._execution = execution
        self._worker = worker
        self._loop = worker.loop
        self.limits = Limits(max_key_bytes, _NO_LIMIT, _NO_LIMIT)
        self._name = this_worker()
        self._prefix = b"kvw" + hashlib.sha256(identity.encode(errors="surrogateescape")).digest()[:8]
        self._listening: Listening | None = None
        self._waits: dict[bytes, Wait] = {}
        """By their tickets."""
        self._of_groups: dict[bytes, StreamDemand] = {}
        """Demands of consumers of groups, by their tickets: FLUSHALL removes their streams, and serves none of them."""
        self._dead: dict[bytes, float] = {}
        """Workers with entries that have ended, and since when that is known."""
        self._has_moved = False
        """A client has moved to another worker."""
        self._unwanted: list[tuple[int, bytes]] | None = None
        """`Keyspace.gained` of a transaction in which no client waits."""
        execution.on_gained = self.serve

    @property
    def count(self) -> int:
        """Clients of this worker that wait."""
        return len(self._waits)

    def close(self) -> None:
        """Wait for nothing more. The entries of clients that are still here are removed by another worker."""
        for wait in self._waits.values():
            if wait.timer is not None:
                wait.timer.cancel()
        self._waits.clear()
        if self._has_moved:
            leaving = Wait(self, Gone())
            leaving.waiting.append(self._leave)
            self._execution.run_last(leaving)
        if self._listening is not None:
            self._listening.close()

    # --- clients of this worker

    def begin(self, db: Keyspace, waiter: Waiter, demand: AnyDemand) -> Wait:
        """Have a client wait, from the end of this transaction on. Runs in: the transaction."""
        wait = Wait(self, waiter)
        line = Line(db)
        wait.place = Place(self._name, line.new_ticket())
        self._add(line, wait.place, demand)
        db.at_end.append(functools.partial(self._begun, wait, demand))
        return wait

    def adopt(self, waiter: Waiter, place: Place) -> Wait:
        """Have a client wait that another worker had: it keeps its place in the line."""
        wait = Wait(self, waiter)
        wait.place = Place(self._name, place.ticket)
        self._waits[place.ticket] = wait
        self._submit(wait, functools.partial(self._adopt, wait, place))
        return wait

    def abandon(self, wait: Wait) -> None:
        """Forget a client that has left. Elements taken for it go back."""
        self.forget(wait)
        wait.is_abandoned = True
        if not wait.is_over:
            leaving = Wait(self, Gone())
            leaving.place = wait.place
            self._submit(leaving, functools.partial(self._abandon, wait.place))

    def forget(self, wait: Wait) -> None:
        """Forget a client that was served."""
        self._waits.pop(wait.place.ticket, None)
        self._of_groups.pop(wait.place.ticket, None)
        if wait.timer is not None:
            wait.timer.cancel()

    def forget_moved(self, wait: Wait) -> None:
        """Forget a client that has moved to another worker, which adopts it."""
        self._has_moved = True
        self.forget(wait)

    def _add(self, line: Line, place: Place, demand: AnyDemand) -> None:
        self._unwanted = None
        line.add(place, demand)

    def _begun(self, wait: Wait, demand: AnyDemand) -> None:
        self._waits[wait.place.ticket] = wait
        if isinstance(demand, StreamDemand) and demand.group is not None:
            self._of_groups[wait.place.ticket] = demand
        if self._listening is None:
            self._listen()
        if demand.expires_ms:
            left_s = min(max(0.0, demand.expires_ms / 1000 - time.time()), _MAX_TIMER_S)
            wait.timer = self._loop.call_later(left_s, self._expire, wait)

    def _listen(self) -> None:
        try:
            self._listening = self._worker.bus.listen(self._heard, [self._prefix + self._name])
        except OSError:
            return  # `look` finds out once a second, and the next client tries again
        self._listening.when_active(self.look)

    def _heard(self, topic: bytes, data: bytes) -> None:  # noqa: ARG002
        self._fetch(data)

    def _fetch(self, ticket: bytes, otherwise: bytes = b"") -> None:
        wait = self._waits.get(ticket)
        if wait is not None and not wait.waiting:
            self._submit(wait, functools.partial(self._end, wait, otherwise))

    def _expire(self, wait: Wait) -> None:
        self._submit(wait, functools.partial(self._end, wait, TIMED_OUT))

    def _submit(self, wait: Wait, work: Work) -> None:
        self._execution.submit(wait, work)

    def _settle(self, wait: Wait, outcome: Outcome) -> None:
        wait.is_over = True
        self.forget(wait)
        # Replies to commands before it, in the same transaction, leave first.
        self._loop.call_soon(wait.settle, outcome)

    # --- in a transaction

    def serve(self, db: Keyspace) -> None:
        """Serve the clients that wait for keys that have changed. An element that moves may serve others."""
        # Nearly always no client waits, and a stream gains with each entry: one look is enough for a transaction.
        if db.gained is self._unwanted or Line(db).is_empty():
            self._unwanted = db.gained
            db.gained.clear()
        while db.gained:
            gained = list(dict.fromkeys(db.gained))
            db.gained.clear()
            for number, key in gained:
                self._serve_key(db, number, key)

    def interrupt(self, db: Keyspace, client: int, kind: bytes) -> bool:
        """End the wait of a client of any worker; return False if it does not wait."""
        line = Line(db)
        place = line.find_client(client)
        demand = None if place is None else line.find(place)
        if place is None or demand is None:
            return False
        self._deliver(db, line, place, Outcome(kind, demand))
        return True

    def _serve_key(self, db: Keyspace, number: int, key: bytes) -> None:
        here = db.select(number)
        record = here.find(key)
        is_removed = record is None
        line, news = Line(db), News(here, key, record)
        for place, mark in line.waiting(number, key):
            if record is None and not is_removed:
                return
            demand = None if news.is_none_for(mark) else line.find(place)
            if demand is None or (place.worker != self._name and not line.can_fetch(place.worker)):
                continue
            outcome = news.noted(mark, outcome_of(here, demand, key, record))
            if outcome is not None:
                self._deliver(db, line, place, outcome)
                record = here.find(key)

    def _deliver(self, db: Keyspace, line: Line, place: Place, outcome: Outcome) -> None:
        if place.worker == self._name:
            line.remove(place, outcome.demand)
            db.at_end.append(functools.partial(self._arrived, place.ticket, outcome))
        else:
            line.serve(place, outcome)
            db.at_end.append(functools.partial(self._tell, place))

    def _end(self, wait: Wait, kind: bytes, db: Keyspace) -> bytes:
        """End a wait with the elements taken for it; or with `kind`, if there are none."""
        line = Line(db)
        outcome = line.fetch(wait.place)
        if outcome is None and kind:
            demand = line.find(wait.place)
            if demand is not None:
                line.remove(wait.place, demand)
                outcome = Outcome(kind, demand)
        if outcome is not None:
            db.at_end.append(functools.partial(self._settle, wait, outcome))
        return b""

    def _adopt(self, wait: Wait, old: Place, db: Keyspace) -> bytes:
        line = Line(db)
        outcome = line.fetch(old)
        demand = line.find(old)
        if outcome is None and demand is not None:
            line.remove(old, demand)
            here = db.select(demand.number)
            outcomes = (outcome_of(here, demand, key, here.find(key)) for key in demand.keys)
            outcome = next(filter(None, outcomes), None)
            if outcome is None:
                self._add(line, wait.place, demand)
                db.at_end.append(functools.partial(self._begun, wait, demand))
        elif outcome is None:
            # Its entry is gone: it was lost together with a worker.
            outcome = Outcome(TIMED_OUT, Demand(0, LIST, first=True, most=0, keys=()))
        if outcome is not None:
            db.at_end.append(functools.partial(self._settle, wait, outcome))
        return b""

    def _abandon(self, place: Place, db: Keyspace) -> bytes:
        line = Line(db)
        outcome = line.fetch(place)
        demand = line.find(place)
        if demand is not None:
            line.remove(place, demand)
        if outcome is not None and outcome.taken is not None:
            put_back(db.select(outcome.demand.number), outcome.demand, outcome.taken)
        return b""

    # --- when it is committed

    def _arrived(self, ticket: bytes, outcome: Outcome) -> None:
        wait = self._waits.get(ticket)
        if wait is not None:
            self._settle(wait, outcome)
        elif outcome.taken is not None:
            self.give_back(outcome.demand, outcome.taken)

    def give_back(self, demand: AnyDemand, taken: Taken) -> None:
        """Put elements back that were taken for a client that has left."""
        self._submit(Wait(self, Gone()), functools.partial(self._return, demand, taken))

    def _return(self, demand: AnyDemand, taken: Taken, db: Keyspace) -> bytes:
        put_back(db.select(demand.number), demand, taken)
        return b""

    def _tell(self, place: Place) -> None:
        self._worker.bus.publish(self._prefix + place.worker, place.ticket)

    # --- upkeep

    def look(self) -> None:
        """Fetch elements that no message has announced, and see to the entries of dead workers. Once a second."""
        try:
            db = self._execution.read(self.limits)
            line = Line(db)
            workers = line.workers()
            own = line.served(self._name) if self._name in workers else []
            cleared = [ticket for ticket, demand in self._of_groups.items() if _is_over(db, demand)]
            now = time.monotonic()
            dead = {worker for worker in workers if worker != self._name and not line.can_fetch(worker)}
            self._dead = {worker: self._dead.get(worker, now) for worker in dead}
            over = {worker for worker, since in self._dead.items() if now - since > _KEPT_S}
            due = {worker for worker in dead if worker in over or line.served(worker)}
        except StoreError as error:
            self._execution.log_failure(error)
            return
        finally:
            self._execution.end_event()
        for ticket in own:
            self._fetch(ticket)
        for ticket in cleared:
            self._fetch(ticket, NO_STREAM)
        for worker in due:
            self._submit(Wait(self, Gone()), functools.partial(self._recover, worker, is_over=worker in over))

    def _leave(self, db: Keyspace) -> bytes:
        Line(db).leave(self._name)
        return b""

    def _recover(self, worker: bytes, db: Keyspace, *, is_over: bool) -> bytes:
        """Put elements back that a dead worker has not fetched; its clients still have their places, for a while."""
        line = Line(db)
        for ticket in line.served(worker):
            place = Place(worker, ticket)
            outcome = line.fetch(place)
            if outcome is not None and outcome.taken is not None and outcome.taken.elements:
                self._add(line, place, outcome.demand)
                put_back(db.select(outcome.demand.number), outcome.demand, outcome.taken)
        if is_over:
            line.forget(worker)
            for ticket in line.tickets(worker):
                place = Place(worker, ticket)
                demand = line.find(place)
                if demand is not None:
                    line.remove(place, demand)
        return b""


def _is_over(db: Keyspace, demand: StreamDemand) -> bool:
    here = db.select(demand.number)
    return any(here.find(key) is None for key in demand.keys)


__all__ = ["INTERRUPTED", "TAKEN", "TIMED_OUT", "Blocking", "Outcome", "Place", "Wait", "Waiter"]
