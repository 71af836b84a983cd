"""One request of HTTP/2: the stream of its exchange, whose content arrives, and which may become a tunnel."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from corepool_http import events
from corepool_http.clock import monotonic
from corepool_http.http2.errors import Code
from corepool_http.http2.response_stream import ResponseStream
from corepool_http.http2.tunnel import StreamTunnel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool_http.http2.carrier import Carrier
    from corepool_http.stream import Tunnel, TunnelUser

log = logging.getLogger(__name__)

_PROGRESS = 65_536
"""Bytes of a body that have to arrive in each `body_timeout`."""


class RequestStream(ResponseStream):
    """A stream, as its exchange and the driver see it."""

    __slots__ = ("_body_mark", "_tunnel")

    def __init__(self, carrier: Carrier, number: int) -> None:
        ResponseStream.__init__(self, carrier, number)
        self._tunnel: StreamTunnel | None = None
        self._body_mark = 0

    @property
    def output(self) -> RequestStream:
        return self

    def want_content(self, *, invites: bool) -> None:
        """Open the window: the application has taken all content that was there."""
        if self._is_over:
            return
        if invites:
            self._send_interim(100, b"")
        body = self.body
        if body is None:
            return
        if self.unread and not body.pieces:
            self._carrier.codec.consumed(self, self.unread)
            self._carrier.output.touch()
        if not body.complete:
            self.expect_content()

    # --- tunnels

    def open_tunnel(self, user: TunnelUser) -> tuple[Tunnel, bytes]:
        """Hand what arrives from here on to `user`."""
        tunnel = self._tunnel = StreamTunnel(self._carrier, self, user)
        return tunnel, tunnel.take()

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> int:
        """Answer the extended CONNECT."""
        self._send_interim(200, self.heads.of_text("200 OK", headers).lines)
        return 200

    def end_tunnel(self) -> None:
        """Let the client answer the close frame."""
        if self._tunnel is not None:
            self._tunnel.deadline(self._carrier.service.options.header_timeout)

    # --- what the driver calls

    def on_room(self) -> None:
        """Go on with output that had to wait until the client has read."""
        if self._tunnel is not None:
            self._tunnel.on_room()
        elif self.exchange is not None and self.exchange.on_room is not None:
            self.exchange.call(self.exchange.on_room)

    def on_content(self) -> None:
        """Hand content on."""
        body, exchange = self.body, self.exchange
        if self._tunnel is not None:
            self._tunnel.receive()
            return
        if body is None or exchange is None:
            return
        if body.complete or body.failed:
            self.body_due = math.inf
        elif body.received // _PROGRESS != self._body_mark or self.body_due == math.inf:
            self.expect_content()
        if body.on_change is not None:
            exchange.call(body.on_change)
        elif body.failed and not exchange.ended:
            exchange.refuse_content()

    def expect_content(self) -> None:
        """Wait for more content."""
        assert self.body is not None
        self._body_mark = self.body.received // _PROGRESS
        self.body_due = self._carrier.deadlines.after(self._carrier.service.options.body_timeout)

    def end_of_input(self) -> None:
        """Act on the end of the client's side of the whole connection. It may still read."""
        body, exchange = self.body, self.exchange
        if self._tunnel is not None:
            self._tunnel.end_of_input()
        elif body is not None and not body.complete:
            body.failed = True
            self.on_content()
        elif exchange is not None and exchange.on_gone is not None:
            exchange.call(exchange.on_gone)

    def leave(self) -> None:
        """End soon: the worker leaves."""
        if self._tunnel is not None:
            self._tunnel.leave()

    def let_go(self) -> None:
        """End: nothing more is sent, because all was, or because the client has given the request up or is gone."""
        if self._is_over:
            return
        self._is_over = True
        self._head = None
        self.body_due = self.blocked_at = math.inf
        if self._pending is not None:
            self._pending.clear()
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.gone()
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if self.body is not None and not self.body.complete:
            self.body.failed = True
        exchange.lose()
        self._carrier.service.ended(exchange, monotonic())
        exchange.notify_gone()
        # What the application has left there holds the exchange, and with it the token of an unfinished request.
        exchange.on_gone = exchange.on_room = None

    def check(self, now: float) -> float:
        """Act on deadlines that have passed, and return the next one."""
        due = math.inf if self._tunnel is None else self._tunnel.check(now)
        if self.body_due <= now:
            self.body_due = math.inf
            self._content_is_late()
        write_timeout = self._carrier.conn.write_timeout
        if self.blocked_at < math.inf and write_timeout:
            # What others of the connection take meanwhile is no fault of this one's.
            is_shut = self.send_window <= 0
            since = self.blocked_at if is_shut else max(self.blocked_at, self._carrier.output.moved_at)
            if since + write_timeout <= now:
                events.http2_stream_timed_out(log, conn=self._carrier.conn.id, stream=self.number)
                self.reset(Code.CANCEL)
                return math.inf
            due = min(due, since + write_timeout)
        return min(due, self.body_due)

    def _content_is_late(self) -> None:
        body, exchange = self.body, self.exchange
        if body is None or body.complete or exchange is None or self.receive_window <= 0:
            return  # the application is late: the client may not send
        body.failed = True
        exchange.fail(408)
        if body.on_change is not None:
            exchange.call(body.on_change)  # a thread may still wait for more of it
