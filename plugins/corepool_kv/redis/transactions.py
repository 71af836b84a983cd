"""MULTI, EXEC, DISCARD, WATCH and UNWATCH."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple, cast

from corepool_kv.engine.clock import seconds
from corepool_kv.engine.errors import AbandonedError
from corepool_kv.redis.replies import OK, Error, NullArray, encode, gather
from corepool_kv.redis.running import ENDS_ONE_COMMAND, OUT_OF_ROOM, word
from corepool_kv.redis.session import Watched, size_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.peers import Gathered
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.running import Runner
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


SUBSCRIBING = frozenset((b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe"))
_DECIDING = SUBSCRIBING | {b"select"}
"""Commands by which a client is served in another way from then on."""


def _refuse_shard_channels(db: Keyspace, gathered: Gathered | None) -> Reply:  # noqa: ARG001
    return Error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")


class Queued(NamedTuple):
    """A command that waits for EXEC."""

    run: Callable[[Keyspace, Gathered | None], Reply]
    command: Command
    request: list[bytes]


def queue_of(session: Session) -> list[Queued]:
    """Return the commands of a client since MULTI."""
    return cast("list[Queued]", session.queue or [])


class Transactions:
    """Queues commands after MULTI, and runs them at EXEC."""

    def __init__(self, state: ServerState, runner: Runner) -> None:
        self._state = state
        self._runner = runner

    def serve(self, session: Session, command: Command, request: list[bytes]) -> bytes | None:
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
                watch = functools.partial(self._watch, watched)
                return self._runner.run(session, watch, request[1:], None, writes=False)
            case b"unwatch":
                if session.queue is not None:
                    return self.queue(session, command, request)
                session.watched = Watched()
                return reply(session, OK)
            case _:
                return self._execute(session, command, request)

    def queue(self, session: Session, command: Command, request: list[bytes]) -> bytes | None:
        """Keep a command for EXEC."""
        max_bytes = self._state.options.max_request
        run: Callable[[Keyspace, Gathered | None], Reply] = functools.partial(
            self.run_now, session, command, request[command.words :]
        )
        if command.name == b"ssubscribe":
            run = _refuse_shard_channels  # as Redis does, and no other
        if session.queue_up(Queued(run, command, request), size_in_memory(request), max_bytes):
            return self._runner.reply(session, "QUEUED")
        session.queue_is_broken = True
        return self._runner.reply(session, Error(f"ERR more than {max_bytes} bytes in a transaction"))

    def run_alone(self, session: Session, command: Command, request: list[bytes]) -> bytes | None:
        """Run a command on sessions and data; return None if its reply waits for a commit."""
        gathered = next(iter(session.take_answers()), None)

        def run(db: Keyspace, args: list[bytes]) -> Reply:
            session.changes = None  # this may run again
            return self.run_now(session, command, args, db, gathered)

        session.holds = command.name in _DECIDING
        return self._runner.run(session, run, request[command.words :], request, writes=command.writes)

    def run_now(
        self, session: Session, command: Command, args: list[bytes], db: Keyspace, gathered: Gathered | None = None
    ) -> Reply:
        """Run a command of any kind; an error that ends this command alone is its reply.

        :param gathered: answers of other workers, if it has asked them.
        """
        session.gathered = gathered
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
        finally:
            session.gathered = None
        return OK  # UNWATCH: EXEC has forgotten the keys already

    def _watch(self, watched: Watched, db: Keyspace, keys: list[bytes]) -> Reply:
        watched.add(db, keys, self._state.options.max_request)
        return OK

    def _execute(self, session: Session, command: Command, request: list[bytes]) -> bytes | None:
        is_open, watched, is_broken = session.queue is not None, session.watched, session.queue_is_broken
        commands = queue_of(session)
        queued_bytes, answers = session.queued_bytes, session.take_answers()
        if not is_open:
            return self._runner.reply(session, Error("ERR EXEC without MULTI"))
        session.leave_transaction()
        if is_broken:
            return self._runner.reply(session, Error("EXECABORT Transaction discarded because of previous errors."))
        answers = answers or [None] * len(commands)
        resp3, database = session.resp3, session.database

        def execute(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
            if watched.have_changed(db):
                return NullArray()
            if db.is_full and any(queued.command.grows for queued in commands):
                raise Error(f"EXECABORT Transaction discarded because of: {OUT_OF_ROOM}")
            session.database = database
            session.changes = None
            reply: Reply
            try:
                replies = (
                    self._run_queued(session, queued, db.select(session.database), gathered)
                    for queued, gathered in zip(commands, answers, strict=True)
                )
                reply = gather(replies, db.limits.reply)
            except Error as error:
                session.database = database
                raise AbandonedError(encode(error, resp3)) from None  # some of them have run
            self._feed(session, command, request, db, session.database)
            return reply

        writes = any(queued.command.writes for queued in commands)
        session.holds = any(queued.command.name in _DECIDING for queued in commands)
        return self._runner.run(session, execute, [], None, writes=writes, held_bytes=queued_bytes)

    def _run_queued(self, session: Session, queued: Queued, db: Keyspace, gathered: Gathered | None) -> Reply:
        """Run a command of a transaction, and see to what the slow log and clients that monitor are told of it."""
        began_s = seconds()
        db.changes = 0
        reply = queued.run(db, gathered)
        if isinstance(reply, Error) and db.changes and queued.command.on_data is not None:
            raise AbandonedError(encode(reply, session.resp3))  # half of it is done
        took_s = seconds() - began_s
        if took_s >= self._state.slow_s:
            db.at_end.append(functools.partial(self._state.slowlog.note, session, queued.request, took_s))
        self._feed(session, queued.command, queued.request, db, db.number)
        return reply

    def _feed(self, session: Session, command: Command, request: list[bytes], db: Keyspace, database: int) -> None:
        """Send a command to clients that monitor, when it is committed."""
        if self._state.is_watched:
            feed = self._state.oversight.feed
            db.at_end.append(functools.partial(feed, session, command, request, database))
