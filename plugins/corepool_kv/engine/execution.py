"""Running commands on the store: reads at once, writes in one transaction for a whole batch of events.

What a batch of events wants to write waits for the batch's end, and so does every later command of the same clients:
replies keep their order, and a client reads what it has written. Then all of it runs in one transaction, and the
replies leave when that is committed. The lock between the workers is held for no longer than this takes.

A store whose commits wait for a disk (`Store.commits_are_slow`) gets a thread for them, so that reads go on; what
arrives meanwhile is the next transaction. A commit that only hands pages to the kernel takes some ten
microseconds, less than a thread costs: it stays in the loop.

A transaction for which there is no room is run again after the store has grown, and one that finds the store broken
after it was opened again. A command is therefore a function of the data and its arguments, called once or more.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol

from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.redis.replies import Error, encode
from corepool_kv.stores import BrokenError, NoRoomError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from corepool import Worker
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Store, View

    Work = Callable[[Keyspace, list[bytes]], Reply]

    Waiting = tuple[Work, list[bytes], bool]
    """A command that waits for the next transaction, and whether its reply is RESP3."""

log = logging.getLogger(__name__)

_FAILED = "ERR the store has failed: {}"
_INTERNAL = "internal error; the server's log has more"

_REPLY_BYTES = 262_144
"""A client with this many bytes of replies has to read them before the rest of what it has asked for is run."""


class AbandonedError(StoreError):
    """A command was begun that can't be finished: nothing of its transaction may be committed. `str()` is the reply."""


class Client(Protocol):
    """Somebody whose commands run in transactions."""

    waiting: list[Waiting]
    """The oldest first."""

    def answer(self, replies: bytes) -> None:
        """Take the replies of the oldest commands, which wait no longer."""


class Outcome(NamedTuple):
    """What a transaction has made of the commands of one client: how many were run, and their replies."""

    client: Client
    run: int
    replies: bytes


def _started_thread() -> ThreadPoolExecutor:
    """Start the thread of commits: at the first write, the system may have none left, and the write would be lost."""
    thread = ThreadPoolExecutor(1, "kv-commit")
    try:
        thread.submit(threading.get_ident).result()
    except RuntimeError as error:
        raise StoreError(f"no thread for its commits: {error}") from None
    return thread


class Execution:
    """One worker's access to the store."""

    def __init__(self, store: Store, options: KvOptions, worker: Worker) -> None:
        """Run commands on an open store.

        :raises StoreError: it needs a thread, and the system has none.
        """
        self._store = store
        self._limits = Limits(store.max_key_bytes, options.max_request, options.max_reply)
        self._worker = worker
        self._reading: Keyspace | None = None
        self._next: dict[Client, None] = {}
        """Clients with commands for the next transaction, in the order of their first ones."""
        self._batches: deque[list[Client]] = deque()
        self._thread = _started_thread() if store.commits_are_slow else None
        self._in_flight: Future[list[Outcome] | StoreError] | None = None
        self._failure_logged_s = -1.0
        self._is_closed = False
        self.errors: Counter[str] = Counter()
        """Error replies, by their first words."""
        self.has_failed = False
        """True after a transaction that failed, until one succeeds."""

    def close(self) -> None:
        """Wait for the transaction that is being committed. What waits behind it is that of clients that have gone."""
        self._is_closed = True
        if self._thread is not None:
            self._thread.shutdown()

    def read(self, work: Work, args: list[bytes]) -> Reply:
        """Run a command that only reads, and may be answered at once."""
        try:
            if self._reading is None:
                self._reading = self._begin_view()
            return work(self._reading, args)
        except Error as error:
            self.count(error)
            return error
        except StoreError as error:
            return self._explain(error)
        except Exception:
            log.exception("command failed")
            return Error(_FAILED.format(_INTERNAL))

    def count(self, error: Error) -> None:
        """Count an error reply."""
        self.errors[str(error).partition(" ")[0]] += 1

    def end_event(self) -> None:
        """Let go of what `read` saw. A view that stayed would hide what was acknowledged since, and pin pages."""
        if self._reading is not None:
            self._store.release(self._reading.view)
            self._reading = None

    def submit(self, client: Client, waiting: Waiting) -> None:
        """Run a command in the next transaction, behind those that the client has waiting."""
        client.waiting.append(waiting)
        self.resume(client)

    def resume(self, client: Client) -> None:
        """Run what a client has waiting in the next transaction."""
        if not self._next:
            self._worker.at_batch_end(self._end_batch)
        self._next[client] = None

    def _begin_view(self) -> Keyspace:
        try:
            return self._keyspace(self._store.read())
        except (NoRoomError, BrokenError) as error:
            # Another worker has made the store larger, say. This one can't follow while it writes: rare, and soon over.
            if self._in_flight is not None:
                self._in_flight.exception()
            self._recover(error)
            return self._keyspace(self._store.read())

    def _recover(self, error: NoRoomError | BrokenError) -> None:
        """Do what makes the transaction possible.

        :raises StoreError: it can't be done.
        """
        if isinstance(error, BrokenError):
            self._store.reopen()
        else:
            self._store.make_room()

    def _keyspace(self, view: View) -> Keyspace:
        return Keyspace(view, self._limits, time.time_ns() // 1_000_000)

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

    def _attempt(self, batch: list[Client]) -> list[Outcome] | StoreError:
        """Run and commit what the clients have waiting. Runs in the thread, if there is one."""
        try:
            transaction = self._store.begin()
        except StoreError as error:
            return error
        try:
            db = self._keyspace(transaction)
            outcomes = [self._run(client, db) for client in batch]
            self._store.commit(transaction)
        except StoreError as error:
            self._store.abort(transaction)
            return error
        except Exception:
            log.exception("command failed")
            self._store.abort(transaction)
            return StoreError(_INTERNAL)
        return outcomes

    def _run(self, client: Client, db: Keyspace) -> Outcome:
        replies: list[bytes] = []
        size = 0
        for work, args, resp3 in client.waiting[:]:
            try:
                reply = encode(work(db, args), resp3)
            except Error as error:
                self.count(error)
                reply = encode(error, resp3)
            replies.append(reply)
            size += len(reply)
            if size > _REPLY_BYTES:
                break
        return Outcome(client, len(replies), b"".join(replies))

    def _settle(self, batch: list[Client], result: list[Outcome] | StoreError) -> None:
        if isinstance(result, NoRoomError | BrokenError):
            try:
                self._recover(result)
            except StoreError as error:
                result = error
            else:
                self._batches.appendleft(batch)
                return
        if isinstance(result, StoreError):
            if len(batch) > 1:
                # What can't be done for one of them must not fail the others.
                self._batches.extendleft([client] for client in reversed(batch))
                return
            self.has_failed = not isinstance(result, AbandonedError)
            result = [self._fail(client, result) for client in batch]
        else:
            self.has_failed = False
        for client, run, replies in result:
            del client.waiting[:run]
            client.answer(replies)

    def _fail(self, client: Client, error: StoreError) -> Outcome:
        """Answer everything that a client has waiting with an error: nothing of it has happened."""
        run = len(client.waiting)
        reply = self._explain(error)
        for _ in range(run):
            self.count(reply)
        return Outcome(client, run, encode(reply, resp3=False) * run)

    def _explain(self, error: StoreError) -> Error:
        if isinstance(error, AbandonedError):
            return Error(str(error))
        now = time.monotonic()
        if now - self._failure_logged_s >= 1.0:
            self._failure_logged_s = now
            log.error("store failed, commands are refused: %s", error)
        return Error(_FAILED.format(error))
