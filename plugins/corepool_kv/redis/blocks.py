"""Sessions that wait for elements of lists and sorted sets: one listener's side of `engine.blocking`."""

from __future__ import annotations

import functools
import json
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.blocking import Place
from corepool_kv.engine.demands import take_any
from corepool_kv.redis.commands.blocking import word_outcome, word_taken
from corepool_kv.redis.replies import Error, encode
from corepool_kv.redis.running import ENDS_ONE_COMMAND, word
from corepool_kv.redis.session import size_in_memory

if TYPE_CHECKING:
    from corepool_kv.engine.blocking import Blocking, Outcome, Wait
    from corepool_kv.engine.demands import Demand
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Demands
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
        """Run a command that may block; return None if its reply waits, at least for a commit."""
        try:
            demand, patience_ms = demands(args)
        except ENDS_ONE_COMMAND as error:
            return self._runner.reply(session, word(error))
        demand = demand._replace(number=session.database, client=session.number)
        if patience_ms:
            demand = demand._replace(expires_ms=time.time_ns() // 1_000_000 + patience_ms)
        session.holds = True
        self._runner.submit_work(session, functools.partial(self._try, session, demand), size_in_memory(args))
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

    def _try(self, session: Session, demand: Demand, db: Keyspace) -> bytes:
        """Serve a demand at once, or have the session wait. Runs in: the transaction."""
        if not demand.type and not demand.most:
            return encode(0, session.resp3)
        try:
            taken = take_any(db.select(demand.number), demand)
        except ENDS_ONE_COMMAND as error:
            return encode(self._runner.count(word(error)), session.resp3)
        if taken is not None:
            return encode(word_taken(demand, taken), session.resp3)
        wait = self._blocking.begin(db, Blocked(self._runner, session), demand)
        db.at_end.append(functools.partial(self._block, session, wait))
        return b""

    def _block(self, session: Session, wait: Wait) -> None:
        if session.number in self._state.sessions:
            session.blocked = wait
        else:
            self._blocking.abandon(wait)
