"""WebSocket (RFC 6455) for ASGI: the websockets package speaks the protocol, we move its bytes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import EXTERNAL_CLOSE_CODES, Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from corepool_http.apps.asgi_messages import (
    ClientDisconnectedError,
    bytes_of,
    head_of,
    int_of,
    is_departure,
    pairs_of,
    subprotocol_of,
    text_of,
    type_of,
)
from corepool_http.apps.handshake import HandshakeError, negotiate
from corepool_http.apps.waiting import CALLS_PER_ROUND, Waiting
from corepool_http.apps.websocket_inbox import Inbox
from corepool_http.values import ResponseError, as_bytes

if TYPE_CHECKING:
    from websockets.http11 import Response

    from corepool_http.apps.asgi_messages import Application, Message
    from corepool_http.apps.asgi_tasks import Tasks
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions
    from corepool_http.responses import Head

log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.protocol")
_quiet.setLevel(logging.WARNING)  # it has two lines at INFO for each connection

_MOST_EARLY = 65_536
"""Bytes that may arrive before the application accepts (RFC 6455, 4.1: none should); then the client is not read."""

_PIECE = 4096
"""Bytes that are parsed before the limits are looked at: deflate makes up to a thousand times as many of them."""

_OF_HANDSHAKE = frozenset(
    (
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers of a 101 that the handshake decides: the application's would contradict them."""

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

_NORMAL, _GOING_AWAY, _ABNORMAL, _INTERNAL = 1000, 1001, 1006, 1011

