"""One connection's life: requests in order, one at a time, each phase with its deadline.

A deadline costs nothing while requests come quickly: the timer is set once, and when it fires it looks at when
the connection is really due.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from corepool_http.exchange import Exchange
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.framing import CHUNKED, CLOSE, CONTINUE, LAST_CHUNK, NONE, encode_head, encode_switch
from corepool_http.http1.resetting import Reset
from corepool_http.http1.switching import accept_of, check_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import FileDescriptorLike

    from corepool import Connection
    from corepool_http.http1.known import KnownHeads
    from corepool_http.message import Request
    from corepool_http.proxies import Client
    from corepool_http.responses import Head
    from corepool_http.service import Service
    from corepool_http.stream import Tunnel, TunnelUser

_MAX_BUFFERED = 65_536
"""Bytes of a body that wait for their application before the client is no longer read."""

_REQUESTS_PER_TURN = 16
"""Pipelined requests that are served before the others have their turn."""

_LINGER_S = 2.0
"""How long a client may be silent that was still sending when its response ended (nginx's lingering_timeout: 5 s)."""

_MAX_LINGER_S = 30.0
"""How long it may go on sending in all (nginx's lingering_time)."""

_PROGRESS = 65_536
"""Bytes of a body that have to arrive in each `body_timeout`."""


class Driver:
    """The state of one connection."""

    __slots__ = (
        "_armed",
        "_body_mark",
        "_due",
        "_framing",
        "_is_head_due",
        "_is_serving",
        "_lingers_until",
        "client",
        "conn",
        "current",
        "heads",
        "leaving",
        "now",
        "output",
        "parser",
        "service",
        "tunnel_user",
    )

    def __init__(self, service: Service, known: KnownHeads, conn: Connection[Driver], waited_s: float = 0.0) -> None:
        """Wait for the first request, for which `waited_s` seconds were waited already."""
        self.service = service
        self.heads = service.heads
        self.conn = self.output = conn
        self.parser = RequestParser(service.options, known, serves_websockets=service.serves_websockets)
        self.current: Exchange | None = None
        self.tunnel_user: TunnelUser | None = None
        self._framing = NONE
        """Of the response that is being sent."""
        self.leaving = not service.options.keep_alive
        self._is_serving = False
        self._is_head_due = False
        self._lingers_until = 0.0
        self.now = 0.0
        self.client: Client | None = None
        self._armed = math.inf
        self._due = math.inf
        self._body_mark = 0
        self._be_due(max(0.0, (service.options.keep_alive or service.options.header_timeout) - waited_s))

    @property
    def is_between_requests(self) -> bool:
        """True when nothing is under way: the next request may come."""
        parser = self.parser
        return (
            self.current is None
            and self.tunnel_user is None
            and not (parser.in_head or parser.ready or self.leaving)
            and parser.body is None
            and parser.refusal is None
        )

    # --- what arrives

    def receive(self) -> None:
        """Receive bytes from the client."""
        conn = self.conn
        data = conn.recv()
        if self.tunnel_user is not None:
            self.tunnel_user.receive(data)
            return
        if not data:
            if conn.eof:
                self._peer_ended()
            return
        parser, current = self.parser, self.current
        if current is None and parser.is_between and not parser.ready:
            request = parser.recall(data)
            if request is not None:
                self._serve(request)
                return
        parser.feed(data)
        if current is None:
            self._serve_ready()
        else:
            body = current.request.body
            if body is not None and body.on_change is not None:
                current.call(body.on_change)
        if parser.body is not None or parser.in_head or parser.ready or parser.refusal is not None:
            self._wait_for_more()

    def _serve_ready(self) -> None:
        ready = self.parser.ready
        self._is_serving = True
        for _ in range(_REQUESTS_PER_TURN):
            if not ready or self.current is not None or self.conn.closed or self.conn.congested:
                break
            self._serve(ready.popleft())
        self._is_serving = False
        if ready and self.current is None and not self.conn.congested:  # else room() goes on
            self.service.worker.at_batch_end(self._go_on)

    def _serve(self, request: Request) -> None:
        self.now = time.monotonic()
        self.current = exchange = Exchange(self, request, self._client_of(request), self.now)
        self.conn.busy = True
        self._body_mark = -1
        self._is_head_due = False
        self.service.serve(exchange)

    def _client_of(self, request: Request) -> Client:
        client = self.client
        if client is None:
            client = self.client = self.service.proxies.client_of(self.conn)
        return client.forwarding(request) if client.is_trusted else client

    def _wait_for_more(self) -> None:
        """Set the deadline for an incomplete request, and read no further than can be served."""
        parser, current = self.parser, self.current
        if current is None and parser.refusal is not None and not parser.ready:
            self._refuse()
            return
        body = parser.body
        waits_for_us = current is not None or self.conn.congested
        if (body is not None and body.size > _MAX_BUFFERED) or (parser.ready and waits_for_us):
            self._due = math.inf  # not the client is late: the application is, or responses have to be read first
            self.conn.pause()
        elif body is not None:
            if current is not None and current.request.expects_continue and not body.received:
                self._due = math.inf  # the client waits for the application, too
            elif body.received // _PROGRESS != self._body_mark or self._due == math.inf:
                self._body_mark = body.received // _PROGRESS
                self._be_due(self.service.options.body_timeout)
        elif parser.in_head and current is None and not self._is_head_due:
            self._is_head_due = True
            self.conn.busy = True  # a request that has begun to come is served, even if the worker leaves meanwhile
            self._be_due(self.service.options.header_timeout)

    # --- the exchange's stream

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        """Send a head, and what of the content may go with it."""
        exchange = self.current
        assert exchange is not None
        request = exchange.request
        body = request.body
        closes = exchange.closes = (
            exchange.closes or head.closes or (body is not None and not body.complete) or self.leaving
        )
        data, self._framing = encode_head(head, size, content, request, closes)
        if self._framing is CLOSE:
            exchange.closes = True
        self.conn.send(data)

    def send(self, data: bytes) -> None:
        """Send a piece of content."""
        self.conn.send(b"%x\r\n%b\r\n" % (len(data), data) if self._framing is CHUNKED else data)

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file."""
        if self._framing is CHUNKED:
            self.conn.send(b"%x\r\n" % count)
            self.conn.sendfile(file, offset, count)
            self.conn.send(b"\r\n")
        else:
            self.conn.sendfile(file, offset, count)

    def want_content(self, *, invites: bool) -> None:
        """Read on."""
        if invites:
            self.conn.send(CONTINUE)
        if not self.parser.ready:
            self.conn.resume()
            if self.parser.body is not None and self._due == math.inf:
                self._be_due(self.service.options.body_timeout)

    def _peer_ended(self) -> None:
        """Finish requests that have come: a client may end its side and still read."""
        self.parser.fail_body()
        current = self.current
        if current is None:
            if not self.parser.ready:
                self.conn.close()
            return
        current.closes = current.closes or not self.parser.ready
        body = current.request.body
        if body is not None and body.failed:
            if body.on_change is not None:
                current.call(body.on_change)
            else:
                current.refuse_content()
        elif current.on_gone is not None:
            current.call(current.on_gone)

    def _refuse(self) -> None:
        refusal = self.parser.refusal
        assert refusal is not None
        self.refuse(refusal.status, refusal.reason)

    def refuse(self, status: int, reason: str) -> None:
        """Answer what can't be read as a request, and close."""
        request = self.parser.seen()
        self.now = time.monotonic()
        if self._is_head_due:
            self.now = min(self.now, self._due - self.service.options.header_timeout)
        self.current = exchange = Exchange(self, request, self._client_of(request), self.now)
        exchange.closes = True
        exchange.fail(status, reason=reason)

    # --- what ends

    def break_off(self) -> None:
        """Close after a response that is not whole, which its length or its chunks say; or reset the connection."""
        framing, self._framing = self._framing, NONE
        if framing is not CLOSE:
            self.end()
            return
        exchange, self.current = self.current, None
        assert exchange is not None
        self.service.log_access(exchange)
        conn = self.conn
        conn.busy = True
        conn.pause()
        self.parser.drop()
        self.leaving = True
        self._due = math.inf  # a deadline would close without the reset
        Reset(conn, self.service.worker.loop)

    def end(self) -> None:
        """Go on after a response."""
        conn = self.conn
        if self._framing is CHUNKED:
            conn.send(LAST_CHUNK)
            self._framing = NONE
        exchange, self.current = self.current, None
        assert exchange is not None
        conn.busy = False
        self.service.log_access(exchange)
        if exchange.closes or (conn.eof and not self.parser.ready):
            self._end()
            return
        parser = self.parser
        if parser.ready:
            if not self._is_serving:
                self.service.worker.at_batch_end(self._go_on)
        elif parser.refusal is not None:
            self._refuse()
        elif not parser.in_head and self._armed < math.inf:
            self._due = time.monotonic() + self.service.options.keep_alive
        else:
            self._is_head_due = conn.busy = parser.in_head
            self._be_due(self.service.options.header_timeout if parser.in_head else self.service.options.keep_alive)

    def _end(self) -> None:
        """Close. While the client may be sending, only our side: what arrives at a closed one is answered by a reset,
        which would destroy what the client has not read of the response.
        """
        conn, parser = self.conn, self.parser
        if conn.closed or conn.eof or (parser.body is None and parser.refusal is None):
            conn.close()
            return
        parser.drop()
        self.leaving = True
        conn.busy = True  # a worker that leaves must not close it
        conn.send_eof()
        conn.resume()
        self._lingers_until = time.monotonic() + _MAX_LINGER_S
        self._be_due(_LINGER_S)

    def _go_on(self) -> None:
        """Serve pipelined requests. Not from within the end of the response before: that could go on for ever."""
        if self.current is None and not self.conn.closed:
            self.conn.resume()
            self._serve_ready()
            self._wait_for_more()

    def gone(self) -> None:
        """End the exchanges of this connection, which is gone."""
        self.parser.end()
        if self.tunnel_user is not None:
            self.tunnel_user.gone()
        current = self.current
        if current is None:
            return
        self.current = None
        current.lose()
        self.service.log_access(current)
        current.notify_gone()

    def room(self) -> None:
        """Go on with output that had to wait until the client has read."""
        if self.current is not None and self.current.on_room is not None:
            self.current.call(self.current.on_room)
        elif self.tunnel_user is not None:
            self.tunnel_user.room()
        elif self.parser.ready:
            self._go_on()

    def leave(self) -> None:
        """Let the response that is being made be the last."""
        self.leaving = True
        if self.tunnel_user is not None:
            self.tunnel_user.leave()

    # --- tunnels

    def open_tunnel(self, user: TunnelUser) -> tuple[Tunnel, bytes]:
        """Hand what arrives from here on to `user`."""
        exchange = self.current
        assert exchange is not None
        check_key(exchange.request.section)
        self.conn.pinned = True
        self.tunnel_user = user
        early = bytes(self.parser.after_upgrade)
        self.parser.after_upgrade.clear()
        return self.conn, early

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> int:
        """Switch protocols."""
        exchange = self.current
        assert exchange is not None
        head = self.heads.of_text("101 Switching Protocols", headers)
        self.conn.send(encode_switch(head, accept_of(exchange.request.section)))
        return 101

    def end_tunnel(self) -> None:
        """Let the client answer the close frame."""
        exchange = self.current
        assert exchange is not None
        self.service.log_access(exchange)
        self.conn.busy = False
        self.conn.deadline(self.service.options.header_timeout)

    # --- deadlines

    def _be_due(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds
        if self._due < self._armed:
            self._armed = self._due
            self.conn.deadline(seconds)

    def on_deadline(self) -> None:
        """Look at the present deadline, and end the connection if it has really passed."""
        self._armed = math.inf
        if self.tunnel_user is not None:
            self.tunnel_user.on_deadline()
            return
        left = self._due - time.monotonic()
        if left > 0.001:
            if left < math.inf:
                self._armed = self._due
                self.conn.deadline(left)
            return
        parser, current = self.parser, self.current
        if current is not None and parser.body is not None:
            body = parser.body
            parser.fail_body()
            current.closes = True
            current.fail(408)
            if body.on_change is not None:
                current.call(body.on_change)  # a thread may still wait for more of it
        elif current is None and parser.in_head:
            self.refuse(408, "the header section took too long")
        elif current is None and self.conn.idle_s < _LINGER_S and time.monotonic() < self._lingers_until:
            self._be_due(_LINGER_S)
        elif current is None:
            self.conn.close()
