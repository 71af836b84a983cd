"""MULTI, EXEC, DISCARD, WATCH and UNWATCH."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from corepool_kv.engine.errors import AbandonedError
from corepool_kv.redis.replies import OK, Error, NullArray, encode, gather
from corepool_kv.redis.running import ENDS_ONE_COMMAND, OUT_OF_ROOM, word
from corepool_kv.redis.session import Queued, Watched, size_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.running import Runner
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


SUBSCRIBING = frozenset((b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe"))
_DECIDING = SUBSCRIBING | {b"select"}
"""Commands by which a client is served in another way from then on."""


def _refuse_shard_channels(db: Keyspace) -> Reply:  # noqa: ARG001
    return Error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")


class Transactions:
    """Queues commands after MULTI, and runs them at EXEC."""

    def __init__(self, state: ServerState, runner: Runner) -> None:
        self._state = state
        self._runner = runner

    def serve(self, session: Session, command: Command, args: list[bytes]) -> bytes | None:
        """Serve a command of the group "transactions"; return None if its reply waits for a commit."""
        reply = self._runner.reply
        match command.name:
            case b"multi":
                if session.queue is not None:
                    return reply(session, Error("ERR MULTI calls can not be nested"))
                session.queue = []
                session.queue_is_broken = False
                return reply(session, OK)
            case b"discard":
                if session.queue is None:
                    return reply(session, Error("ERR DISCARD without MULTI"))
                session.leave_transaction()
                return reply(session, OK)
            case b"watch":
                if session.queue is not None:
                    return reply(session, Error("ERR WATCH inside MULTI is not allowed"))
                watched = session.watched  # of now: this may run after EXEC, when the session has another
                return self._runner.run(session, lambda db, keys: self._watch(watched, db, keys), args, writes=False)
            case b"unwatch":
                if session.queue is not None:
                    return self.queue(session, command, args)
                session.watched = Watched()
                return reply(session, OK)
            case _:
                return self._execute(session)

    def queue(self, session: Session, command: Command, args: list[bytes]) -> bytes | None:
        """Keep a command for EXEC."""
        max_bytes = self._state.options.max_request
        run: Callable[[Keyspace], Reply] = functools.partial(self.run_now, session, command, args)
        if command.name == b"ssubscribe":
            run = _refuse_shard_channels  # as Redis does, and no other
        queued = Queued(run, command.writes, command.grows, command.name in _DECIDING)
        if session.queue_up(queued, size_in_memory(args), max_bytes):
            return self._runner.reply(session, "QUEUED")
        session.queue_is_broken = True
        return self._runner.reply(session, Error(f"ERR more than {max_bytes} bytes in a transaction"))

    def run_alone(self, session: Session, command: Command, args: list[bytes]) -> bytes | None:
        """Run a command on sessions and data; return None if its reply waits for a commit."""

        def run(db: Keyspace, args: list[bytes]) -> Reply:
            session.changes = None  # this may run again
            return self.run_now(session, command, args, db)

        session.holds = command.name in _DECIDING
        return self._runner.run(session, run, args, writes=command.writes)

    def run_now(self, session: Session, command: Command, args: list[bytes], db: Keyspace) -> Reply:
        """Run a command of any kind; an error that ends this command alone is its reply."""
        try:
            if command.grows:
                db.check_growth()
            if command.on_data is not None:
                return command.on_data(db, args)
            if command.on_both is not None:
                return command.on_both(self._state, session, db, args)
            if command.on_session is not None:
                return command.on_session(self._state, session, args)
        except ENDS_ONE_COMMAND as error:
            return word(error)
        return OK  # UNWATCH: EXEC has forgotten the keys already

    def _watch(self, watched: Watched, db: Keyspace, keys: list[bytes]) -> Reply:
        watched.add(db, keys, self._state.options.max_request)
        return OK

    def _execute(self, session: Session) -> bytes | None:
        queue, watched, is_broken = session.queue, session.watched, session.queue_is_broken
        queued_bytes = session.queued_bytes
        if queue is None:
            return self._runner.reply(session, Error("ERR EXEC without MULTI"))
        session.leave_transaction()
        if is_broken:
            return self._runner.reply(session, Error("EXECABORT Transaction discarded because of previous errors."))
        commands = queue
        resp3, database = session.resp3, session.database

        def execute(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
            if watched.have_changed(db):
                return NullArray()
            if db.is_full and any(queued.grows for queued in commands):
                raise Error(f"EXECABORT Transaction discarded because of: {OUT_OF_ROOM}")
            session.database = database
            session.changes = None
            try:
                return gather((queued.run(db.select(session.database)) for queued in commands), db.limits.reply)
            except Error as error:
                session.database = database
                raise AbandonedError(encode(error, resp3)) from None  # some of them have run

        writes = any(queued.writes for queued in commands)
        session.holds = any(queued.decides for queued in commands)
        return self._runner.run(session, execute, [], writes=writes, held_bytes=queued_bytes)
