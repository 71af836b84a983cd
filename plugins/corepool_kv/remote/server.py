"""The kv server of one listener in one worker whose store is on other servers: requests are forwarded.

Replies come back in the order of a client's requests, whichever servers they come from.
"""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any

from corepool_kv.engine.keyspace import Limits
from corepool_kv.redis.attacks import AttackLog
from corepool_kv.redis.lookup import is_http
from corepool_kv.redis.requests import ProtocolError
from corepool_kv.remote import gathering, here, own_links
from corepool_kv.remote.here import State
from corepool_kv.remote.kinds import KINDS, Way, kind_of
from corepool_kv.remote.request import Request, encode_request
from corepool_kv.remote.routes import find_way
from corepool_kv.remote.session import RemoteSession

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.remote.kinds import Kind
    from corepool_kv.stores.remote_url import RemoteUrl

_LOOK_INTERVAL_S = 1.0
_MAX_KEY_BYTES = 512 << 20  # Redis's own

_NO_AUTH = b"-NOAUTH Authentication required.\r\n"


class RemoteServer:
    """Serves the sessions of one listener. Implements `session.SessionOwner` and `link.Settings`."""

    def __init__(self, options: KvOptions, url: RemoteUrl, worker: Worker) -> None:
        """Begin to connect.

        :raises ValueError: certificates can't be used.
        """
        self.options = options
        self.url = url
        self.worker = worker
        self.tls = url.tls_context()
        self.max_reply = options.max_reply
        self.timeout_s = options.store_timeout
        self.limits = Limits(_MAX_KEY_BYTES, options.max_request, options.max_reply)
        self.state = State(options.expected, allows_select=url.database is None and not url.is_cluster)
        self.way = find_way(self)
        self._attacks = AttackLog()
        self._first_number = os.getpid() << 32
        self._numbers = itertools.count(1)
        self._looking = worker.loop.call_later(_LOOK_INTERVAL_S, self._look)

    def close(self) -> None:
        """Close every link."""
        self._looking.cancel()
        self.way.close()

    # --- connections

    def begin(self, conn: Connection[Any]) -> None:
        """Take a new client."""
        conn.half_open = True  # after the client's last word there may be replies to come
        number = self._first_number | next(self._numbers)
        session = RemoteSession(self, conn, number, authenticated=not self.state.password)
        conn.session = self.state.sessions[number] = session

    def adopt(self, conn: Connection[Any], state: bytes) -> None:
        """Take a client of another worker, which keeps its number.

        :raises ValueError: the state is none.
        """
        conn.half_open = True
        session = RemoteSession.thaw(self, conn, state)  # type: ignore[arg-type]
        assert isinstance(session, RemoteSession)
        session.needs_password = bool(self.state.password)
        conn.session = self.state.sessions[session.number] = session

    def stay(self, session: RemoteSession) -> None:
        """Do nothing: a session that waits for a reply is busy, and stays."""

    def end(self, session: RemoteSession, *, has_moved: bool) -> None:  # noqa: ARG002
        """Forget a client. Replies to its requests are dropped when they come."""
        self.state.sessions.pop(session.number, None)
        session.ending = True
        session.requests.clear()
        session.drop_own()

    def receive(self, session: RemoteSession) -> None:
        """Serve received input."""
        conn = session.conn
        session.active_s = time.monotonic()
        data = conn.recv()
        if session.ending:
            return
        if data:
            session.reader.feed(data)
        self.serve(session)

    def proceed(self, session: RemoteSession) -> None:
        """Continue when the client has read, or has got replies."""
        if session.conn.congested or session.conn.closed:
            return
        if session.own is not None:
            session.own.resume()
        if session.stalled:
            self.serve(session)
        else:
            self._end_if_over(session)

    # --- requests

    def serve(self, session: RemoteSession) -> None:
        """Serve received requests, until there is no more or the client has to wait."""
        conn, reader = session.conn, session.reader
        if session.stalled:
            session.stalled = False
            conn.resume()
        served = 0
        try:
            while not session.ending:
                words = session.kept
                if words is not None:
                    session.kept = None
                else:
                    words = reader.next()
                    if words is None:
                        break
                    served += 1
                self._serve(session, words)
                if session.kept is not None or session.is_full or conn.congested:
                    if session.kept is None:
                        session.resumes_at = len(session.requests) // 2
                    session.stalled = True
                    conn.pause()
                    break
        except ProtocolError as error:
            session.ending = True
            self.answer(session, f"-ERR Protocol error: {error}\r\n".encode(errors="replace"))
        self.worker.requests += served
        if session.ending or conn.eof:
            self._end_if_over(session)

    def _serve(self, session: RemoteSession, words: list[bytes]) -> None:
        kind = KINDS.get(words[0]) or kind_of(words)
        session.last_command = words[0]
        if not session.authenticated and kind.way is not Way.HERE:
            if is_http(words[0]):
                self._end_attack(session, words[0])
            else:
                self.answer(session, _NO_AUTH)
        elif session.is_sent_again and session.requests:
            self.keep(session, words)
        elif kind.way is Way.HERE:
            here.serve(self, session, words)
        elif kind.way is Way.REFUSED:
            self.answer(session, b"-ERR '%b' is not forwarded to the server of this store\r\n" % words[0].lower())
        elif session.own is not None or session.multi_is_due or kind.way in own_links.WAYS:
            own_links.serve(self, session, words, kind)
        elif is_http(words[0]):
            self._end_attack(session, words[0])
        else:
            self.forward(session, words, kind)

    def forward(self, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
        """Send a request on a link that all clients share."""
        if kind.key is None:
            key = words[1] if len(words) > 1 else None
        else:
            key = kind.key(words)
            if self.way.is_cluster and gathering.serve(self, session, words, kind):
                return
        node = self.way.node_of(key)
        if isinstance(node, str):
            if self.way.is_ready(lambda: self.proceed(session)):
                self.answer(session, f"-{node}\r\n".encode())
            else:
                self.keep(session, words)
            return
        link = node.shared(resp3=session.resp3, database=self.database_of(session))
        if isinstance(link, str):
            self.answer(session, f"-ERR the store has failed: {link}\r\n".encode())
        elif link.is_full:
            self.keep(session, words)
            link.when_there_is_room(lambda: self.proceed(session))
        else:
            request = Request(session, encode_request(words))
            session.add(request)
            link.send(request)

    def database_of(self, session: RemoteSession) -> int:
        """Return the number that the server has for a client's database."""
        return session.database if self.url.database is None else self.url.database

    def answer(self, session: RemoteSession, reply: bytes) -> None:
        """Send a reply behind those that come first."""
        if not session.requests:
            session.conn.send(reply)
            return
        request = Request(session, b"")
        session.add(request)
        request.answer(reply)

    def keep(self, session: RemoteSession, words: list[bytes]) -> None:
        """Keep a request, until those before it are answered, or until there is room for it."""
        session.kept = words
        session.resumes_at = 0
        session.conn.busy = True

    def _end_if_over(self, session: RemoteSession) -> None:
        if session.conn.eof and (session.is_blocked or session.is_piped):
            session.conn.close()  # a command that waits would take something for a client that has gone
        elif (session.ending or session.conn.eof) and not session.requests and not session.stalled:
            session.conn.close()

    def _end_attack(self, session: RemoteSession, word: bytes) -> None:
        """Close a connection that speaks HTTP, unanswered: any web page can make a browser send commands."""
        session.ending = session.is_attack = True
        session.requests.clear()
        self._attacks.log(session.conn.peer, word)

    def _look(self) -> None:
        self._looking = self.worker.loop.call_later(_LOOK_INTERVAL_S, self._look)
        self.way.look(time.monotonic())
