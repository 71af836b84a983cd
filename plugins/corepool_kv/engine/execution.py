"""Running work on the store: reads at once, writes in one transaction for a whole batch of events.

Commands that write wait for the end of their batch of events, and so does every later command of the same clients:
replies keep their order, and a client reads its own writes. Then all of them run in one transaction, and the
replies leave when that is committed. The lock between the workers is held for no longer than this takes.

A store whose commits wait for a disk (`Store.commits_are_slow`) gets a thread for them, so that reads go on; commands
that arrive meanwhile run in the next transaction. A commit that only hands pages to the kernel takes some ten
microseconds, less than a thread costs: it stays in the loop.

A transaction that finds no room is run again after the store has grown, and one that finds the store broken
after it was opened again. Work is therefore a function of the data, called once or more.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.engine.clock import milliseconds
from corepool_kv.engine.commit_thread import start_commit_thread
from corepool_kv.engine.errors import AbandonedError, HalfDoneError
from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.engine.lookups import Lookups
from corepool_kv.engine.notifications import Notifications
from corepool_kv.engine.room import TIMES, Room
from corepool_kv.engine.work import Client, Committed, Outcome, Work
from corepool_kv.stores import BrokenError, FullError, NoRoomError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from corepool import Worker
    from corepool_kv.stores import Store, View

log = logging.getLogger(__name__)

INTERNAL_ERROR = "internal error; the server's log has more"


_REPLY_BYTES = 262_144
"""A client with this many bytes of replies has to read them before the rest of its commands is run."""


_ALL = 1 << 30
"""More work than any client has waiting."""


class Execution:
    """One worker's access to an open store."""

    def __init__(self, store: Store, worker: Worker) -> None:
        """Run work on a store.

        :raises StoreError: it needs a thread, and the system has none left.
        """
        self._store = store
        self._worker = worker
        self.room = Room(store)
        self._forced = 0
        """So often keys were evicted for the transaction that is tried again."""
        self._refuses_growth = False
        """That did not help: of that transaction, commands that may store more are refused."""
        self.reading: Keyspace | None = None
        """The view that `read` has begun in this event."""
        self._spare: Keyspace | None = None
        """The one of an earlier event, to be used again: making one, and its parts, costs as much as finding a key."""
        self._next: dict[Client, None] = {}
        """Clients with work for the next transaction, in the order of their first commands."""
        self._batches: deque[list[Client]] = deque()
        self._thread = start_commit_thread() if store.commits_are_slow else None
        self._in_flight: Future[Committed | StoreError] | None = None
        self._most: dict[Client, int] = {}
        """So much work of clients is run in the next transaction, since what follows fails when it is half done."""
        self._log = RateLimitedLog(log)
        self._is_closed = False
        self.has_failed = False
        """True after a transaction that failed, until one succeeds."""
        self.notifications = Notifications()
        """The events of keys that clients want to be told of."""
        self.lookups = Lookups()
        self.clock: Callable[[], int] = milliseconds
        """Returns the time since the epoch, in milliseconds."""
        self.on_gained: Callable[[Keyspace], None] = forget_gained
        """Called in the transaction after work for which clients may wait (`Keyspace.gained`); empties `gained`."""

    def close(self) -> None:
        """Wait for the transaction that is being committed. The clients of those behind it have gone."""
        self._is_closed = True
        if self._thread is not None:
            self._thread.shutdown()

    def run_last(self, client: Client) -> None:
        """Run the waiting work of a client at once, when `close` was called; failures are logged."""
        result = self._attempt([client])
        if isinstance(result, StoreError):
            self.log_failure(result)

    def read(self, limits: Limits) -> Keyspace:
        """Return the data at this moment, for commands that only read. It stays the same until `end_event`.

        :raises StoreError: the store has failed; see `log_failure`.
        """
        if self.reading is None:
            try:
                view = self._store.read()
            except (NoRoomError, BrokenError) as error:
                view = self._read_again(error)
            db, self._spare = self._spare, None
            if db is None or db.limits is not limits:
                self.reading = self._keyspace(view, limits)
            else:
                db.renew(view, self.clock())
                self.reading = self._equipped(db)
        return self.reading

    def end_event(self) -> None:
        """End the view of `read`. A view that stayed would hide later commits, and pin pages."""
        db = self.reading
        if db is not None:
            self._store.release(db.view)
            self.reading = None
            self._spare = db

    def submit(self, client: Client, work: Work) -> None:
        """Run work in the next transaction, behind the client's other waiting work."""
        client.waiting.append(work)
        if client not in self._next:
            self.schedule(client)

    def schedule(self, client: Client) -> None:
        """Run the waiting work of a client in the next transaction."""
        if not self._next:
            self._worker.at_batch_end(self._end_batch)
        self._next[client] = None

    def log_failure(self, error: StoreError) -> None:
        """Log a failure of the store, once a second at most."""
        events.kv_store_failed(self._log, reason=error)

    def _read_again(self, error: NoRoomError | BrokenError) -> View:
        # Another worker has made the store larger, say. This one can't follow while it writes: rare, and soon over.
        if self._in_flight is not None:
            self._in_flight.exception()
        self._recover(error)
        return self._store.read()

    def _keyspace(self, view: View, limits: Limits) -> Keyspace:
        return self._equipped(Keyspace(view, limits, self.clock()))

    def _equipped(self, db: Keyspace) -> Keyspace:
        db.access = self.room.access
        db.notifications = self.notifications if self.notifications.wanted else None
        db.lookups = self.lookups
        return db

    def _recover(self, error: NoRoomError | BrokenError) -> None:
        """Make the transaction possible.

        :raises StoreError: it stays impossible.
        """
        if isinstance(error, BrokenError):
            self._store.reopen()
        else:
            self._store.make_room()

    def _try_to_recover(self, error: NoRoomError | BrokenError) -> StoreError | None:
        try:
            self._recover(error)
        except StoreError as failure:
            return failure
        return None

    def _can_do_with_less(self) -> bool:
        """Have a transaction that finds no room tried again, in a store with fewer keys, or with fewer commands."""
        self._forced += 1
        if self._forced <= TIMES and self._evict():
            return True
        is_first = not self._refuses_growth
        self._refuses_growth = True
        return is_first

    def _evict(self) -> bool:
        """Evict keys in a transaction of their own; return False if there were none."""
        try:
            transaction = self._store.begin()
        except StoreError:
            return False
        try:
            db = self._keyspace(transaction, Limits(0, 0, 0))
            evicted = self.room.force(db)
            self._store.commit(transaction)
        except StoreError:
            self._store.abort(transaction)
            return False
        for call in db.at_end:
            call()
        return evicted

    # --- transactions

    def _end_batch(self) -> None:
        self._batches.append(list(self._next))
        self._next.clear()
        self._run_batches()

    def _run_batches(self) -> None:
        while self._batches and self._in_flight is None and not self._is_closed:
            batch = self._batches.popleft()
            if self._thread is None:
                self._settle(batch, self._attempt(batch))
            else:
                self._launch(self._thread, batch)

    def _launch(self, thread: Executor, batch: list[Client]) -> None:
        self._in_flight = thread.submit(self._attempt, batch)
        land = functools.partial(self._land, batch)
        self._in_flight.add_done_callback(lambda _: self._worker.loop.call_soon_threadsafe(land))

    def _land(self, batch: list[Client]) -> None:
        assert self._in_flight is not None
        result = self._in_flight.result()
        self._in_flight = None
        self._settle(batch, result)
        self._run_batches()

    def _attempt(self, batch: list[Client]) -> Committed | StoreError:
        """Run and commit the waiting work of clients. Runs in the thread, if there is one."""
        try:
            transaction = self._store.begin()
        except StoreError as error:
            return error
        try:
            db = self._keyspace(transaction, batch[0].limits)
            outcomes: list[Outcome] = []
            at_end: list[Callable[[], None]] = []
            if self.room.is_near:
                self.room.make(db, sum([len(client.waiting) for client in batch]))
            if self._refuses_growth:
                db.refuse_growth()
            is_full = db.is_full
            for client in batch:
                if client.limits is not db.limits:
                    at_end += db.at_end
                    db = self._equipped(Keyspace(transaction, client.limits, db.now_ms))
                    db.is_full = is_full
                most = self._most.get(client, _ALL) if self._most else _ALL
                outcomes.append(_run(client, db, transaction.removed, self.on_gained, most))
            at_end += db.at_end
            self._store.commit(transaction)
        except StoreError as error:
            self._store.abort(transaction)
            return error
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            events.kv_batch_failed.exception(log, error)
            self._store.abort(transaction)
            return StoreError(INTERNAL_ERROR)
        return Committed(outcomes, at_end)

    def _settle(self, batch: list[Client], result: Committed | StoreError) -> None:
        if isinstance(result, StoreError) and isinstance(result, NoRoomError | BrokenError):
            failure = self._try_to_recover(result)
            if failure is None or (isinstance(failure, FullError) and len(batch) == 1 and self._can_do_with_less()):
                self._batches.appendleft(batch)
                return
            result = failure
        self._forced = 0
        self._refuses_growth = False
        if isinstance(result, StoreError):
            if len(batch) > 1:
                # The work of one of them must not fail that of the others.
                self._batches.extendleft([client] for client in reversed(batch))
                return
            if isinstance(result, HalfDoneError):
                self._cut(batch[0], result)
                return
            outcomes = [self._fail(client, result) for client in batch]
        else:
            self.has_failed = False
            outcomes = result.outcomes
            for call in result.at_end:
                call()
        for client, run, replies in outcomes:
            if self._most:
                self._most.pop(client, None)
            del client.waiting[:run]
            client.answer(replies)

    def _cut(self, client: Client, error: HalfDoneError) -> None:
        """Run the work in front of one that fails when it is half done; or, if there is none, answer that one alone."""
        if error.done:
            self._most[client] = error.done
            self._batches.appendleft([client])
        else:
            replies = client.explain(error, 1)
            del client.waiting[:1]
            client.answer(replies)

    def _fail(self, client: Client, error: StoreError) -> Outcome:
        """Answer all waiting commands of a client with an error."""
        self.has_failed = not isinstance(error, AbandonedError)
        if self.has_failed:
            self.log_failure(error)
        run = len(client.waiting)
        return client, run, client.explain(error, run)


def forget_gained(db: Keyspace) -> None:
    """Serve no client."""
    db.gained.clear()


def _run(
    client: Client, db: Keyspace, removed: list[tuple[int, bytes]], on_gained: Callable[[Keyspace], None], most: int
) -> Outcome:
    replies: list[bytes] = []
    size = 0
    try:
        waiting = client.waiting
        for work in waiting[:most]:
            reply = work(db)
            replies.append(reply)
            if removed:
                db.gained += removed
                removed.clear()
            if db.gained:
                on_gained(db)
            size += len(reply)
            if size > _REPLY_BYTES:
                break
    except HalfDoneError as error:
        error.done = len(replies)
        raise
    return client, len(replies), replies[0] if len(replies) == 1 else b"".join(replies)
