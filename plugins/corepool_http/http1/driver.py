"""One connection of HTTP/1: requests in order, one at a time, and the stream on which each is answered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from corepool_http.clock import monotonic
from corepool_http.http1.codec import RequestParser
from corepool_http.http1.deadlines import Deadlines
from corepool_http.http1.ending import MAX_BUFFERED, end_connection, goes_on_behind
from corepool_http.http1.framing import CHUNKED, CLOSE, CONTINUE, LAST_CHUNK, NONE, encode_head, encode_switch
from corepool_http.http1.resetting import Reset
from corepool_http.http1.switching import accept_of, check_key
from corepool_http.http1.trailing import encode_hints, encode_trailers
from corepool_http.message import HTTP_1_1, RefusedError
from corepool_http.stream_base import StreamBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import FileDescriptorLike

    from corepool import Connection
    from corepool_http.client import Client
    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.http1.ending import Session
    from corepool_http.http1.heads import HeadReader
    from corepool_http.message import Fields, Request
    from corepool_http.service import Service
    from corepool_http.stream import Tunnel, TunnelUser

_REQUESTS_PER_TURN = 16
"""Pipelined requests that are served before other connections have their turn."""


class Driver(StreamBase):
    """The state of one connection."""

    __slots__ = (
        "_deadlines",
        "_framing",
        "_is_serving",
        "client",
        "conn",
        "current",
        "heads",
        "leaving",
        "output",
        "parser",
        "service",
        "tunnel_user",
    )

    def __init__(self, service: Service, heads: HeadReader, conn: Connection[Session], waited_s: float = 0.0) -> None:
        """Wait for the first request, for which `waited_s` seconds were waited already."""
        self.service = service
        self.heads = service.heads
        self.conn = self.output = conn
        self.parser = RequestParser(service.options, heads, serves_websockets=service.serves_websockets)
        self.current: Exchange | None = None
        self.tunnel_user: TunnelUser | None = None
        self._framing = NONE
        """Of the response that is being sent."""
        self.leaving = not service.options.keep_alive
        self._is_serving = False
        self.client: Client | None = None
        self._deadlines = Deadlines(conn, service.options, waited_s)

    @property
    def is_between_requests(self) -> bool:
        """True when nothing is under way: the next request may come."""
        parser = self.parser
        is_idle = self.current is None and self.tunnel_user is None and not self.leaving
        return is_idle and not (parser.in_head or parser.ready or parser.body or parser.refusal)

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
        if data[0] == 0x50 and self._is_taken_over(data):
            return
        self.take(data)

    def _is_taken_over(self, data: bytes) -> bool:
        """Report whether another protocol goes on with the connection, after bytes that begin with a P."""
        take_over = self.service.take_over
        return take_over is not None and self.is_between_requests and take_over(self.conn, data)

    def take(self, data: bytes) -> None:
        """Take bytes that were received."""
        parser, current = self.parser, self.current
        if current is None:
            if (request := parser.take(data)) is not None:  # as nearly always
                self._serve(request)
            else:
                self._serve_ready()
        else:
            parser.feed(data)
            body = current.request.body
            if body is not None and body.on_change is not None:
                current.call(body.on_change)
        if parser.ready or not parser.is_between:
            self._wait_for_more()

    def _serve_ready(self) -> None:
        ready = self.parser.ready
        self._is_serving = True
        for _ in range(_REQUESTS_PER_TURN):
            if not ready or self.current is not None or self.conn.closed or self.conn.congested:
                break
            self._serve(ready.pop(0))
        self._is_serving = False
        if ready and self.current is None and not self.conn.congested:  # else room() goes on
            self.service.worker.at_batch_end(self._go_on)

    def _serve(self, request: Request) -> None:
        self.current = exchange = self.service.exchange(self, request, self._client_of(request), monotonic())
        self.conn.busy = True
        self._deadlines.is_head_due = False
        self.service.serve(exchange)

    def _client_of(self, request: Request) -> Client:
        client = self.client = self.service.proxies.client_of(self.conn) if self.client is None else self.client
        return self.service.proxies.forwarded(client, request) if client.is_trusted else client

    def _wait_for_more(self) -> None:
        """Set the deadline of an incomplete request, and receive no more than can be served."""
        parser, current = self.parser, self.current
        if current is None and parser.refusal is not None and not parser.ready:
            self.refuse(parser.refusal)
            return
        body = parser.body
        if body is not None and current is None and not parser.ready:
            body.take()  # its request was answered without it
        waits_for_us = current is not None or self.conn.congested
        if (body is not None and body.size > MAX_BUFFERED) or (parser.ready and waits_for_us):
            self._deadlines.suspend()  # the application is late, or responses have to be read first
            self.conn.pause()
        elif body is not None:
            if current is not None and current.request.expects_continue and not body.received:
                self._deadlines.suspend()  # the client waits for the application, too
            else:
                self._deadlines.expect_content(body)
        elif parser.in_head and current is None and not self._deadlines.is_head_due:
            self.conn.busy = True  # a request that has begun to come is served by this worker, even if it leaves
            self._deadlines.expect_head()

    # --- the exchange's stream

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        """Send a head, with content behind it."""
        exchange = self.current
        assert exchange is not None
        request = exchange.request
        closes = head.closes or self.leaving or not (request.body is None or goes_on_behind(request, self.parser))
        exchange.closes = exchange.closes or closes
        data, self._framing = encode_head(head, size, content, request, exchange.closes)
        exchange.closes = exchange.closes or self._framing is CLOSE
        self.conn.send(data)

    def hint(self, lines: bytes) -> None:
        """Send 103 (Early Hints). Clients of HTTP/1.0 would take it for the response (RFC 9110, 15.2)."""
        if self.current is not None and self.current.request.version == HTTP_1_1:
            self.conn.send(encode_hints(lines))

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
            if self.parser.body is not None:
                self._deadlines.expect_content(self.parser.body)

    def _peer_ended(self) -> None:
        """Finish requests that have come: a client may end its side and still read."""
        self.parser.fail_body()
        current = self.current
        if current is None:
            if not self.parser.ready:
                self.conn.close()
            return
        current.closes = current.closes or not self.parser.ready
        body, call = current.request.body, current.on_gone
        if body is not None and body.failed:
            call = body.on_change or current.refuse_content
        if call is not None:
            current.call(call)

    def refuse(self, refusal: RefusedError) -> None:
        """Answer bytes that are no request that is served, and close."""
        request = self.parser.seen()
        began_s = self._deadlines.began_s(monotonic())
        self.current = exchange = self.service.exchange(self, request, self._client_of(request), began_s)
        self.service.refuse(exchange, refusal)

    # --- what ends

    def break_off(self) -> None:
        """Close after a response that is not whole, which its length or its chunks say; or reset the connection."""
        framing, self._framing = self._framing, NONE
        if framing is not CLOSE:
            self.end()
            return
        exchange, self.current = self.current, None
        assert exchange is not None
        self.service.ended(exchange, monotonic())
        self.parser.drop()
        self.leaving = True
        self._deadlines.suspend()  # a deadline would close without the reset
        Reset(self.conn, self.service.worker.loop)

    def end_with(self, trailers: Fields) -> None:
        """Go on after a response with trailers; only chunked content has a place for them."""
        if self._framing is CHUNKED:
            self.conn.send(encode_trailers(trailers))
            self._framing = NONE
        self.end()

    def end(self) -> None:
        """Go on after a response."""
        conn = self.conn
        if self._framing is CHUNKED:
            conn.send(LAST_CHUNK)
            self._framing = NONE
        exchange, self.current = self.current, None
        assert exchange is not None
        conn.busy = False
        now_s = monotonic()
        self.service.ended(exchange, now_s)
        if exchange.closes or (conn.eof and not self.parser.ready):
            end_connection(conn, self.parser)
            return
        parser = self.parser
        if parser.ready:
            if not self._is_serving:
                self.service.worker.at_batch_end(self._go_on)
        elif parser.refusal is not None:
            self.refuse(parser.refusal)
        elif parser.in_head:
            conn.busy = True
            self._deadlines.expect_head()
        elif parser.body is not None:
            conn.resume()
            self._wait_for_more()
        else:
            self._deadlines.due = due = now_s + self._deadlines.keep_alive_s
            if due < self._deadlines.armed:
                self._deadlines.arm()

    def _go_on(self) -> None:
        """Serve pipelined requests. Not from within the end of the response before: that could go on for ever."""
        if self.current is None and not self.conn.closed:
            self.conn.resume()
            self._serve_ready()
            self._wait_for_more()

    def gone(self) -> None:
        """Notify the application: the connection is gone."""
        self.parser.end()
        if self.tunnel_user is not None:
            self.tunnel_user.gone()
        current, self.current = self.current, None
        if current is not None:
            current.lose()
            self.service.ended(current, monotonic())
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
        assert self.current is not None
        check_key(self.current.request.section)
        self.conn.pinned = True
        self.tunnel_user = user
        return self.conn, self.parser.take_upgraded()

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> int:
        """Switch protocols."""
        assert self.current is not None
        head = self.heads.of_text("101 Switching Protocols", headers)
        self.conn.send(encode_switch(head, accept_of(self.current.request.section)))
        return 101

    def end_tunnel(self) -> None:
        """Let the client answer the close frame."""
        assert self.current is not None
        self.conn.busy = False
        self.conn.deadline(self.service.options.header_timeout)

    def on_deadline(self) -> None:
        """End the connection if its client is late."""
        self._deadlines.armed = math.inf
        if self.tunnel_user is not None:
            self.tunnel_user.on_deadline()
            return
        if not self._deadlines.has_passed():
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
            self.refuse(RefusedError(408, "the header section took too long"))
        elif current is None:
            self.conn.close()
