"""The kv server of one worker: its sessions, and what becomes of each request."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.execution import AbandonedError, Execution
from corepool_kv.engine.sweeper import Sweeper
from corepool_kv.redis.lookup import find_command, is_http
from corepool_kv.redis.replies import OK, Error, NullArray, encode, size_of
from corepool_kv.redis.requests import ProtocolError
from corepool_kv.redis.session import Session, Watched, size_in_memory
from corepool_kv.redis.table import BY_SPELLING, COMMANDS

if TYPE_CHECKING:
    from collections import Counter

    from corepool import Connection, Worker
    from corepool_kv.engine.execution import Work
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.redis.replies import Reply
    from corepool_kv.stores import Store

log = logging.getLogger(__name__)

_MAINTAIN_INTERVAL_S = 1.0

_REPLY_BYTES = 262_144
"""Replies are sent when there are this many bytes of them, which shows whether the client reads."""

_MOST_WAITING = 1000
"""Commands of one session that may wait for a transaction."""

_MOST_WAITING_BYTES = 1 << 20
"""Bytes of them, the last one aside. So much is a transaction's worth of work; a pipeline loses nothing by it."""

_ATTACK_LOG_INTERVAL_S = 60.0


class Server:
    """Serves the sessions of one worker."""

    redis_version = "7.0.15"
    """The version of Redis whose replies these are."""

    commands = COMMANDS

    def __init__(self, options: KvOptions, store: Store, worker: Worker) -> None:
        """Open the store and begin what recurs.

        :raises StoreError: it can't be opened.
        """
        self.options = options
        self.password = options.expected
        self.pid = os.getpid()
        self.slot = worker.slot
        self.began_s = time.monotonic()
        self.sessions: dict[int, Session] = {}
        self.connections = 0
        self.commands_run = 0
        self.commands_per_s = 0
        """In the last second."""
        self._counted = 0
        self.run_id = hashlib.sha1(f"{worker.pool} {os.getppid()} {options.store}".encode()).hexdigest()  # noqa: S324
        """As long as a Redis's, and the same in all workers of a master."""
        self._numbers = itertools.count(1)
        self._worker = worker
        self._attack_logged_s = -_ATTACK_LOG_INTERVAL_S
        self._store = store
        store.open(worker.workers)
        self._execution = Execution(store, options, worker)
        self._loop = worker.loop
        self._maintaining = self._loop.call_later(_MAINTAIN_INTERVAL_S, self._maintain)
        self._sweeper = Sweeper(self._execution, worker.loop)
        if worker.slot == 0:
            self._sweeper.rest()

    @property
    def errors(self) -> Counter[str]:
        """Error replies, by their first words."""
        return self._execution.errors

    @property
    def store_has_failed(self) -> bool:
        """True after a transaction that failed, until one succeeds."""
        return self._execution.has_failed

    @property
    def expired_keys(self) -> int:
        """Keys that have expired and were removed by this worker."""
        return self._sweeper.total

    def reset_statistics(self) -> None:
        """Count from zero again."""
        self.connections = self.commands_run = self._counted = self.commands_per_s = self._sweeper.total = 0
        self.errors.clear()

    def close(self) -> None:
        """Finish what is being committed, and close the store."""
        self._maintaining.cancel()
        self._execution.close()
        self._sweeper.stop()
        self._store.close()

    # --- connections

    def begin(self, conn: Connection[Session]) -> None:
        """Take a new client."""
        conn.half_open = True  # after the client's last word there may be replies that wait for a commit
        self.connections += 1
        # No other worker has the same.
        number = self.pid << 32 | next(self._numbers)
        authenticated = not self.password
        conn.session = self.sessions[number] = Session(self, conn, number, authenticated=authenticated)

    def resume(self, conn: Connection[Session], state: bytes) -> None:
        """Go on with a client of another worker, which keeps its number.

        :raises ValueError: the state is none.
        """
        conn.half_open = True
        session = Session.thaw(self, conn, state)
        session.needs_password = bool(self.password)
        conn.session = self.sessions[session.number] = session

    def end(self, session: Session) -> None:
        """Forget a client, with what it has waiting: that was never acknowledged.

        Else one that connects again and again could have any amount waiting, which no limit counts any more.
        """
        self.sessions.pop(session.number, None)
        session.waiting.clear()
        session.ending = True

    def receive(self, session: Session) -> None:
        """Serve what has arrived."""
        conn = session.conn
        session.active_s = time.monotonic()
        data = conn.recv()
        if session.ending:
            return  # whatever follows is dropped, while replies wait for a commit
        if data:
            session.reader.feed(data)
        self.serve(session)

    def serve(self, session: Session) -> None:
        """Serve what was received, until there is no more or the client should read first."""
        conn, reader = session.conn, session.reader
        if session.stalled:
            session.stalled = False
            conn.resume()
        out: list[bytes] = []
        size = served = 0
        try:
            while not session.ending:
                request = reader.next()
                if request is None:
                    break
                served += 1
                reply = self._serve(session, request)
                if reply is None:
                    if len(session.waiting) >= _MOST_WAITING or session.waiting_bytes >= _MOST_WAITING_BYTES:
                        self._stall(session)
                        break
                    continue
                out.append(reply)
                size += len(reply)
                if size > _REPLY_BYTES:
                    conn.send(b"".join(out))
                    out.clear()
                    size = 0
                    if conn.congested:
                        self._stall(session)
                        break
        except ProtocolError as error:
            conn.send(b"".join(out))
            out.clear()
            self._refuse(session, error)
        self.commands_run += served
        self._worker.requests += served
        if out and not session.is_attack:
            conn.send(out[0] if len(out) == 1 else b"".join(out))
        self._execution.end_event()
        self._end_if_over(session)

    def _stall(self, session: Session) -> None:
        session.stalled = True
        session.conn.pause()

    def answer(self, session: Session, replies: bytes) -> None:
        """Send what has waited for a commit, and go on with what had to wait for that."""
        if not session.is_attack:
            session.conn.send(replies)
        if not session.waiting:
            session.conn.busy = False
            session.waiting_bytes = 0
        self.go_on(session)

    def go_on(self, session: Session) -> None:
        """Go on when the client has read, or has got what it was waiting for."""
        if session.conn.congested:
            return
        if session.waiting:
            self._execution.resume(session)
        elif session.stalled:
            self.serve(session)
        else:
            self._end_if_over(session)

    def _end_if_over(self, session: Session) -> None:
        if (session.ending or session.conn.eof) and not session.waiting and not session.stalled:
            session.conn.close()

    def _refuse(self, session: Session, error: ProtocolError) -> None:
        session.ending = True
        reply = self._reply(session, Error(f"ERR Protocol error: {error}"))
        if reply is not None:
            session.conn.send(reply)

    def _end_attack(self, session: Session, word: bytes) -> None:
        """Close a connection that speaks HTTP, unanswered: any web page can make a browser send commands in a request.

        What came before has run, and nothing of what follows will.
        """
        session.ending = session.is_attack = True
        now = time.monotonic()
        if now - self._attack_logged_s >= _ATTACK_LOG_INTERVAL_S:
            self._attack_logged_s = now
            log.warning(
                "Possible SECURITY ATTACK detected: client=%s sent %s as a web browser does (cross-protocol "
                "scripting), connection closed; more of them within a minute are not logged",
                session.conn.peer,
                word.partition(b"\0")[0].decode("ascii", errors="replace"),
            )

    # --- requests

    def _serve(self, session: Session, request: list[bytes]) -> bytes | None:
        """Serve a request; None if its reply is held back."""
        command = BY_SPELLING.get(request[0]) or COMMANDS.get(request[0].lower())
        if (
            command is None
            or (len(request) != command.arity and not command.takes(len(request)))
            or not (session.authenticated or command.before_auth)
        ):
            try:
                command = self._find(session, request)
            except Error as error:
                session.queue_is_broken = True
                if command is COMMANDS[b"exec"]:
                    session.leave_transaction()
                    reason = str(error).removeprefix("ERR ")
                    return self._reply(session, Error(f"EXECABORT Transaction discarded because of: {reason}"))
                return self._reply(session, error)
            if command is None:
                return None
        session.last_command = command.name
        args = request[command.words :]
        if session.queue is not None and command.group != "transactions" and command.name not in (b"quit", b"reset"):
            return self._queue(session, command, args)
        on_data = command.on_data
        if on_data is not None:
            if command.writes or session.waiting:
                self._submit(session, on_data, args)
                return None
            return encode(self._execution.read(on_data, args), session.resp3)
        if command.group == "transactions":
            return self._serve_transaction(session, command, args)
        if command.on_session is not None:
            return self._reply(session, self._run_on_session(session, command, args))
        return self._run(session, lambda db, args: self._run_queued(session, command, args, db), args, writes=False)

    def _find(self, session: Session, request: list[bytes]) -> Command | None:
        """Find what a request asks for; None if it is one of HTTP.

        :raises Error: there is no such command, or not for this request, or not before AUTH.
        """
        if is_http(request[0]):
            self._end_attack(session, request[0])
            return None
        command = find_command(request)
        if not (session.authenticated or command.before_auth):
            raise Error("NOAUTH Authentication required.")
        return command

    def _run(
        self, session: Session, work: Work, args: list[bytes], *, writes: bool, held_bytes: int = 0
    ) -> bytes | None:
        if writes or session.waiting:
            self._submit(session, work, args, held_bytes)
            return None
        return encode(self._execution.read(work, args), session.resp3)

    def _submit(self, session: Session, work: Work, args: list[bytes], held_bytes: int = 0) -> None:
        """Have a command run in a transaction.

        :param held_bytes: what `work` itself keeps until then.
        """
        session.conn.busy = True
        session.waiting_bytes += size_in_memory(args) + held_bytes
        self._execution.submit(session, (work, args, session.resp3))

    def _queue(self, session: Session, command: Command, args: list[bytes]) -> bytes | None:
        if session.queue_up(command, args, self.options.max_request):
            return self._reply(session, "QUEUED")
        session.queue_is_broken = True
        return self._reply(session, Error(f"ERR more than {self.options.max_request} bytes in a transaction"))

    def _reply(self, session: Session, reply: Reply) -> bytes | None:
        """Encode a reply that needs no data, or put it behind those that wait."""
        if isinstance(reply, Error):
            self._execution.count(reply)
        if session.waiting:
            self._submit(session, lambda *_: reply, [], size_of(reply))
            return None
        return encode(reply, session.resp3)

    def _run_on_session(self, session: Session, command: Command, args: list[bytes]) -> Reply:
        assert command.on_session is not None
        try:
            return command.on_session(self, session, args)
        except Error as error:
            return error

    # --- MULTI, EXEC, WATCH

    def _serve_transaction(self, session: Session, command: Command, args: list[bytes]) -> bytes | None:
        match command.name:
            case b"multi":
                if session.queue is not None:
                    return self._reply(session, Error("ERR MULTI calls can not be nested"))
                session.queue = []
                session.queue_is_broken = False
                return self._reply(session, OK)
            case b"discard":
                if session.queue is None:
                    return self._reply(session, Error("ERR DISCARD without MULTI"))
                session.leave_transaction()
                return self._reply(session, OK)
            case b"watch":
                if session.queue is not None:
                    return self._reply(session, Error("ERR WATCH inside MULTI is not allowed"))
                watched = session.watched  # and not what the session has when this is run, which may be after EXEC
                return self._run(session, lambda db, keys: self._watch(watched, db, keys), args, writes=False)
            case b"unwatch":
                if session.queue is not None:
                    return self._queue(session, command, args)
                session.watched = Watched()
                return self._reply(session, OK)
            case _:
                return self._execute(session)

    def _watch(self, watched: Watched, db: Keyspace, keys: list[bytes]) -> Reply:
        watched.add(db, keys, self.options.max_request)
        return OK

    def _execute(self, session: Session) -> bytes | None:
        queue, watched, is_broken = session.queue, session.watched, session.queue_is_broken
        queued_bytes = session.queued_bytes
        if queue is None:
            return self._reply(session, Error("ERR EXEC without MULTI"))
        session.leave_transaction()
        if is_broken:
            return self._reply(session, Error("EXECABORT Transaction discarded because of previous errors."))

        def work(db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
            if any(db.version(key) != version for key, version in watched.versions.items()):
                return NullArray()
            try:
                return db.gather(self._run_queued(session, command, args, db) for command, args in queue)
            except Error as error:
                raise AbandonedError(str(error)) from None  # some of them have run

        writes = any(command.writes for command, _ in queue)
        return self._run(session, work, [], writes=writes, held_bytes=queued_bytes)

    def _run_queued(self, session: Session, command: Command, args: list[bytes], db: Keyspace) -> Reply:
        try:
            if command.on_data is not None:
                return command.on_data(db, args)
            if command.on_both is not None:
                return command.on_both(self, session, db, args)
            if command.on_session is not None:
                return command.on_session(self, session, args)
        except Error as error:
            return error
        return OK  # UNWATCH: EXEC has forgotten the keys already

    # --- what recurs

    def _maintain(self) -> None:
        self.commands_per_s = self.commands_run - self._counted
        self._counted = self.commands_run
        self._store.maintain()
        self._maintaining = self._loop.call_later(_MAINTAIN_INTERVAL_S, self._maintain)
