"""Sessions that wait for elements of collections: one listener's side of `engine.blocking`."""

from __future__ import annotations

import functools
import json
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.blocking import Place
from corepool_kv.engine.demands import Demand
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.redis.commands.blocking import word_outcome
from corepool_kv.redis.replies import NO_REPLY, Error, encode
from corepool_kv.redis.running import ENDS_ONE_COMMAND, word

if TYPE_CHECKING:
    from corepool_kv.engine.blocking import Blocking, Outcome, Wait
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Demands
    from corepool_kv.redis.may_wait import MayWait
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.running import Runner
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState
    from corepool_kv.stores import StoreError


class Blocked:
    """Answers a session when its wait is over. Implements `blocking.Waiter`."""

    def __init__(self, runner: Runner, session: Session) -> None:
        self._runner = runner
        self._session = session

    def end_wait(self, outcome: Outcome) -> None:
        self._answer(word_outcome(outcome))

    def fail_wait(self, error: StoreError) -> None:
        self._answer(Error(f"ERR the store has failed: {error}"))

    def _answer(self, reply: Reply) -> None:
        session = self._session
        session.blocked = None
        if isinstance(reply, Error):
            self._runner.count(reply)
        if not session.waits_silently:
            session.conn.send(encode(reply, session.resp3))
        session.go_on()


class Blocks:
    """Blocks sessions, and answers them at last."""

    def __init__(self, state: ServerState, runner: Runner, blocking: Blocking) -> None:
        self._state = state
        self._runner = runner
        self._blocking = blocking

    def serve(self, session: Session, demands: Demands, args: list[bytes], request: list[bytes]) -> bytes | None:
        """Run a command that may wait; return None if its reply waits, at least for a commit."""
        try:
            asked = demands(args)
        except ENDS_ONE_COMMAND as error:
            return self._runner.reply(session, word(error))
        if asked.patience_ms is None:
            return self._runner.run(session, lambda db, _: asked.at_once(db), args, request, writes=asked.writes)
        expires_ms = time.time_ns() // 1_000_000 + asked.patience_ms if asked.patience_ms else 0
        session.holds = True
        session.waits_silently = session.is_silent
        self._runner.submit(session, functools.partial(self._try, session, asked, expires_ms), args, request)
        return None

    def adopt(self, session: Session, state: bytes) -> None:
        """Go on with the wait of a session that another worker had, if it waits."""
        place = json.loads(state).get("place")
        if place is not None:
            old = Place(*map(bytes.fromhex, place))
            session.blocked = self._blocking.adopt(Blocked(self._runner, session), old)

    def end(self, session: Session, *, has_moved: bool) -> None:
        """Forget a session that has ended, or has moved to another worker."""
        wait, session.blocked = session.blocked, None
        if wait is None:
            return
        if has_moved:
            self._blocking.forget_moved(wait)
        else:
            self._blocking.abandon(wait)

    def _try(self, session: Session, asked: MayWait, expires_ms: int, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG002
        """Answer a request at once, or have the session wait. Runs in: the transaction."""
        answer = asked.attempt(db)
        if not isinstance(answer, Demand | StreamDemand):
            return answer
        demand = answer._replace(number=db.number, client=session.number, expires_ms=expires_ms)
        wait = self._blocking.begin(db, Blocked(self._runner, session), demand)
        db.at_end.append(functools.partial(self._block, session, wait))
        return NO_REPLY

    def _block(self, session: Session, wait: Wait) -> None:
        if session.number in self._state.sessions:
            session.blocked = wait
        else:
            self._blocking.abandon(wait)
