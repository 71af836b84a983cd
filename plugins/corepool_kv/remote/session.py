"""One client's connection: its requests in their order, and the link that it may have for itself."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from corepool_kv.redis.session import Session

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_kv.engine.keyspace import Limits
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.remote.link import Link
    from corepool_kv.remote.node import Node
    from corepool_kv.remote.request import Request

MAX_REQUESTS = 1000
MAX_REQUEST_BYTES = 1 << 20
"""Requests of one client that wait for replies, and bytes of them, the last one aside."""

_MOVED = (
    b"-TRYAGAIN a key of this transaction has moved to another server of the cluster; begin the transaction again\r\n"
)


class SessionOwner(Protocol):
    """The server of a session, as the session calls it."""

    options: KvOptions
    limits: Limits

    def proceed(self, session: RemoteSession) -> None:
        """Continue with a session whose replies have come."""


class RemoteSession(Session):
    """Implements `request.Asker` and `cluster.Redirected`."""

    def __init__(self, owner: SessionOwner, conn: Connection[Any], number: int, *, authenticated: bool) -> None:
        # The class is compiled: `super()` without a frame of Python is one more look-up for each client.
        Session.__init__(self, owner, conn, number, authenticated=authenticated)  # type: ignore[arg-type]
        self._server = owner
        self.requests: deque[Request] = deque()
        """Those that are not answered, the oldest first."""
        self.requests_bytes = 0
        self.resumes_at = 0
        """With how many requests left it goes on, once it has stalled."""
        self.is_sent_again = False
        """A request of it was sent again: those behind must not overtake it."""
        self.own: Link | None = None
        self.own_node: Node | None = None
        self.multi_is_due = False
        """After MULTI, while no command has told which server the transaction is for."""
        self.in_multi = False
        self.is_watching = False
        self.is_blocked = False
        """A command of it waits, on its own link, for what another client does."""
        self.is_piped = False
        """Everything that its own link receives is for the client, without a request."""

    @property
    def is_full(self) -> bool:
        """Whether its next requests have to wait."""
        return len(self.requests) >= MAX_REQUESTS or self.requests_bytes >= MAX_REQUEST_BYTES

    @property
    def keeps_own(self) -> bool:
        """Whether the server has state of this client."""
        return self.in_multi or self.is_watching or self.is_piped

    def freeze(self) -> bytes | None:
        if self.requests or self.own is not None or self.multi_is_due or self.kept is not None:
            return None
        return Session.freeze(self)

    def settle(self) -> None:
        """Have the connection stay in this worker as long as it has to."""
        self.conn.busy = bool(self.requests) or self.own is not None or self.kept is not None

    # --- requests

    def add(self, request: Request) -> None:
        """Keep a request until it is answered, and all before it."""
        if not self.requests:
            self.conn.busy = True
        self.requests.append(request)
        self.requests_bytes += len(request.data)

    def arrived(self, request: Request) -> None:
        requests = self.requests
        if not requests or requests[0] is not request:
            return
        conn = self.conn
        while requests and (reply := requests[0].reply) is not None:
            self.requests_bytes -= len(requests.popleft().data)
            conn.send(reply)
        if not requests:
            self.is_sent_again = self.is_blocked = False
            if self.own is not None and not self.keeps_own:
                self.release_own()
            self.settle()
            if self.stalled or self.ending or conn.eof:
                self._server.proceed(self)
        elif self.stalled and len(requests) <= self.resumes_at:
            self._server.proceed(self)

    def on_reply_or_room(self) -> None:
        """Continue: a server has been found for the request that is kept."""
        self._server.proceed(self)

    def sends_again(self, request: Request, node: Node | None, *, asking: bool) -> bool:
        if not request.is_own:
            self.is_sent_again = True
            return True
        if node is None:
            return False
        if self.keeps_own or self.own is None:
            request.answer(_MOVED)
            return False
        link = node.take_own(resp3=self.resp3, database=0)
        if isinstance(link, str):
            request.answer(f"-ERR the store has failed: {link}\r\n".encode())
            return False
        self.drop_own()
        self.take_own(node, link)
        if asking:
            link.send_silently(b"ASKING")
        link.send(request)
        return False

    # --- a link of its own

    def take_own(self, node: Node, link: Link) -> None:
        """Use a link alone from now on."""
        self.own, self.own_node = link, node
        link.on_lost = self._on_lost

    def release_own(self) -> None:
        """Return its link: the server has no state of this client."""
        if self.own is not None and self.own_node is not None:
            self.own_node.give_back(self.own)
        self.own = self.own_node = None

    def drop_own(self) -> None:
        """Close its link, and so end whatever the server does for it."""
        link, node = self.own, self.own_node
        self.own = self.own_node = None
        self.multi_is_due = self.in_multi = self.is_watching = self.is_piped = False
        self.is_blocked = self.queue_is_broken = False
        if link is not None and node is not None:
            node.drop_own(link)

    def pipe(self) -> None:
        """Have all that its link receives sent to the client, from now on."""
        assert self.own is not None
        self.is_piped = True
        self.own.pipe = self._on_data

    def _on_data(self, data: bytes) -> None:
        self.conn.send(data)
        if self.conn.congested and self.own is not None:
            self.own.pause()

    def _on_lost(self) -> None:
        keeps = self.keeps_own
        self.drop_own()
        if keeps:
            # What the server knew of this client is gone; as when a Redis is restarted, the client connects again.
            self.conn.close()
        else:
            self.settle()
