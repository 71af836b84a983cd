"""The way of each request of one listener in one worker: from its words to a reply, or to the place where it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.clock import seconds
from corepool_kv.redis.attacks import AttackLog
from corepool_kv.redis.lookup import find_command, is_http
from corepool_kv.redis.pausing import is_write
from corepool_kv.redis.replies import Error
from corepool_kv.redis.session import REPLY_ON, REPLY_SKIP
from corepool_kv.redis.subscription_changes import MAX_SUBSCRIPTIONS
from corepool_kv.redis.table import COMMANDS, find_by_spelling
from corepool_kv.redis.transactions import SUBSCRIBING, Transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.redis.blocks import Blocks
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.oversight import Oversight
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.running import Runner
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_NOT_QUEUED = frozenset((b"client|reply",))
_WHILE_SUBSCRIBED = SUBSCRIBING | {b"ping", b"quit", b"reset"}
"""In RESP2, where a reply can't be told from a message."""


class RequestRunner:
    """Serves requests, one at a time."""

    def __init__(
        self,
        state: ServerState,
        runner: Runner,
        blocks: Blocks,
        oversight: Oversight,
        resume: Callable[[Session], None],
    ) -> None:
        """Serve for the clients of a listener.

        :param resume: called with a client whose request was kept, and may go on.
        """
        self._state = state
        self._runner = runner
        self._blocks = blocks
        self._resume = resume
        self._oversight = oversight
        self._transactions = Transactions(state, runner)
        self._pubsub = state.pubsub
        self._attacks = AttackLog()

    def serve(self, session: Session, request: list[bytes]) -> bytes | None:
        """Serve a request; return None if its reply waits for a commit."""
        if session.reply_mode and not session.is_silent:
            return self._serve_silently(session, request)
        command = find_by_spelling(request[0]) or COMMANDS.get(request[0].lower())
        if (
            command is None
            or (len(request) != command.arity and len(request) < command.at_least)
            or not (session.authenticated or command.before_auth)
            or session.subscriptions is not None
            or session.queue is not None
            or self._state.is_watched
        ):
            try:
                command = self._find(session, request)
            except Error as error:
                session.queue_is_broken = True
                if command is COMMANDS[b"exec"]:
                    session.leave_transaction()
                    reason = str(error).removeprefix("ERR ")
                    return self._runner.reply(session, Error(f"EXECABORT Transaction discarded because of: {reason}"))
                return self._runner.reply(session, error)
            if command is None:
                return None
            if self._state.is_watched:
                return self._serve_watched(session, command, request)
        return self._run(session, command, request)

    def _run(self, session: Session, command: Command, request: list[bytes]) -> bytes | None:
        """Run a command; return None if its reply waits."""
        session.last_command = command.name
        if session.queue is not None and command.group != "transactions" and command.name not in (b"quit", b"reset"):
            if command.group in ("pubsub", "scripting") and self._waits_for_bus(session, command, request):
                return None
            return self._transactions.queue(session, command, request)
        on_data = command.on_data
        args = request[command.words :]
        if on_data is not None:
            if command.writes or session.waiting:
                self._runner.submit(session, on_data, args, request, 0, command.grows)
                return None
            return self._runner.read(session, on_data, args, request)
        if session.is_silent and command.name in SUBSCRIBING:
            session.is_silent = False  # as in Redis, which takes these replies for messages
        # A script may publish.
        if command.group in ("pubsub", "scripting") and self._waits_for_bus(session, command, request):
            return None
        if (command.name == b"exec" or command.asks is not None) and self._oversight.asks(session, command, request):
            self._keep(session, request)
            return None
        if command.group == "transactions":
            return self._transactions.serve(session, command, request)
        if command.demands is not None:
            return self._blocks.serve(session, command.demands, args, request)
        if command.on_session is not None and not (command.on_both is not None and session.waiting):
            return self._runner.reply(session, self._run_on_session(session, command, request))
        return self._transactions.run_alone(session, command, request)

    def _keep(self, session: Session, request: list[bytes]) -> None:
        """Keep a request, to be served again."""
        session.kept = request
        session.settle()

    def _serve_watched(self, session: Session, command: Command, request: list[bytes]) -> bytes | None:
        """Run a command while clients pause or monitor."""
        if session.answers is None and self._oversight.postpones(session, command):
            self._keep(session, request)
            return None
        is_queued = session.queue is not None and (command.group != "transactions" or command.name == b"exec")
        is_told = session.fed is request or is_queued
        # SELECT and RESET are shown in the database that they lead to; a script in front of what it calls.
        is_told_first = command.group != "connection"
        if not is_told and is_told_first:
            self._oversight.feed(session, command, request, session.database)
        session.fed = request
        reply = self._run(session, command, request)
        if session.kept is None:
            session.fed = None
        if not is_told and not is_told_first:
            self._oversight.feed(session, command, request, session.database)
        return reply

    def _serve_silently(self, session: Session, request: list[bytes]) -> bytes | None:
        """Serve a request without a reply, after CLIENT REPLY OFF or SKIP."""
        skips = session.reply_mode == REPLY_SKIP
        session.is_silent = True
        if skips:
            session.reply_mode = REPLY_ON
        reply = self.serve(session, request)
        is_silent, session.is_silent = session.is_silent, False
        if skips and session.kept is not None:
            session.reply_mode = REPLY_SKIP
        return b"" if is_silent and reply is not None else reply

    def _find(self, session: Session, request: list[bytes]) -> Command | None:
        """Return the command of a request; None if it is one of HTTP.

        :raises Error: there is no such command, or not for this request, or not before AUTH.
        """
        if is_http(request[0]):
            self._end_attack(session, request[0])
            return None
        command = find_command(request)
        if not (session.authenticated or command.before_auth):
            raise Error("NOAUTH Authentication required.")
        if session.subscriptions is not None and not session.resp3 and command.name not in _WHILE_SUBSCRIBED:
            raise Error(
                f"ERR Can't execute '{command.name.decode()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                "RESET are allowed in this context"
            )
        if session.is_monitoring and ("readonly" in command.flags or is_write(command)):
            raise Error("ERR Replica can't interact with the keyspace")  # Redis takes one that monitors for a replica
        if session.queue is not None and command.name in _NOT_QUEUED:
            raise Error("ERR Command not allowed inside a transaction")
        return command

    def _waits_for_bus(self, session: Session, command: Command, request: list[bytes]) -> bool:
        """Keep a request until this worker takes part in the bus, and others know its patterns; False: serve it now."""
        patterns = request[1 : MAX_SUBSCRIPTIONS + 1] if command.name == b"psubscribe" else []
        if self._pubsub.is_ready_for(patterns):
            return False
        self._keep(session, request)
        self._pubsub.when_ready_for(patterns, lambda: self._resume(session))
        return True

    def _run_on_session(self, session: Session, command: Command, request: list[bytes]) -> Reply:
        assert command.on_session is not None
        began_s = seconds()
        session.gathered = next(iter(session.take_answers()), None)
        reply: Reply
        try:
            reply = command.on_session(self._state, session, request[command.words :])
        except Error as error:
            reply = error
        session.gathered = None
        took_s = seconds() - began_s
        if took_s >= self._state.slow_s:
            self._runner.note_slow(session, request, took_s)
        return reply

    def _end_attack(self, session: Session, word: bytes) -> None:
        """Close a connection that speaks HTTP, unanswered: any web page can make a browser send commands in a request.

        The requests before this one have run; those behind it will not.
        """
        session.ending = session.is_attack = True
        self._attacks.log(session.conn.peer, word)
