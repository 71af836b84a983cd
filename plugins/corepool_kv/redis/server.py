"""The kv server of one listener in one worker: its sessions, and the input and output of each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool import SetupError
from corepool_kv.engine.clock import seconds
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
    from corepool_kv.engine.work import Work
    from corepool_kv.redis.options import KvOptions

_STATISTICS_INTERVAL_S = 1.0

_REPLY_BYTES = 262_144
"""Replies are sent when there are this many bytes of them, which shows whether the client reads."""

_MAX_WAITING = 1000
"""Commands of one session that may wait for a transaction."""

_MAX_WAITING_BYTES = 1 << 20
"""Bytes of them, the last one aside. So much is a transaction's worth of work; a pipeline loses nothing by it."""


class Server:
    """Serves the sessions of one listener. Implements `session.Owner`."""

    def __init__(self, options: KvOptions, engine: Engine, worker: Worker, store: str) -> None:
        """Serve the store of an engine, which stays its owner's.

        :param store: its name: listeners of one have their channels in common.
        """
        self.options = options
        self._pubsub = PubSub(worker, store)
        self._state = ServerState(options, engine, worker, self._pubsub, store)
        parameters = self._state.parameters
        self._state.slowlog = SlowLog(engine.execution, parameters, engine.max_key_bytes, find_command)
        self.limits = self._state.limits
        self._numbers = itertools.count(1)
        self._worker = worker
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

    def serve(self, session: Session) -> None:
        """Serve received requests, until there is no more or the client should read first."""
        conn, reader = session.conn, session.reader
        session.holds = False
        if session.stalled:
            session.stalled = False
            conn.resume()
        if session.blocked is not None or session.is_postponed:
            self._hold(session, 0)
            return
        out: list[bytes] = []
        size = served = 0
        try:
            while not session.ending:
                request = session.kept
                if request is not None:
                    session.kept = None
                    session.settle()
                else:
                    request = reader.next()
                    if request is None:
                        break
                    served += 1
                reply = self._requests.serve(session, request)
                if reply is None:
                    if self._has_to_wait(session):
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
        self._state.commands_run += served
        self._worker.requests += served
        if out and not session.is_attack:
            conn.send(out[0] if len(out) == 1 else b"".join(out))
        if self._execution.reading is not None:
            self._execution.end_event()
        if session.ending or conn.eof:
            self._end_if_over(session)

    def _has_to_wait(self, session: Session) -> bool:
        """Report whether later requests wait for the one that has no reply yet."""
        if session.is_postponed:
            self._hold(session, 0)
            return True
        if (
            session.kept is not None
            or len(session.waiting) >= _MAX_WAITING
            or session.waiting_bytes >= _MAX_WAITING_BYTES
            or session.holds
        ):
            self._stall(session)
            return True
        return False

    def _hold(self, session: Session, received: int) -> None:
        """Keep what a client sends while it is blocked or postponed, and end with it."""
        session.settle()
        session.waiting_bytes += received
        if session.conn.eof:
            self._end_if_over(session)
        elif session.waiting_bytes > _MAX_WAITING_BYTES:
            self._stall(session)

    def _stall(self, session: Session) -> None:
        session.stalled = True
        session.conn.pause()

    def explain(self, error: StoreError, works: Sequence[Work]) -> bytes:
        """Return the replies to work whose transaction has failed."""
        return self._runner.explain(error, works)

    def proceed(self, session: Session) -> None:
        """Continue when the client has read, or has got the replies it was waiting for."""
        if session.conn.congested:
            return
        if session.waiting:
            self._execution.schedule(session)
        elif session.stalled:
            self.serve(session)
        else:
            self._end_if_over(session)

    def go_on(self, session: Session) -> None:
        """Serve a client that was blocked or postponed."""
        session.waiting_bytes = 0
        session.settle()
        self.serve(session)

    def _end_if_over(self, session: Session) -> None:
        if (session.ending or session.conn.eof) and not session.waiting and not session.stalled:
            session.conn.close()

    def _refuse(self, session: Session, error: ProtocolError) -> None:
        session.ending = True
        reply = self._runner.reply(session, Error(f"ERR Protocol error: {error}"))
        if reply is not None and session.reply_mode != REPLY_OFF:
            session.conn.send(reply)

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
