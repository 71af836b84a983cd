"""Running the commands of sessions on the engine, and wording its errors as Redis does.

A command that only reads is answered at once, unless earlier commands of its client wait for a commit.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from corepool_kv import events
from corepool_kv.engine.clock import seconds
from corepool_kv.engine.errors import (
    AbandonedError,
    HalfDoneError,
    KeyTooLongError,
    OutOfRoomError,
    RefusedError,
    ValueTooLongError,
)
from corepool_kv.engine.execution import INTERNAL_ERROR
from corepool_kv.redis.replies import ENCODED_OK, OK, Error, encode, size_of
from corepool_kv.redis.session import size_in_memory
from corepool_kv.stores import DamagedRecordError, FullError, StoreError, WrongTypeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool_kv.engine.execution import Execution
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work
    from corepool_kv.redis.entry import OnData
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

log = logging.getLogger(__name__)


OUT_OF_ROOM = "OOM command not allowed when used memory > 'maxmemory'."

ENDS_ONE_COMMAND = (Error, RefusedError, DamagedRecordError, WrongTypeError)
"""Errors that are the reply to one command. Any other one voids a transaction."""


def word(error: Error | RefusedError | DamagedRecordError | WrongTypeError) -> Error:
    """Return the error reply for an error that ends one command."""
    match error:
        case Error():
            return error
        case WrongTypeError():
            return Error("WRONGTYPE Operation against a key holding the wrong kind of value")
        case KeyTooLongError():
            return Error(f"ERR key is too long: this store takes {error.max_bytes} bytes")
        case ValueTooLongError():
            return Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
        case OutOfRoomError():
            return Error(OUT_OF_ROOM)
    return Error(f"ERR {error}")


class Write:
    """A command that waits for its transaction. Implements `execution.Work`."""

    __slots__ = ("_args", "_database", "_grows", "_on_data", "_request", "_resp3", "_runner", "_session", "is_silent")

    def __init__(
        self,
        runner: Runner,
        on_data: OnData,
        args: list[bytes],
        session: Session,
        request: list[bytes] | None,
        grows: bool,  # noqa: FBT001  # a keyword costs a dict
    ) -> None:
        """Keep a command, with the version and database of now: a later HELLO or SELECT is about those behind it.

        :param request: for the slow log; None: it is none of a client.
        """
        self._grows = grows
        self._runner = runner
        self._on_data = on_data
        self._args = args
        self._session = session
        self._request = request
        self._resp3 = session.resp3
        self._database = session.database
        self.is_silent = session.is_silent

    def __call__(self, db: Keyspace) -> bytes:
        return self.run(db)

    def run(self, db: Keyspace) -> bytes:
        """Run it.

        :raises HalfDoneError: it has failed when it had changed data.
        """
        began_s = seconds()
        here = db.select(self._database) if self._database else db
        here.changes = 0
        try:
            if self._grows and db.is_full:
                db.check_growth()
            reply = self._on_data(here, self._args)
        except ENDS_ONE_COMMAND as error:
            reply = word(error)
            if here.changes:
                raise HalfDoneError(encode(reply, self._resp3)) from None
            self._runner.count(reply)
        took_s = seconds() - began_s
        if took_s >= self._runner.state.slow_s and self._request is not None:
            db.at_end.append(functools.partial(self._runner.note_slow, self._session, self._request, took_s))
        if self.is_silent:
            return b""
        return ENCODED_OK if reply is OK else encode(reply, self._resp3)


class Runner:
    """Runs commands for the sessions of one listener."""

    def __init__(self, state: ServerState, execution: Execution) -> None:
        self.state = state
        self._execution = execution

    def run(
        self,
        session: Session,
        on_data: OnData,
        args: list[bytes],
        request: list[bytes] | None,
        *,
        writes: bool,
        held_bytes: int = 0,
    ) -> bytes | None:
        """Run a command; return None if its reply waits for a commit.

        :param request: as it came, for the slow log; None: it is not for that.
        :param held_bytes: memory that `on_data` itself keeps until then.
        """
        if writes or session.waiting:
            self.submit(session, on_data, args, request, held_bytes)
            return None
        return self.read(session, on_data, args, request)

    def read(self, session: Session, on_data: OnData, args: list[bytes], request: list[bytes] | None) -> bytes:
        """Run a command that only reads."""
        reply: Reply
        began_s = seconds()
        try:
            db = self._execution.reading or self._execution.read(session.limits)
            try:
                reply = on_data(db.select(session.database) if session.database else db, args)
            except ENDS_ONE_COMMAND as error:
                reply = self.count(word(error))
            if db.at_end:
                db.finish()
        except StoreError as error:
            if self._execution.reading is not None:
                self._execution.reading.at_end.clear()
            self._execution.log_failure(error)
            reply = self.count(_failed(error))
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            events.kv_command_failed.exception(log, error)
            reply = self.count(_failed(INTERNAL_ERROR))
        took_s = seconds() - began_s
        if took_s >= self.state.slow_s and request is not None:
            self.note_slow(session, request, took_s)
        return encode(reply, session.resp3)

    def submit(
        self,
        session: Session,
        on_data: OnData,
        args: list[bytes],
        request: list[bytes] | None,
        held_bytes: int = 0,
        grows: bool = False,  # noqa: FBT001, FBT002  # C functions take no keywords alone
    ) -> None:
        """Run a command in the next transaction.

        :param grows: it is refused if there is no room for more.
        """
        write = Write(self, on_data, args, session, request, grows)
        self.submit_work(session, write, size_in_memory(args) + held_bytes)

    def note_slow(self, session: Session, request: list[bytes], took_s: float) -> None:
        """Put a command into the slow log."""
        self.state.slowlog.note(session, request, took_s)

    def submit_work(self, session: Session, work: Work, size: int) -> None:
        """Run work for a session in the next transaction.

        :param size: the memory that it takes until then, in bytes.
        """
        if not session.waiting:
            session.conn.busy = True
        session.waiting_bytes += size
        self._execution.submit(session, work)

    def reply(self, session: Session, reply: Reply) -> bytes | None:
        """Encode a reply that needs no data; return None if it has to wait behind others."""
        if isinstance(reply, Error):
            self.count(reply)
        if session.waiting:
            self.submit(session, lambda *_: reply, [], None, size_of(reply))
            return None
        return encode(reply, session.resp3)

    def explain(self, error: StoreError, works: Sequence[Work]) -> bytes:
        """Return the replies to work whose transaction has failed."""
        if isinstance(error, AbandonedError):
            reply = error.reply
        else:
            reply = encode(Error(OUT_OF_ROOM) if isinstance(error, FullError) else _failed(error), False)
        self.state.count_error(reply[1:].partition(b" ")[0].decode(errors="replace"), len(works))
        return reply * sum([not getattr(work, "is_silent", False) for work in works])

    def count(self, error: Error) -> Error:
        """Count an error reply, and return it."""
        self.state.count_error(str(error).partition(" ")[0])
        return error


def _failed(reason: StoreError | str) -> Error:
    return Error(f"ERR the store has failed: {reason}")
