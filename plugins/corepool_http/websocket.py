"""WebSocket (RFC 6455) for ASGI: the websockets package speaks the protocol, we move its bytes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from corepool_http.responses import ResponseError
from corepool_http.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions

    Message = MutableMapping[str, Any]

log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.protocol")

_MOST_WAITING = 64
"""How many messages may wait for the application; then the client is not read. In bytes the limit is `max_message`."""

_PIECE = 4096
"""Bytes that are parsed before the limits are looked at: deflate makes up to a thousand times as many of them."""

_GOING_AWAY, _ABNORMAL, _INTERNAL = 1001, 1006, 1011


class WebSocket(Waiting):
    """One connection after, or on the way to, its upgrade."""

    def __init__(self, exchange: Exchange, options: HttpOptions, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter = None
        self._exchange = exchange
        exchange.closes = True  # what follows the request is no HTTP, whatever the answer
        self._conn = exchange.conn
        self._ping_interval = options.ping_interval
        extensions = [ServerPerMessageDeflateFactory()] if options.deflate else None
        self._protocol = ServerProtocol(extensions=extensions, max_size=options.max_message, logger=_quiet)
        self._messages: deque[tuple[Message, int]] = deque([({"type": "websocket.connect"}, 0)])
        """What waits for the application, and how many bytes each is."""
        self._waiting = 0
        """Bytes of all of them."""
        self._most_waiting = options.max_message
        self._unread = b""
        """What has arrived and is not parsed: as long as there is some, the client is not read."""
        self._parts = bytearray()
        self._is_text = False
        self._is_paused = False
        self._is_accepted = False
        self._denial: Message | None = None
        self.is_over = False
        self._is_pinged = False
        self._timer: asyncio.TimerHandle | None = None
        offered = exchange.request.section.listed(b"sec-websocket-protocol")
        self.subprotocols = [name.decode("latin-1") for name in offered]

    async def run(self, application: Any, scope: Message) -> None:
        """Call the application, and close when it has ended."""
        exchange = self._exchange
        try:
            await application(scope, self._receive, self._send)
        except ResponseError as error:
            exchange.fail_badly(error)
        except asyncio.CancelledError:
            self._close(_GOING_AWAY, "")
            raise
        except (Exception, SystemExit):
            log.exception("%s failed", exchange.describe())
            if self._is_accepted:
                self._close(_INTERNAL, "")
            else:
                exchange.fail()
        else:
            if self._is_accepted:
                self._close(1000, "")
            elif not exchange.ended and not exchange.started:
                exchange.fail(403)

    # --- the application's side

    async def _receive(self) -> Message:
        while not self._messages:
            if self.is_over:
                return {"type": "websocket.disconnect", "code": self._close_code(), "reason": self._close_reason()}
            await self._wait()
        message, size = self._messages.popleft()
        self._waiting -= size
        if self._is_paused and len(self._messages) <= _MOST_WAITING // 2 and self._waiting <= self._most_waiting // 2:
            self._is_paused = False
            self._read_on()
            if not self._is_paused:
                self._conn.resume()
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.send":
            if self.is_over:
                return
            if not self._is_accepted:
                raise RuntimeError("websocket.send before websocket.accept")
            text = message.get("text")
            if text is not None:
                self._protocol.send_text(text.encode())
            else:
                self._protocol.send_binary(message["bytes"])
            self._flush()
            while self._conn.congested and not self.is_over:
                await self._wait()
        elif kind == "websocket.close":
            if not self._is_accepted:
                self._exchange.fail(403)
                self._end()
            else:
                self._close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self._denial = message
        elif kind == "websocket.http.response.body":
            self._deny(message)
        else:
            raise RuntimeError(f"{kind!r} is no message of a WebSocket")

    def _accept(self, message: Message) -> None:
        if self._is_accepted or self._exchange.ended:
            return
        request = self._exchange.request
        # The package wants to read the request by itself.
        lines = b"".join(b"%b: %b\r\n" % item for item in request.section.headers)
        self._protocol.receive_data(b"GET %b HTTP/1.1\r\n%b\r\n" % (request.line.target, lines))
        handshakes = [event for event in self._protocol.events_received() if isinstance(event, Handshake)]
        if not handshakes:
            log.debug("%s: invalid WebSocket handshake: %s", self._exchange.describe(), self._protocol.handshake_exc)
            self._exchange.fail(400)
            self._end()
            return
        response = self._protocol.accept(handshakes[0])
        if response.status_code != 101:
            self._exchange.fail(response.status_code, [("Sec-WebSocket-Version", "13")])
            self._end()
            return
        if message.get("subprotocol"):
            response.headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        extra = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        self._exchange.session.service.heads.of_text("101 Switching Protocols", extra)  # refuses what is no header
        for name, value in extra:
            response.headers[name] = value
        self._is_accepted = True
        self._exchange.started = True
        self._exchange.status = 101
        self._protocol.send_response(response)
        parser = self._exchange.session.parser
        early, parser.after_upgrade = bytes(parser.after_upgrade), bytearray()
        self._flush()
        self._schedule_ping()
        if early:
            self.receive(early)

    def _deny(self, message: Message) -> None:
        if self._denial is None:
            raise RuntimeError("websocket.http.response.body before websocket.http.response.start")
        exchange = self._exchange
        head = exchange.session.service.heads.of_bytes(self._denial["status"], self._denial.get("headers", ()))
        more = message.get("more_body", False)
        if not exchange.started and not more:
            exchange.send_whole(head, message.get("body", b""))
        else:
            if not exchange.started:
                exchange.start(head)
            exchange.write(message.get("body", b""))
            if not more:
                exchange.finish()
        if not more:
            self._end()

    # --- the client's side

    def receive(self, data: bytes) -> None:
        """Take what has arrived."""
        if not self._is_accepted:
            if data:
                parser = self._exchange.session.parser
                parser.after_upgrade += data
                if len(parser.after_upgrade) > 65_536:
                    self._conn.abort()
            elif self._conn.eof:
                self.gone()
            return
        if data:
            self._unread += data
        elif self._conn.eof:
            self._protocol.receive_eof()
        else:
            return
        self._read_on()

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
            if len(self._messages) >= _MOST_WAITING or self._waiting > self._most_waiting:
                self._is_paused = True
                self._conn.pause()
        self._unread = data[parsed:]
        self._flush()
        if self._protocol.state is State.CLOSED or self._protocol.close_expected():
            self._end()
            self._conn.close()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._is_pinged = False
        elif frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            if not frame.fin or self._parts:
                self._parts += frame.data
            if not frame.fin:
                return
            data = bytes(self._parts or frame.data)
            self._parts.clear()
            message: Message = {"type": "websocket.receive"}
            if self._is_text:
                try:
                    message["text"] = data.decode()
                except UnicodeDecodeError:
                    self._close(1007, "not UTF-8")
                    return
            else:
                message["bytes"] = data
            self._messages.append((message, len(data)))
            self._waiting += len(data)
            self._wake()

    def room(self) -> None:
        """Let the application go on: the client has read."""
        self._wake()

    def gone(self) -> None:
        """Tell the application that the client has gone."""
        self._exchange.ended = True
        self._end()

    def leave(self) -> None:
        """Close: the worker leaves."""
        if self._is_accepted:
            self._close(_GOING_AWAY, "")

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
        received = self._protocol.close_rcvd
        return received.code if received is not None else _ABNORMAL

    def _close_reason(self) -> str:
        received = self._protocol.close_rcvd
        return received.reason if received is not None else ""
