"""The workers of a store as one server: questions to all of them, pauses of their clients, and MONITOR.

`ServerState.is_watched` says whether a command has to be looked at here; it costs the others a look at a field.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from corepool_kv.redis.commands.clients import lines
from corepool_kv.redis.commands.killing import end, victims
from corepool_kv.redis.monitoring import Monitoring, source_of
from corepool_kv.redis.pausing import Pausing
from corepool_kv.redis.peers import COUNT, KILL, LINES, LOOK, SHARE, Gathered, Peers, Question
from corepool_kv.redis.running import ENDS_ONE_COMMAND
from corepool_kv.redis.secrets_of_requests import shown
from corepool_kv.redis.transactions import queue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from corepool import Worker
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.secrets_of_requests import Described
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


class Oversight:
    """The part of one listener in one worker. Runs in: the worker."""

    def __init__(self, state: ServerState, worker: Worker, store: str, resume: Callable[[Session], None]) -> None:
        """Take part.

        :param store: the same for listeners whose clients are those of one server.
        :param resume: called with a client whose request has waited.
        :raises OSError: the system has no descriptor or memory for the bus.
        """
        self._state = state
        self._resume = resume
        self.peers = Peers(worker, store, self._answer)
        self.monitoring = Monitoring(worker, self.peers.lines_topic, state.pubsub.log_slow)
        self.pausing = Pausing(worker, store, self._update)
        self.peers.join()
        self.look()

    def close(self) -> None:
        """Take part no more."""
        self.pausing.close()
        self.monitoring.close()
        self.peers.close()

    def look(self) -> None:
        """Look whether clients pause or monitor. Called once a second, and when another worker says so."""
        self.monitoring.look()
        self.pausing.look()
        self._update()

    def forget(self, session: Session) -> None:
        """Forget a client that has ended."""
        self.pausing.forget(session)
        if session.is_monitoring:
            self.end_monitoring(session)

    def begin_pause(self, milliseconds: int, *, writes_only: bool) -> None:
        """Have clients wait, in the place of any other pause; the other workers have to be told."""
        self.pausing.begin(milliseconds, writes_only=writes_only)
        self._update()

    def end_pause(self) -> None:
        """Have clients wait no more; the other workers have to be told."""
        self.pausing.end()
        self._update()

    def begin_monitoring(self, session: Session) -> None:
        """Send a client lines from now on.

        :raises OSError: the system has no descriptor or memory for it.
        """
        self.monitoring.begin(session)
        session.is_monitoring = True
        self._update()
        session.settle()

    def end_monitoring(self, session: Session) -> None:
        """Send a client no more lines."""
        session.is_monitoring = False
        self.monitoring.end(session)
        self._update()
        session.settle()

    def _update(self) -> None:
        self._state.is_watched = self.monitoring.is_on or self.pausing.is_on

    # --- commands of clients

    def postpones(self, session: Session, command: Command) -> bool:
        """Report whether a command waits for the end of a pause; then its client is resumed."""
        holds = self.pausing.holds
        if holds(command) or (command.name == b"exec" and any(holds(each.command) for each in queue_of(session))):
            self.pausing.keep(session)
            return True
        return False

    def feed(self, session: Session, command: Described, request: list[bytes], database: int) -> None:
        """Send a command to all that monitor, unless it is for administrators."""
        if self.monitoring.is_on and "admin" not in command.flags:
            self.monitoring.feed(database, source_of(session), shown(command, request))

    def feed_script(self, command: Described, request: list[bytes], database: int) -> None:
        """Send a command of a script to all that monitor."""
        if self.monitoring.is_on:
            self.monitoring.feed(database, "lua", shown(command, request))

    def asks(self, session: Session, command: Command, request: list[bytes]) -> bool:
        """Ask the others what a command has to know; False: there is nothing to ask, or it is known."""
        if session.is_asking:
            return True
        if session.answers is not None:
            return False
        if command.name == b"exec":
            questions = [
                self._question(session, each.command, each.request) if each.command.asks_before_exec else None
                for each in queue_of(session)
            ]
        else:
            questions = [self._question(session, command, request)]
        if not any(questions):
            return False
        session.is_asking = True
        self._ask(session, questions, [])
        return True

    def _question(self, session: Session, command: Command, request: list[bytes]) -> Question | None:
        if command.asks is None:
            return None
        try:
            return command.asks(self._state, session, request[command.words :])
        except ENDS_ONE_COMMAND:
            return None  # the command itself will say it

    def _ask(self, session: Session, questions: list[Question | None], answers: list[Gathered | None]) -> None:
        """Ask one after the other, and resume the client at the end."""
        for place, question in enumerate(questions):
            if question is not None:
                go_on = functools.partial(self._heard, session, questions[place + 1 :], answers)
                self.peers.ask(question, go_on)
                return
            answers = [*answers, None]
        session.is_asking = False
        session.answers = answers
        if session.number in self._state.sessions:
            self._resume(session)

    def _heard(
        self, session: Session, rest: list[Question | None], answers: list[Gathered | None], found: Gathered
    ) -> None:
        self._ask(session, rest, [*answers, found])

    # --- questions of others

    def _answer(self, question: Question) -> Iterable[bytes]:
        if question.kind == LINES:
            return lines(self._state, question.args)
        if question.kind == COUNT:
            return [b"%d" % len(victims(self._state, question.args))]
        if question.kind == KILL:
            end(victims(self._state, question.args))
        elif question.kind == LOOK:
            self.look()
        elif question.kind == SHARE:
            self._state.share()
        return []
