"""The turn of a client: its requests are served until there is no more, or until it should read or wait first.

The dialects differ in how a request becomes a reply, and in the rest of what they know of a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool_kv.engine.keyspace import Limits
    from corepool_kv.engine.work import Work
    from corepool_kv.stores import StoreError

_REPLY_BYTES = 262_144
"""Replies are sent when there are this many bytes of them, which shows whether the client reads."""

MAX_WAITING_BYTES = 1 << 20
"""Bytes of what waits of one client, the last one aside. So much is a transaction's worth of work; a pipeline loses
nothing by it."""


class SessionOwner(Protocol):
    """The server of a session, as the session calls it."""

    limits: Limits

    def proceed(self, session: SessionBase) -> None:
        """Continue with a session whose replies have been sent."""


class SessionBase:
    """One client. Implements `work.Client`."""

    def __init__(self, owner: SessionOwner, conn: Connection[Any]) -> None:
        self._owner = owner
        self.limits = owner.limits
        self.conn = conn
        self.waiting: list[Work] = []
        self.waiting_bytes = 0
        """Of all work that was put into `waiting` since it was empty."""
        self.holds = False
        """Some work that waits decides how later requests are served: they are not served before."""
        self.stalled = False
        """Received requests wait until the client has read, or the commit is done."""
        self.ending = False
        """Close when everything has been sent."""
        self.is_attack = False
        """Close without another reply: the client is a browser that was made to send commands."""

    def answer(self, replies: bytes) -> None:
        """Send replies that have waited for a commit, and continue with the requests behind them."""
        if replies and not self.is_attack:
            self.conn.send(replies)
        if not self.waiting:
            self.settle()
            self.waiting_bytes = 0
        if self.waiting or self.stalled or self.ending or self.conn.eof:
            self._owner.proceed(self)

    def settle(self) -> None:
        """Have the connection stay in this worker as long as it has to."""
        self.conn.busy = bool(self.waiting)

    def explain(self, error: StoreError, commands: int) -> bytes:
        """Return the replies to commands whose transaction has failed, in the words of the dialect."""
        raise NotImplementedError


class ServerBase:
    """Serves the clients of one listener in turns. Implements `SessionOwner`, but for `limits`."""

    def __init__(self, worker: Worker, max_waiting: int) -> None:
        """Serve clients of a worker.

        :param max_waiting: requests of one client that may wait.
        """
        self._worker = worker
        self._max_waiting = max_waiting
        self._served = 0
        """Requests of this turn, as `next_reply` counts them."""

    def serve(self, session: SessionBase) -> None:
        """Serve received requests, until there is no more or the client should read or wait first."""
        conn = session.conn
        self.resume(session)
        try:
            self._take_turn(session, conn)
        finally:  # an error of ours ends this connection, and must not leave the next one a view of the past
            served, self._served = self._served, 0
            self._worker.requests += served
            self.end_turn(served)
        if session.ending or conn.eof:
            self._end_if_over(session)

    def _take_turn(self, session: SessionBase, conn: Connection[Any]) -> None:
        out: list[bytes] = []
        size = 0
        while not session.ending:
            if session.waiting and (
                session.holds or len(session.waiting) >= self._max_waiting or session.waiting_bytes >= MAX_WAITING_BYTES
            ):
                self.stall(session)
                break
            reply = self.next_reply(session)
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
                    self.stall(session)
                    break
        if out and not session.is_attack:
            conn.send(out[0] if len(out) == 1 else b"".join(out))

    def proceed(self, session: SessionBase) -> None:
        """Continue when the client has read, or has got the replies it was waiting for."""
        if session.conn.congested:
            return
        if session.waiting:
            self.run_waiting(session)
        elif session.stalled:
            self.serve(session)
        else:
            self._end_if_over(session)

    def stall(self, session: SessionBase) -> None:
        """Read no more of a client until it goes on."""
        session.stalled = True
        session.conn.pause()

    def resume(self, session: SessionBase) -> None:
        """Read a client that has stalled again."""
        if session.stalled:
            session.stalled = False
            session.conn.resume()

    def _end_if_over(self, session: SessionBase) -> None:
        if (session.ending or session.conn.eof) and not session.waiting and not session.stalled:
            session.conn.close()

    # --- of a dialect

    def next_reply(self, session: SessionBase) -> bytes | None:
        """Serve the next request, and count it; b"": it has no reply, or one that waits; None: the turn is over."""
        raise NotImplementedError

    def run_waiting(self, session: SessionBase) -> None:
        """Run the waiting work: the client has read the replies in front of it."""
        raise NotImplementedError

    def end_turn(self, served: int) -> None:
        """Count requests, and end what they had in common."""
        raise NotImplementedError
