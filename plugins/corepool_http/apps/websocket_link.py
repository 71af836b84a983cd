"""The client's side of a WebSocket (RFC 6455): the websockets package speaks the protocol, we move its bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from corepool_http import events
from corepool_http.apps.handshake import begin_frames, negotiate
from corepool_http.apps.websocket_inbox import Inbox

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool_http.apps.asgi_messages import Message
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions
    from corepool_http.stream import Tunnel

log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.protocol")
_quiet.setLevel(logging.WARNING)  # it has two lines at INFO for each connection

_MAX_EARLY = 65_536
"""Bytes that may arrive before the application accepts (RFC 6455, 4.1: none should); then the client is not read."""

_PIECE = 4096
"""Bytes that are parsed before the limits are looked at: deflate makes up to a thousand times as many of them."""

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

GOING_AWAY, _ABNORMAL = 1001, 1006


class Link:
    """One WebSocket's frames, both ways, and its end."""

    __slots__ = (
        "_exchange",
        "_headers",
        "_is_leaving",
        "_is_paused",
        "_is_pinged",
        "_loop",
        "_options",
        "_protocol",
        "_timer",
        "_tunnel",
        "_unread",
        "_wake",
        "inbox",
        "is_accepted",
        "is_over",
    )

    _tunnel: Tunnel

    def __init__(
        self, exchange: Exchange, options: HttpOptions, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]
    ) -> None:
        """Begin before the handshake.

        :param wake: called when the application may go on: there is a message, room for output, or an end.
        """
        self._exchange = exchange
        self._options = options
        self._loop = loop
        self._wake = wake
        extensions = [ServerPerMessageDeflateFactory()] if options.deflate else None
        self._protocol = ServerProtocol(extensions=extensions, max_size=options.max_message, logger=_quiet)
        self._headers: list[tuple[str, str]] = []
        """Of the answer that accepts the handshake."""
        self._unread = b""
        """Bytes that have arrived and are not parsed. Too many for the state: then the client is not read."""
        self._is_paused = False
        self._is_leaving = False
        self._is_pinged = False
        self._timer: asyncio.TimerHandle | None = None
        self.inbox = Inbox(options.max_message)
        self.is_accepted = False
        self.is_over = False

    # --- the application's side

    @property
    def congested(self) -> bool:
        """True while the client doesn't read enough for more."""
        return self._tunnel.congested

    @property
    def closed(self) -> bool:
        """True when nothing can be sent any more."""
        return self._tunnel.closed

    def negotiate(self) -> None:
        """Judge the handshake, and take the bytes that follow it.

        :raises HandshakeError: it is invalid.
        :raises RefusedError: the request does not allow it.
        """
        self._headers = negotiate(self._protocol, self._exchange.request.section)
        self._tunnel, self._unread = self._exchange.open_tunnel(self)

    def accept(self, headers: list[tuple[str, str]]) -> None:
        """Accept the handshake.

        :raises ResponseError: these are no headers.
        """
        self._exchange.accept_tunnel([*self._headers, *headers])
        self.is_accepted = True
        begin_frames(self._protocol)
        self._schedule_ping()
        if self._is_paused:
            self._is_paused = False
            self._tunnel.deadline(None)
            self._tunnel.resume()
        self._read_on()
        if self._is_leaving:
            self.leave()

    def send(self, data: str | bytes) -> None:
        """Send a message.

        :raises InvalidState: the client's close frame has arrived.
        """
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)
        self._flush()

    def take(self) -> Message | None:
        """Return the next message, and read on if there is room for more; None if there is none."""
        message = self.inbox.take()
        if message is not None and self._is_paused and self.inbox.is_half_empty:
            self._resume()
        return message

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, and drop messages from now on: the application takes no more.

        The client's close frame is behind them.
        """
        self._close(code, reason)
        self.inbox.clear()
        if self._is_paused:
            self._resume()

    def end(self) -> None:
        """End: neither side sends messages any more."""
        if self.is_over:
            return
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self.is_accepted and not self._exchange.ended:
            self._exchange.end_tunnel()
        self._wake()

    @property
    def close_code(self) -> int:
        """The code of the close frame that came first."""
        closing = self._decisive_close()
        return _ABNORMAL if closing is None else closing.code

    @property
    def close_reason(self) -> str:
        """Its reason."""
        closing = self._decisive_close()
        return "" if closing is None else closing.reason

    # --- the tunnel's side

    def receive(self, data: bytes) -> None:
        if data:
            self._unread += data
            self._is_pinged = False  # a client that sends is there: its pong may be behind a message of 16 MiB
        elif not self._tunnel.eof:
            return
        elif self.is_accepted:
            self._protocol.receive_eof()
        else:
            self._tunnel.close()
            return
        if self.is_accepted:
            self._read_on()
        elif len(self._unread) > _MAX_EARLY and not self.is_over:
            self._is_paused = True
            self._tunnel.pause()
            self._tunnel.deadline(self._options.body_timeout)

    def room(self) -> None:
        self._wake()

    def gone(self) -> None:
        self._exchange.ended = True
        self.end()

    def leave(self) -> None:
        """Close, or do so as soon as the application has accepted: the worker leaves."""
        self._is_leaving = True
        if self.is_accepted:
            self._close(GOING_AWAY, "")
            if self._is_paused:
                self._resume()  # the client's answer is behind unread messages

    def on_deadline(self) -> None:
        """End the connection of a client that sends without being accepted, or does not answer our close."""
        if self.is_over or (self._is_paused and not self.is_accepted):
            self._tunnel.abort()

    # --- both

    def _read_on(self) -> None:
        """Parse received bytes, until enough messages wait for the application."""
        data = self._unread
        parsed = 0
        while parsed < len(data) and not self._is_paused:
            self._protocol.receive_data(data[parsed : parsed + _PIECE])
            parsed += _PIECE
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            if self.inbox.is_full and not self.is_over:
                self._is_paused = True
                self._tunnel.pause()
        self._unread = data[parsed:]
        self._flush()
        protocol = self._protocol
        if protocol.state is State.CLOSED or protocol.close_rcvd is not None:
            self.end()
            self._tunnel.close()
        elif protocol.close_expected():
            # Messages that were on their way when we closed are dropped. Closing the stream under them would have the
            # kernel reset it, and the client might never see our close frame.
            self.end()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in _DATA and not self.is_over:
            try:
                is_whole = self.inbox.put(frame)
            except UnicodeDecodeError:
                self._close(1007, "not UTF-8")
                return
            if is_whole:
                self._wake()

    def _resume(self) -> None:
        self._is_paused = False
        self._is_pinged = False  # a pong may wait to be read
        self._read_on()
        if not self._is_paused:
            self._tunnel.resume()

    def _close(self, code: int, reason: str) -> None:
        if not self.is_over:
            try:
                self._protocol.send_close(code, reason)
            except InvalidState:
                pass  # it is closing already
            self._flush()
        self.end()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._tunnel.send(data)
            else:
                self._tunnel.close()

    def _schedule_ping(self) -> None:
        if self._options.ping_interval:
            self._timer = self._loop.call_later(self._options.ping_interval, self._ping)

    def _ping(self) -> None:
        if self.is_over:
            return
        if self._is_pinged and not self._is_paused:  # then a pong would not be read
            events.websocket_pong_missing(
                log, request=self._exchange.describe(), interval_s=self._options.ping_interval
            )
            self.end()
            self._tunnel.abort()
            return
        self._is_pinged = True
        self._protocol.send_ping(b"")
        self._flush()
        self._schedule_ping()

    def _decisive_close(self) -> Close | None:
        """Return the close frame that came first; the other one is its echo."""
        protocol = self._protocol
        return protocol.close_rcvd if protocol.close_rcvd_then_sent else protocol.close_sent or protocol.close_rcvd
