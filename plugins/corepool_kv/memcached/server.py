"""The memcached server of one listener in one worker: its sessions, and the way of each request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.engine.turns import ServerBase
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
    from corepool_kv.engine.turns import SessionBase
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.requests import Request
    from corepool_kv.memcached.statistics import Room
    from corepool_kv.memcached.text import Served

log = logging.getLogger(__name__)

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

    def proceed(self, session: SessionBase) -> None:
        """Continue with the steps that wait: the client has read replies."""

    def end_event(self) -> None:
        """End the view that reads of one event have in common."""

    def close(self) -> None:
        """End."""


class Server(ServerBase):
    """Serves the sessions of one listener. Implements `session.Owner`."""

    def __init__(self, options: MemcachedOptions, items: Items, worker: Worker, name: str) -> None:
        """Serve items.

        :param name: the listener's.
        """
        ServerBase.__init__(self, worker, items.max_waiting)
        self.options = options
        self._name = name
        self.limits = items.limits
        self._items = items
        self._counts = Statistics(options, worker, name, items.room)
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

    # --- requests

    def next_reply(self, session: SessionBase) -> bytes | None:
        mine: Session = session  # type: ignore[assignment]  # typing.cast would cost each request a call
        if mine.steps is not None:
            step = next(mine.steps, None)
            if step is not None:
                return self._items.run(mine, step)
            mine.steps = None
        try:
            request = mine.reader.next()
        except LineTooLongError:
            return self._end(mine, b"CLIENT_ERROR line of more than %d bytes\r\n" % self.options.max_line)
        except BinaryError as error:
            self._log_refused("binary")
            return self._end(mine, binary_refusal(error.header))
        if request is None:
            return None
        self._served += 1
        try:
            served = self._serve(mine, request)
        except RefusedLineError as error:
            served = b"" if asks_for_none(request) else error.reply
        if isinstance(served, bytes):
            return self._items.run(mine, said(served)) if mine.waiting and served else served
        if isinstance(served, Step):
            return self._items.run(mine, served)
        mine.steps = served
        return b""

    def run_waiting(self, session: SessionBase) -> None:
        self._items.proceed(session)

    def end_turn(self, served: int) -> None:  # noqa: ARG002
        self._items.end_event()

    def _end(self, session: Session, reply: bytes) -> bytes:
        session.ending = True
        return self._items.run(session, said(reply)) if session.waiting else reply

    def _serve(self, session: Session, request: Request) -> Served:
        words = request.words
        if not words:
            return ERROR
        handler = _COMMANDS.get(words[0])
        if handler is not None:
            return handler(self._counts, request)
        if is_http(words):
            # Any web page can make a browser send commands in the content of a request: nothing of it is run.
            session.ending = session.is_attack = True
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
