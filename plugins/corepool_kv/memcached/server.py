"""The memcached server of one listener in one worker: its sessions, and the way of each request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.memcached.meta import META_COMMANDS
from corepool_kv.memcached.numbers import RefusedLineError
from corepool_kv.memcached.refusals import binary_refusal, is_http
from corepool_kv.memcached.requests import BinaryError, LineTooLongError
from corepool_kv.memcached.session import Session
from corepool_kv.memcached.statistics import VERSION, Statistics
from corepool_kv.memcached.steps import Step, said
from corepool_kv.memcached.text import ERROR, TEXT_COMMANDS, asks_for_none

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool_kv.engine.keyspace import Limits
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.requests import Request
    from corepool_kv.memcached.statistics import Room
    from corepool_kv.memcached.text import Served

log = logging.getLogger(__name__)

_REPLY_BYTES = 262_144
"""Replies are sent when there are this many bytes of them, which shows whether the client reads."""

_MAX_WAITING_BYTES = 1 << 20
"""Bytes of the values of one session's steps that wait, the last one aside."""

_REFUSED_LOG_INTERVAL_S = 60.0

_COMMANDS = TEXT_COMMANDS | META_COMMANDS

_CONSTANT = {b"version": b"VERSION %b\r\n" % VERSION, b"shutdown": b"ERROR: shutdown not enabled\r\n"}


class Items(Protocol):
    """The way to the items."""

    limits: Limits

    max_waiting: int
    """Steps of one session that may wait."""

    @property
    def room(self) -> Room:
        """The bound of all items, and how many were removed for it."""

    def run(self, session: Session, step: Step) -> bytes:
        """Run a step behind those of the session that wait; return its reply, or b"" if it has none, or waits."""

    def proceed(self, session: Session) -> None:
        """Continue with the steps that wait: the client has read replies."""

    def end_event(self) -> None:
        """End the view that reads of one event have in common."""

    def close(self) -> None:
        """End."""


class Server:
    """Serves the sessions of one listener. Implements `session.Owner`."""

    def __init__(self, options: MemcachedOptions, items: Items, worker: Worker, name: str) -> None:
        """Serve items.

        :param name: the listener's.
        """
        self.options = options
        self._name = name
        self.limits = items.limits
        self._worker = worker
        self._items = items
        self._counts = Statistics(options, worker, name, items.room)
        self._served = 0
        """Requests of this turn."""
        self._refused_log = RateLimitedLog(log, interval_s=_REFUSED_LOG_INTERVAL_S)

    def close(self) -> None:
        """Stop the timers. What the items are in is closed by its owner."""
        self._items.close()
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
                if len(session.waiting) >= self._items.max_waiting or session.waiting_bytes >= _MAX_WAITING_BYTES:
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
        self._worker.requests += self._served
        self._served = 0
        self._items.end_event()
        if session.ending or conn.eof:
            self._end_if_over(session)

    def proceed(self, session: Session) -> None:
        """Continue when the client has read, or has got the replies it was waiting for."""
        if session.conn.congested:
            return
        if session.waiting:
            self._items.proceed(session)
        elif session.stalled:
            self.serve(session)
        else:
            self._end_if_over(session)

    def _stall(self, session: Session) -> None:
        session.stalled = True
        session.conn.pause()

    def _end_if_over(self, session: Session) -> None:
        if (session.ending or session.conn.eof) and not session.waiting and not session.stalled:
            session.conn.close()

    def _end(self, session: Session, out: list[bytes], reply: bytes) -> None:
        session.ending = True
        if session.waiting:
            self._items.run(session, said(reply))
        else:
            out.append(reply)

    # --- requests

    def _next_reply(self, session: Session) -> bytes | None:
        """Serve the next step, or begin the next request; b"": its reply waits, or there is none; None: no request."""
        if session.steps is not None:
            step = next(session.steps, None)
            if step is not None:
                return self._items.run(session, step)
            session.steps = None
        request = session.reader.next()
        if request is None:
            return None
        self._served += 1
        try:
            served = self._serve(session, request)
        except RefusedLineError as error:
            served = b"" if asks_for_none(request) else error.reply
        if isinstance(served, bytes):
            return self._items.run(session, said(served)) if session.waiting and served else served
        if isinstance(served, Step):
            return self._items.run(session, served)
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
        if words[0] == b"quit":
            session.ending = True
            return b""
        if words[0] == b"stats":
            return self._counts.served(words[1:])
        return _CONSTANT.get(words[0], ERROR)

    def _log_refused(self, protocol: str) -> None:
        events.memcached_protocol_refused(self._refused_log, listener=self._name, protocol=protocol)
