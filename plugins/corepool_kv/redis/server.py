"""The kv server of one listener in one worker: its sessions, and the input and output of each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool import SetupError
from corepool_kv.engine.clock import seconds
from corepool_kv.engine.turns import MAX_WAITING_BYTES, ServerBase
from corepool_kv.redis.blocks import Blocks
from corepool_kv.redis.keyspace_channels import KeyspaceChannels
from corepool_kv.redis.lookup import find_command
from corepool_kv.redis.oversight import Oversight
from corepool_kv.redis.pubsub import PubSub
from corepool_kv.redis.replies import Error
from corepool_kv.redis.request_runner import RequestRunner
from corepool_kv.redis.requests import ProtocolError
from corepool_kv.redis.running import Runner
from corepool_kv.redis.session import REPLY_OFF, Session
from corepool_kv.redis.slowlog import SlowLog
from corepool_kv.redis.state import ServerState
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Connection, Worker
    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.turns import SessionBase
    from corepool_kv.engine.work import Work
    from corepool_kv.redis.options import KvOptions

_STATISTICS_INTERVAL_S = 1.0

_MAX_WAITING = 1000
"""Commands of one session that may wait for a transaction."""


class Server(ServerBase):
    """Serves the sessions of one listener. Implements `session.Owner`."""

    def __init__(self, options: KvOptions, engine: Engine, worker: Worker, store: str) -> None:
        """Serve the store of an engine, which stays its owner's.

        :param store: its name: listeners of one have their channels in common.
        """
        ServerBase.__init__(self, worker, _MAX_WAITING)
        self.options = options
        self._pubsub = PubSub(worker, store)
        self._state = ServerState(options, engine, worker, self._pubsub, store)
        parameters = self._state.parameters
        self._state.slowlog = SlowLog(engine.execution, parameters, engine.max_key_bytes, find_command)
        self.limits = self._state.limits
        self._numbers = itertools.count(1)
        self._execution = engine.execution
        self._runner = Runner(self._state, engine.execution)
        self._blocks = Blocks(self._state, self._runner, engine.blocking)
        try:
            self._oversight = Oversight(self._state, worker, store, self.proceed)
        except OSError as error:
            raise SetupError(f"the bus, over which workers ask each other: {error.strerror}") from None
        self._state.oversight = self._oversight
        self._requests = RequestRunner(self._state, self._runner, self._blocks, self._oversight, self.proceed)
        self._read_parameters()
        self._keyspace_channels = KeyspaceChannels(self._state.parameters, engine.execution.notifications, self._pubsub)
        self._counting = worker.loop.call_later(_STATISTICS_INTERVAL_S, self._count_second)

    def close(self) -> None:
        """Stop the timer, and leave the bus. The engine is closed by its owner."""
        self._counting.cancel()
        self._keyspace_channels.close()
        self._oversight.close()
        self._pubsub.close()
        self._state.statistics.leave()

    # --- connections

    def begin(self, conn: Connection[Session]) -> None:
        """Take a new client."""
        conn.half_open = True  # after the client's last word there may be replies that wait for a commit
        state = self._state
        state.connections += 1
        number = state.pid << 32 | next(self._numbers)  # a pid is one worker's: no other has the same
        authenticated = not state.password
        conn.session = Session(self, conn, number, authenticated=authenticated)
        state.add(conn.session)

    def adopt(self, conn: Connection[Session], state: bytes) -> None:
        """Take a client of another worker, which keeps its number.

        :raises ValueError: the state is none.
        """
        conn.half_open = True
        session = Session.thaw(self, conn, state)
        session.needs_password = bool(self._state.password)
        conn.session = session
        self._state.add(session)
        self._blocks.adopt(session, state)

    def stay(self, session: Session) -> None:
        """Have a client that waits stay with this worker, which is leaving, until it is answered."""
        session.stays = True
        session.settle()

    def end(self, session: Session, *, has_moved: bool) -> None:
        """Forget a client, with its waiting commands: those were never acknowledged.

        Else one that connects again and again could have any number of them waiting, outside of all limits.
        """
        self._blocks.end(session, has_moved=has_moved)
        self._state.remove(session)
        session.waiting.clear()
        session.ending = True
        session.end_subscriptions()
        self._oversight.forget(session)

    def receive(self, session: Session) -> None:
        """Serve received input."""
        conn = session.conn
        session.active_s = seconds()
        data = conn.recv()
        if session.ending:
            return  # input behind the last request is dropped, while replies wait for a commit
        if data:
            session.reader.feed(data)
            if session.blocked is not None or session.is_postponed:
                self._hold(session, len(data))
                return
        self.serve(session)

    def serve(self, session: SessionBase) -> None:
        mine: Session = session  # type: ignore[assignment]  # typing.cast would cost each request a call
        mine.holds = False
        if mine.blocked is None and not mine.is_postponed:
            ServerBase.serve(self, mine)
        else:
            self.resume(mine)
            self._hold(mine, 0)

    def next_reply(self, session: SessionBase) -> bytes | None:
        mine: Session = session  # type: ignore[assignment]
        request = mine.kept
        if request is not None:
            mine.kept = None
            mine.settle()
        else:
            try:
                request = mine.reader.next()
            except ProtocolError as error:
                return self._refuse(mine, error)
            if request is None:
                return None
            self._served += 1
        reply = self._requests.serve(mine, request)
        if reply is not None:
            return reply
        if mine.is_postponed:
            self._hold(mine, 0)
            return None
        if mine.kept is not None:
            self.stall(mine)
            return None
        return b""

    def run_waiting(self, session: SessionBase) -> None:
        self._execution.schedule(session)

    def end_turn(self, served: int) -> None:
        self._state.commands_run += served
        if self._execution.reading is not None:
            self._execution.end_event()

    def _hold(self, session: Session, received: int) -> None:
        """Keep what a client sends while it is blocked or postponed, and end with it."""
        session.settle()
        session.waiting_bytes += received
        if session.conn.eof:
            self._end_if_over(session)
        elif session.waiting_bytes > MAX_WAITING_BYTES:
            self.stall(session)

    def explain(self, error: StoreError, works: Sequence[Work]) -> bytes:
        """Return the replies to work whose transaction has failed."""
        return self._runner.explain(error, works)

    def go_on(self, session: Session) -> None:
        """Serve a client that was blocked or postponed."""
        session.waiting_bytes = 0
        session.settle()
        self.serve(session)

    def _refuse(self, session: Session, error: ProtocolError) -> bytes:
        session.ending = True
        reply = self._runner.reply(session, Error(f"ERR Protocol error: {error}"))
        return b"" if reply is None or session.reply_mode == REPLY_OFF else reply

    def _read_parameters(self) -> None:
        try:
            self._state.parameters.refresh(self._execution.read(self.limits))
        except StoreError as error:
            self._execution.log_failure(error)
        finally:
            self._execution.end_event()

    def _count_second(self) -> None:
        self._state.end_second()
        self._oversight.look()
        self._read_parameters()
        self._counting = self._worker.loop.call_later(_STATISTICS_INTERVAL_S, self._count_second)
