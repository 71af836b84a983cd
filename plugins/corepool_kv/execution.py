"""Running commands on the store: reads at once, writes in one transaction for a whole batch of events.

The first write of a batch begins the transaction. From then on every command of the batch runs in it, and no
reply leaves before it is committed: not that of a read either, which has seen what may not come to be.

When the store has no room it grows, and the transaction is run again from its first command. A command is
therefore a function of the data and its arguments, called once or more.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from corepool_kv.keyspace import Keyspace
from corepool_kv.replies import Error, encode
from corepool_kv.stores import StoreError, StoreGrownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.replies import Reply
    from corepool_kv.session import Session
    from corepool_kv.stores import Store, Transaction, View

    Work = Callable[[Keyspace, list[bytes]], Reply]

log = logging.getLogger(__name__)

_ERROR = "ERR the store has failed: {}"


class Unit:
    """A command of the batch, and its reply as far as it is known."""

    __slots__ = ("args", "reply", "session", "work")

    def __init__(self, session: Session, work: Work, args: list[bytes]) -> None:
        self.session = session
        self.work = work
        self.args = args
        self.reply: Reply = None


class Execution:
    """One worker's access to the store."""

    def __init__(
        self,
        store: Store,
        max_value_bytes: int,
        at_batch_end: Callable[[Callable[[], None]], None],
        answer: Callable[[Session, bytes], None],
    ) -> None:
        """Run commands on an open store.

        :param at_batch_end: has a function called when the batch is over.
        :param answer: sends the replies that were held back for a session.
        """
        self._store = store
        self._max_value_bytes = max_value_bytes
        self._at_batch_end = at_batch_end
        self._answer = answer
        self._reading: Keyspace | None = None
        self._writing: Keyspace | None = None
        self._transaction: Transaction | None = None
        self._units: list[Unit] = []
        self._done = 0

    @property
    def is_writing(self) -> bool:
        """True once something of this batch has to be committed."""
        return bool(self._units)

    def read(self, work: Work, args: list[bytes]) -> Reply:
        """Run a command that only reads, and may be answered at once."""
        try:
            if self._reading is None:
                self._reading = self._keyspace(self._store.read())
            return self._run(work, self._reading, args)
        except StoreError as error:
            return Error(_ERROR.format(error))

    def end_event(self) -> None:
        """Let go of what `read` saw. A view that stayed would hide what was acknowledged since, and pin pages."""
        if self._reading is not None:
            self._store.release(self._reading.view)
            self._reading = None

    def submit(self, session: Session, work: Work, args: list[bytes]) -> None:
        """Run a command in the transaction of this batch; its reply is sent after the commit."""
        if self._reading is not None:
            self.end_event()
        if not self._units:
            self._at_batch_end(self._commit)
        self._units.append(Unit(session, work, args))
        session.held += 1
        self._advance()

    def remove_expired(self, limit: int) -> int:
        """Remove keys that have expired, unless the store is being written to anyway; how many there were."""
        if self._units:
            return 0
        try:
            view = self._store.read()
            try:
                if not view.due(self._keyspace(view).now_ms, 1):
                    return 0
            finally:
                self._store.release(view)
            transaction = self._store.begin()
            try:
                removed = self._keyspace(transaction).remove_expired(limit)
            except StoreError:
                self._store.abort(transaction)
                return 0
            self._store.commit(transaction)
        except StoreError as error:  # grown or broken: next time
            log.debug("sweep put off: %s", error)
            return 0
        return removed

    def _keyspace(self, view: View) -> Keyspace:
        now_ms = time.time_ns() // 1_000_000
        return Keyspace(view, self._store.max_key_bytes, self._max_value_bytes, now_ms)

    def _advance(self) -> None:
        """Run what has not been run in the current transaction."""
        while self._done < len(self._units):
            unit = self._units[self._done]
            try:
                if self._writing is None:
                    self._transaction = self._store.begin()
                    self._writing = self._keyspace(self._transaction)
                unit.reply = self._run(unit.work, self._writing, unit.args)
                self._done += 1
            except StoreError as error:
                if not isinstance(error, StoreGrownError):
                    unit.work = _always(Error(_ERROR.format(error)))
                self._start_again()

    def _start_again(self) -> None:
        self._done = 0
        self._writing = None
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            self._fail(StoreError("no transaction can be begun"))
            return
        try:
            self._store.abort(transaction)
        except StoreGrownError:
            return
        except StoreError as error:
            self._fail(error)

    def _commit(self) -> None:
        while self._transaction is not None:
            self._writing = None
            transaction, self._transaction = self._transaction, None
            try:
                self._store.commit(transaction)
            except StoreGrownError:
                self._done = 0
                self._advance()
            except StoreError as error:
                self._fail(error)
        units, self._units, self._done = self._units, [], 0
        replies: dict[Session, list[bytes]] = {}
        for unit in units:
            replies.setdefault(unit.session, []).append(encode(unit.reply, unit.session.resp3))
        for session, parts in replies.items():
            session.held = 0
            self._answer(session, b"".join(parts))

    def _fail(self, error: StoreError) -> None:
        """Answer everything of this batch with an error: nothing of it has happened."""
        log.error("store failed, commands=%d: %s", len(self._units), error)
        for unit in self._units:
            unit.reply = Error(_ERROR.format(error))
        self._done = len(self._units)

    def _run(self, work: Work, db: Keyspace, args: list[bytes]) -> Reply:
        try:
            return work(db, args)
        except Error as error:
            return error
        except StoreError:
            raise
        except Exception:
            log.exception("command failed")
            return Error("ERR internal error; the server's log has more")


def _always(reply: Reply) -> Work:
    return lambda *_: reply