_MOST_REASON = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5: 125 with the code)."""


class WebSocket(Waiting):
    """One connection after, or on the way to, its upgrade."""

    def __init__(self, exchange: Exchange, options: HttpOptions, loop: asyncio.AbstractEventLoop, tasks: Tasks) -> None:
        self._calls = 0
        self._rounds = 0
        self._loop = loop
        self._waiter = None
        self._tasks = tasks
        self.task: asyncio.Task[None] | None = None
        """None: it has ended before it was known (eager start)."""
        self._exchange = exchange
        self._conn = exchange.conn
        self._ping_interval = options.ping_interval
        extensions = [ServerPerMessageDeflateFactory()] if options.deflate else None
        self._protocol = ServerProtocol(extensions=extensions, max_size=options.max_message, logger=_quiet)
        self._inbox = Inbox(options.max_message)
        parser = exchange.session.parser
        self._unread = bytes(parser.after_upgrade)
        """Bytes that have arrived and are not parsed. Too many for the state: then the client is not read."""
        parser.after_upgrade.clear()
        self._is_paused = False
        self._is_accepted = False
        self._is_leaving = False
        self._response: Response | None = None
        """What accepts the handshake."""
        self._denial: Head | None = None
        self._ended_by = ""
        """The message with which the application has ended it."""
        self.is_over = False
        self._is_pinged = False
        self._timer: asyncio.TimerHandle | None = None
        offered = exchange.request.section.listed(b"sec-websocket-protocol")
        self.subprotocols = [name.decode("latin-1") for name in offered]

    def negotiate(self) -> bool:
        """Judge the handshake; one that is invalid is answered, and the application is not called."""
        exchange = self._exchange
        try:
            self._response = negotiate(self._protocol, exchange.request.section)
        except HandshakeError as error:
            log.debug("%s: invalid WebSocket handshake: %s", exchange.describe(), error)
            exchange.fail(error.status, error.headers)
            self._end()
            return False
        return True

    async def run(self, application: Application, scope: Message) -> None:
        """Call the application, and close when it has ended."""
        exchange = self._exchange
        try:
            await application(scope, self._receive, self._send)
        except BaseException as error:  # one connection is all that it costs
            self._on_error(error)
            if isinstance(error, asyncio.CancelledError) and self._tasks.is_closing:
                raise
        else:
            if self._is_accepted:
                self._close(_NORMAL, "")
                self._ignore()
            elif not exchange.ended:
                log.error("%s: the application has returned without an answer to the handshake", exchange.describe())
                exchange.fail()
        finally:
            if self.task is not None:
                self._tasks.running.discard(self.task)

    def _on_error(self, error: BaseException) -> None:
        exchange = self._exchange
        code, status = _INTERNAL, 500
        if self._tasks.is_closing and isinstance(error, asyncio.CancelledError | GeneratorExit):
            code, status = _GOING_AWAY, 503
        elif self._is_gone and is_departure(error):
            log.debug("%s: the client has gone: %r", exchange.describe(), error)
        elif isinstance(error, ResponseError):
            log.error("%s: invalid message from the application: %s", exchange.describe(), error, exc_info=error)
        else:
            log.error("%s failed", exchange.describe(), exc_info=error)
        if self._is_accepted:
            self._close(code, "")
            self._ignore()
        else:
            exchange.fail(status)

    # --- the application's side

    async def _receive(self) -> Message:
        self._calls += 1
        if self._calls >= CALLS_PER_ROUND:
            await self._take_turn()
        while (message := self._inbox.take()) is None:
            if self.is_over:
                return {"type": "websocket.disconnect", "code": self._close_code(), "reason": self._close_reason()}
            await self._wait()
        if self._is_paused and self._inbox.is_half_empty:
            self._resume()
        return message

    async def _send(self, message: Message) -> None:
        """Take a message; waits while the client doesn't read.

        :raises ClientDisconnectedError: the client has gone.
        :raises ResponseError: the message can't be sent.
        :raises RuntimeError: it is not this message's turn.
        """
        self._calls += 1
        if self._calls >= CALLS_PER_ROUND:
            await self._take_turn()
        kind = type_of(message)
        while self._conn.congested and not (self.is_over or self._exchange.ended):  # another task sends, too
            await self._wait()
        if self._ended_by:
            raise RuntimeError(f"{kind} was sent after {self._ended_by}")
        if self._is_gone:
            raise ClientDisconnectedError("the client has disconnected")
        if self._is_accepted:
            self._send_frame(kind, message)
        elif self._denial is not None:
            self._deny(kind, message, self._denial)
        else:
            self._answer(kind, message)
        while self._conn.congested and not (self.is_over or self._exchange.ended):
            await self._wait()

    @property
    def _is_gone(self) -> bool:
        """True when nothing can be sent to the client, for a reason that is not the application's."""
        return not self._ended_by and (self.is_over or self._exchange.ended or self._conn.closed)

    def _answer(self, kind: str, message: Message) -> None:
        """Answer the handshake."""
        if kind == "websocket.accept":
            self._accept({"subprotocol": subprotocol_of(message), "headers": pairs_of(message)})
        elif kind == "websocket.close":
            self._ended_by = kind
            self._exchange.fail(403)
            self._end()
        elif kind == "websocket.http.response.start":
            self._denial = head_of(message, self._exchange.session.service.heads)
        elif kind in {"websocket.send", "websocket.http.response.body"}:
            before = "websocket.accept" if kind == "websocket.send" else "websocket.http.response.start"
            raise RuntimeError(f"{kind} was sent before {before}")
        else:
            raise RuntimeError(f"{kind!r} is no message of a WebSocket")

    def _send_frame(self, kind: str, message: Message) -> None:
        try:
            if kind == "websocket.send":
                text, data = text_of(message, "text"), message.get("bytes")
                if (text is None) is (data is None):
                    has = "neither" if text is None else "both"
                    raise ResponseError(f"websocket.send has {has} of 'text' and 'bytes': one is expected")
                if text is not None:
                    self._protocol.send_text(text.encode())
                else:
                    self._protocol.send_binary(as_bytes(data, "'bytes' of websocket.send"))
                self._flush()
            elif kind == "websocket.close":
                code = int_of(message, "code")
                reason = (text_of(message, "reason") or "").encode()[:_MOST_REASON].decode(errors="ignore")
                if code is not None and not (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000):
                    raise ResponseError(f"{code} may not be sent as a close code (RFC 6455, 7.4)")
                self._ended_by = kind
                self._close(_NORMAL if code is None else code, reason)
                self._ignore()
            else:
                raise RuntimeError(f"{kind!r} was sent after websocket.accept")
        except InvalidState:  # the client's close frame has arrived
            raise ClientDisconnectedError("the client has disconnected") from None

    def _accept(self, message: Message) -> None:
        response = self._response
        assert response is not None
        extra = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        self._exchange.session.service.heads.of_text("101 Switching Protocols", extra)  # refuses what is no header
        for name, value in extra:
            if name.lower() not in _OF_HANDSHAKE:
                response.headers[name] = value
        if message.get("subprotocol"):
            response.headers.pop("Sec-WebSocket-Protocol", None)
            response.headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        self._is_accepted = True
        self._exchange.started = True
        self._exchange.status = 101
        self._protocol.send_response(response)
        self._flush()
        self._schedule_ping()
        if self._is_paused:
            self._is_paused = False
            self._conn.deadline(None)
            self._conn.resume()
        self._read_on()
        if self._is_leaving:
            self.leave()

    def _deny(self, kind: str, message: Message, head: Head) -> None:
        """Send a response in the place of the handshake's."""
        if kind != "websocket.http.response.body":
            raise RuntimeError(f"{kind!r} was sent after websocket.http.response.start")
        exchange = self._exchange
        body, more = bytes_of(message, "body"), bool(message.get("more_body"))
        if not more:
            self._ended_by = "the response was complete"
        if not exchange.started and not more:
            exchange.send_whole(head, body)
        else:
            if not exchange.started:
                exchange.start(head)
            exchange.write(body)
            if not more:
                exchange.finish()
        if not more:
            self._end()

    # --- the client's side

    def receive(self, data: bytes) -> None:
        """Take what has arrived."""
        if data:
            self._unread += data
            self._is_pinged = False  # whoever sends is there: its pong may be behind a message of 16 MiB
        elif not self._conn.eof:
            return
        elif self._is_accepted:
            self._protocol.receive_eof()
        else:
            self._conn.close()
            return
        if self._is_accepted:
            self._read_on()
        elif len(self._unread) > _MOST_EARLY and not self.is_over:
            self._is_paused = True
            self._conn.pause()
            self._conn.deadline(self._exchange.session.service.options.body_timeout)

    def on_deadline(self) -> None:
        """End the connection of a client that sends without being accepted, or does not answer our close."""
        if self.is_over or (self._is_paused and not self._is_accepted):
            self._conn.abort()

    def _read_on(self) -> None:
        """Parse what has arrived, until enough messages wait for the application."""
        data = self._unread
        parsed = 0
        while parsed < len(data) and not self._is_paused:
            self._protocol.receive_data(data[parsed : parsed + _PIECE])
            parsed += _PIECE
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            if self._inbox.is_full and not self.is_over:
                self._is_paused = True
                self._conn.pause()
        self._unread = data[parsed:]
        self._flush()
        protocol = self._protocol
        if protocol.state is State.CLOSED or protocol.close_rcvd is not None:
            self._end()
            self._conn.close()
        elif protocol.close_expected():
            # Messages that were on their way when we closed are dropped. Closing the stream under them would have the
            # kernel reset it, and the client might never see our close frame.
            self._end()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in _DATA and not self.is_over:
            try:
                is_whole = self._inbox.put(frame)
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
            self._conn.resume()

    def _ignore(self) -> None:
        """Drop messages from now on, since the application takes no more. The client's close frame is behind them."""
        self._inbox.clear()
        if self._is_paused:
            self._resume()

    def room(self) -> None:
        """Let the application go on: the client has read."""
        self._wake()

    def gone(self) -> None:
        """Tell the application that the client has gone."""
        self._exchange.ended = True
        self._end()

    def leave(self) -> None:
        """Close, or do so as soon as the application has accepted: the worker leaves."""
        self._is_leaving = True
        if self._is_accepted:
            self._close(_GOING_AWAY, "")
            if self._is_paused:
                self._resume()  # its answer is behind what waits

    # --- both

    def _close(self, code: int, reason: str) -> None:
        if not self.is_over:
            try:
                self._protocol.send_close(code, reason)
            except InvalidState:
                pass  # it is closing already
            self._flush()
        self._end()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._conn.send(data)
            else:
                self._conn.close()

    def _end(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._is_accepted and not self._exchange.ended:
            self._exchange.ended = True
            self._exchange.closes = True
            self._exchange.session.service.log_access(self._exchange)
            # The client answers the close frame; what it does after that is its own business.
            self._conn.busy = False
            self._conn.deadline(self._exchange.session.service.options.header_timeout)
        self._wake()

    def _schedule_ping(self) -> None:
        if self._ping_interval:
            self._timer = self._loop.call_later(self._ping_interval, self._ping)

    def _ping(self) -> None:
        if self.is_over:
            return
        if self._is_pinged and not self._is_paused:  # then a pong would not be read
            log.debug("%s: no pong within %g s", self._exchange.describe(), self._ping_interval)
            self._end()
            self._conn.abort()
            return
        self._is_pinged = True
        self._protocol.send_ping(b"")
        self._flush()
        self._schedule_ping()

    def _close_code(self) -> int:
        closing = self._decisive_close()
        return _ABNORMAL if closing is None else closing.code

    def _close_reason(self) -> str:
        closing = self._decisive_close()
        return "" if closing is None else closing.reason

    def _decisive_close(self) -> Close | None:
        """Return the close frame that came first; the other one is its echo."""
        protocol = self._protocol
        return protocol.close_rcvd if protocol.close_rcvd_then_sent else protocol.close_sent or protocol.close_rcvd
