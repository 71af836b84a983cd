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
from corepool_kv.redis.replies import Error, encode
from corepool_kv.redis.running import ENDS_ONE_COMMAND, word
from corepool_kv.redis.session import size_in_memory

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
        session.conn.send(encode(reply, session.resp3))
        session.go_on()


class Blocks:
    """Blocks sessions, and answers them at last."""

    def __init__(self, state: ServerState, runner: Runner, blocking: Blocking) -> None:
        self._state = state
        self._runner = runner
        self._blocking = blocking

    def serve(self, session: Session, demands: Demands, args: list[bytes]) -> bytes | None:
        """Run a command that may wait; return None if its reply waits, at least for a commit."""
        try:
            asked = demands(args)
        except ENDS_ONE_COMMAND as error:
            return self._runner.reply(session, word(error))
        if asked.patience_ms is None:
            return self._runner.run(session, lambda db, _: asked.at_once(db), args, None, writes=asked.writes)
        expires_ms = time.time_ns() // 1_000_000 + asked.patience_ms if asked.patience_ms else 0
        session.holds = True
        work = functools.partial(self._try, session, session.database, asked, expires_ms)
        self._runner.submit_work(session, work, size_in_memory(args))
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

    def _try(self, session: Session, number: int, asked: MayWait, expires_ms: int, db: Keyspace) -> bytes:
        """Answer a request at once, or have the session wait. Runs in: the transaction."""
        try:
            answer = asked.attempt(db.select(number))
        except ENDS_ONE_COMMAND as error:
            return encode(self._runner.count(word(error)), session.resp3)
        if not isinstance(answer, Demand | StreamDemand):
            return encode(answer, session.resp3)
        demand = answer._replace(number=number, client=session.number, expires_ms=expires_ms)
        wait = self._blocking.begin(db, Blocked(self._runner, session), demand)
        db.at_end.append(functools.partial(self._block, session, wait))
        return b""

    def _block(self, session: Session, wait: Wait) -> None:
        if session.number in self._state.sessions:
            session.blocked = wait
        else:
            self._blocking.abandon(wait)
