"""The memcached server of one listener in one worker: its sessions, and the way of each request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.engine.execution import INTERNAL_ERROR
from corepool_kv.engine.keyspace import Limits
from corepool_kv.memcached import flushing
from corepool_kv.memcached.meta import META_COMMANDS
from corepool_kv.memcached.numbers import MAX_KEY_BYTES, RefusedLineError
from corepool_kv.memcached.refusals import binary_refusal, is_http
from corepool_kv.memcached.requests import BinaryError, LineTooLongError
from corepool_kv.memcached.session import Session
from corepool_kv.memcached.statistics import VERSION, Statistics
from corepool_kv.memcached.steps import ENDS_ONE_COMMAND, Step, Waiting, word
from corepool_kv.memcached.text import ERROR, TEXT_COMMANDS, asks_for_none
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.execution import Work
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.requests import Request
    from corepool_kv.memcached.text import Served

log = logging.getLogger(__name__)

_FLUSH_INTERVAL_S = 1.0

_REPLY_BYTES = 262_144
"""Replies are sent when there are this many bytes of them, which shows whether the client reads."""

_MAX_WAITING = 1000
"""Steps of one session that may wait for a transaction."""

_MAX_WAITING_BYTES = 1 << 20
"""Bytes of their values, the last one aside."""

_REFUSED_LOG_INTERVAL_S = 60.0

_COMMANDS = TEXT_COMMANDS | META_COMMANDS


class Server:
    """Serves the sessions of one listener. Implements `session.Owner`."""

    def __init__(self, options: MemcachedOptions, engine: Engine, worker: Worker, name: str) -> None:
        """Serve the store of an engine, which stays its owner's.

        :param name: the listener's.
        """
        self.options = options
        self._name = name
        self.limits = Limits(min(MAX_KEY_BYTES, engine.max_key_bytes), options.max_item, options.max_item)
        self._worker = worker
        self._execution = engine.execution
        self._database = options.database
        self._counts = Statistics(options, worker, name, engine.room)
        self._refused_log = RateLimitedLog(log, interval_s=_REFUSED_LOG_INTERVAL_S)
        self._flusher = Flusher(self, worker)

    def close(self) -> None:
        """Stop the timers. The engine is closed by its owner."""
        self._flusher.stop()
        self._counts.close()

    # --- connections

    def begin(self, conn: Connection[Session]) -> None:
        """Take a new client, or one of another worker."""
        conn.half_open = True  # after the client's last word there may be replies that wait for a commit
        self._counts.connections += 1
        self._counts.total_connections += 1
        conn.session = Session(self, conn)

    def end(self, session: Session) -> None:
        """Forget a client, with its waiting commands: those were never acknowledged."""
        self._counts.connections -= 1
        session.waiting.clear()
        session.steps = None
        session.ending = True

    def receive(self, session: Session) -> None:
        """Serve received input."""
        data = session.conn.recv()
        if session.ending:
            return  # input behind the last request is dropped, while replies wait for a commit
        if data:
            session.reader.feed(data)
        self.serve(session)

    def serve(self, session: Session) -> None:
        """Serve received requests, until there is no more or the client should read first."""
        conn = session.conn
        if session.stalled:
            session.stalled = False
            conn.resume()
        out: list[bytes] = []
        size = 0
        try:
            while not session.ending:
                if len(session.waiting) >= _MAX_WAITING or session.waiting_bytes >= _MAX_WAITING_BYTES:
                    self._stall(session)
                    break
                reply = self._next_reply(session)
                if reply is None:
                    break
                if not reply:
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
        except LineTooLongError:
            self._end(session, out, b"CLIENT_ERROR line of more than %d bytes\r\n" % self.options.max_line)
        except BinaryError as error:
            self._log_refused("binary")
            self._end(session, out, binary_refusal(error.header))
        if out:
            conn.send(out[0] if len(out) == 1 else b"".join(out))
        self._execution.end_event()
        if session.ending or conn.eof:
            self._end_if_over(session)

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

    def flush(self, flusher: Flusher) -> None:
        """Carry out a flush_all whose moment has come."""
        try:
            if flushing.is_due(self._view()):
                self._execution.submit(flusher, Waiting(Step(flushing.flush_if_due, writes=True), self._database))
        except StoreError as error:
            self._execution.log_failure(error)
        finally:
            self._execution.end_event()

    def _stall(self, session: Session) -> None:
        session.stalled = True
        session.conn.pause()

    def _end_if_over(self, session: Session) -> None:
        if (session.ending or session.conn.eof) and not session.waiting and not session.stalled:
            session.conn.close()

    def _end(self, session: Session, out: list[bytes], reply: bytes) -> None:
        session.ending = True
        if session.waiting:
            self._submit(session, Step(lambda _: reply, writes=False))
        else:
            out.append(reply)

    # --- requests

    def _next_reply(self, session: Session) -> bytes | None:
        """Serve the next step, or begin the next request; b"": its reply waits, or there is none; None: no request."""
        if session.steps is not None:
            step = next(session.steps, None)
            if step is not None:
                return self._run(session, step)
            session.steps = None
        request = session.reader.next()
        if request is None:
            return None
        self._worker.requests += 1
        try:
            served = self._serve(session, request)
        except RefusedLineError as error:
            served = b"" if asks_for_none(request) else error.reply
        if isinstance(served, bytes):
            if session.waiting and served:
                reply = served
                return self._submit(session, Step(lambda _: reply, writes=False))
            return served
        if isinstance(served, Step):
            return self._run(session, served)
        session.steps = served
        return b""

    def _serve(self, session: Session, request: Request) -> Served:
        words = request.words
        if not words:
            return ERROR
        handler = _COMMANDS.get(words[0])
        if handler is not None:
            return handler(self._counts, request)
        if is_http(words):
            # Any web page can make a browser send commands in the content of a request: nothing of it is run.
            session.ending = True
            self._log_refused("http")
            return b""
        match words[0]:
            case b"version":
                return b"VERSION %b\r\n" % VERSION
            case b"quit":
                session.ending = True
                return b""
            case b"stats":
                return self._statistics(words[1:])
            case b"shutdown":
                return b"ERROR: shutdown not enabled\r\n"
        return ERROR

    def _statistics(self, words: list[bytes]) -> Served:
        counts = self._counts
        match words:
            case []:
                return Step(counts.general, writes=False)
            case [b"settings"]:
                return Step(counts.settings, writes=False)
            case [b"items"]:
                return Step(counts.items, writes=False)
            case [b"slabs"]:
                return Step(counts.slabs, writes=False)
            case [b"reset"]:
                return counts.reset()
        return ERROR

    def _run(self, session: Session, step: Step) -> bytes:
        if step.writes or session.waiting:
            return self._submit(session, step)
        try:
            db = self._view()
            if step.needs_write is not None and step.needs_write(db):
                return self._submit(session, step)
            return step.work(db)
        except ENDS_ONE_COMMAND as error:
            return word(error)
        except StoreError as error:
            self._execution.log_failure(error)
            return b"SERVER_ERROR the store has failed: %b\r\n" % str(error).encode(errors="replace")
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            events.kv_command_failed.exception(log, error)
            return b"SERVER_ERROR %b\r\n" % INTERNAL_ERROR.encode()

    def _view(self) -> Keyspace:
        db = self._execution.reading or self._execution.read(self.limits)
        return db.select(self._database) if self._database else db

    def _submit(self, session: Session, step: Step) -> bytes:
        if not session.waiting:
            session.conn.busy = True
        session.waiting_bytes += step.size
        self._execution.submit(session, Waiting(step, self._database))
        return b""

    def _log_refused(self, protocol: str) -> None:
        events.memcached_protocol_refused(self._refused_log, listener=self._name, protocol=protocol)


class Flusher:
    """The client whose work is a delayed flush_all. Implements `execution.Client`."""

    def __init__(self, server: Server, worker: Worker) -> None:
        """Begin to look, once a second."""
        self.limits = server.limits
        self.waiting: list[Work] = []
        self._server = server
        self._loop = worker.loop
        self._timer = self._loop.call_later(_FLUSH_INTERVAL_S, self._look)

    def stop(self) -> None:
        """End: the store is closed."""
        self._timer.cancel()

    def answer(self, replies: bytes) -> None:
        """It is done."""

    def explain(self, error: StoreError, commands: int) -> bytes:  # noqa: ARG002
        """It will be tried again in a second."""
        return b""

    def _look(self) -> None:
        self._timer = self._loop.call_later(_FLUSH_INTERVAL_S, self._look)
        if not self.waiting:
            self._server.flush(self)
