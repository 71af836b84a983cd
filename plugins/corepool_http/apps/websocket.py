"""One WebSocket of ASGI: its application's messages, and the answer to its handshake."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from websockets.exceptions import InvalidState
from websockets.frames import EXTERNAL_CLOSE_CODES

from corepool_http import events
from corepool_http.apps.asgi_messages import (
    bytes_of,
    head_of,
    int_of,
    pairs_of,
    subprotocol_of,
    text_of,
    type_of,
)
from corepool_http.apps.asgi_tasks import log_failure
from corepool_http.apps.handshake import HandshakeError
from corepool_http.apps.waiting import CALLS_PER_ROUND, Waiting
from corepool_http.apps.websocket_link import GOING_AWAY, Link
from corepool_http.exchange import ClientDisconnectedError
from corepool_http.message import RefusedError
from corepool_http.values import ResponseError, as_bytes

if TYPE_CHECKING:
    from corepool_http.apps.asgi_messages import Application, Message, Pairs
    from corepool_http.apps.asgi_tasks import Tasks
    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.options import HttpOptions
    from corepool_http.responses import Heads

log = logging.getLogger(__name__)

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
"""Headers of an accepted handshake that the server decides: the application's would contradict them."""

_NORMAL, _INTERNAL = 1000, 1011

_MAX_REASON = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5: 125 with the code)."""


class WebSocket(Waiting):
    """One connection after, or on the way to, its upgrade."""

    def __init__(
        self, exchange: Exchange, heads: Heads, options: HttpOptions, loop: asyncio.AbstractEventLoop, tasks: Tasks
    ) -> None:
        super().__init__(loop)
        self._tasks = tasks
        self.task: asyncio.Task[None] | None = None
        """None: it has ended before it was known (eager start)."""
        self._exchange = exchange
        self._heads = heads
        self._link = Link(exchange, options, loop, self._wake)
        self._denial: Head | None = None
        self._ended_by = ""
        """The message with which the application has ended it."""
        offered = exchange.request.section.listed(b"sec-websocket-protocol")
        self.subprotocols = [name.decode("latin-1") for name in offered]

    def negotiate(self) -> bool:
        """Judge the handshake; one that is invalid is answered, and the application is not called."""
        exchange = self._exchange
        try:
            self._link.negotiate()
        except (HandshakeError, RefusedError) as error:
            events.websocket_handshake_invalid(log, request=exchange.describe(), reason=error)
            exchange.fail(error.status, error.headers if isinstance(error, HandshakeError) else ())
            self._link.end()
            return False
        return True

    async def run(self, application: Application, scope: Message) -> None:
        """Call the application, and close when it has ended."""
        exchange = self._exchange
        try:
            await application(scope, self._receive, self._send)
        except BaseException as error:  # one connection is all that it costs
            self._on_error(error)
            if self._tasks.is_closing and isinstance(error, asyncio.CancelledError):
                raise
        else:
            if self._link.is_accepted:
                self._link.close(_NORMAL, "")
            elif not exchange.ended:
                events.response_missing(log, request=exchange.describe())
                exchange.fail()
        finally:
            if self.task is not None:
                self._tasks.end(self.task)

    def _on_error(self, error: BaseException) -> None:
        exchange = self._exchange
        code, status = _INTERNAL, 500
        if self._tasks.is_closing and isinstance(error, asyncio.CancelledError | GeneratorExit):
            code, status = GOING_AWAY, 503
        else:
            log_failure(exchange, error, client_has_left=self._is_gone)
        if self._link.is_accepted:
            self._link.close(code, "")
        else:
            exchange.fail(status)

    # --- the application's side

    async def _receive(self) -> Message:
        self._calls += 1
        if self._calls >= CALLS_PER_ROUND:
            await self._take_turn()
        link = self._link
        while (message := link.take()) is None:
            if link.is_over:
                return {"type": "websocket.disconnect", "code": link.close_code, "reason": link.close_reason}
            await self._wait()
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
        while self._link.congested and not (self._link.is_over or self._exchange.ended):  # another task sends, too
            await self._wait()
        if self._ended_by:
            raise RuntimeError(f"{kind} was sent after {self._ended_by}")
        if self._is_gone:
            raise ClientDisconnectedError("the client has disconnected")
        if self._link.is_accepted:
            self._send_frame(kind, message)
        elif self._denial is not None:
            self._deny(kind, message, self._denial)
        else:
            self._answer(kind, message)
        while self._link.congested and not (self._link.is_over or self._exchange.ended):
            await self._wait()

    @property
    def _is_gone(self) -> bool:
        """True when nothing can be sent to the client, for a reason that is not the application's."""
        return not self._ended_by and (self._link.is_over or self._exchange.ended or self._link.closed)

    def _answer(self, kind: str, message: Message) -> None:
        """Answer the handshake."""
        if kind == "websocket.accept":
            self._accept(subprotocol_of(message), pairs_of(message))
        elif kind == "websocket.close":
            self._ended_by = kind
            self._exchange.fail(403)
            self._link.end()
        elif kind == "websocket.http.response.start":
            self._denial = head_of(message, self._heads)
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
                self._link.send(as_bytes(data, "'bytes' of websocket.send") if text is None else text)
            elif kind == "websocket.close":
                code = int_of(message, "code")
                reason = (text_of(message, "reason") or "").encode()[:_MAX_REASON].decode(errors="ignore")
                if code is not None and not (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000):
                    raise ResponseError(f"{code} may not be sent as a close code (RFC 6455, 7.4)")
                self._ended_by = kind
                self._link.close(_NORMAL if code is None else code, reason)
            else:
                raise RuntimeError(f"{kind!r} was sent after websocket.accept")
        except InvalidState:  # the client's close frame has arrived
            raise ClientDisconnectedError("the client has disconnected") from None

    def _accept(self, subprotocol: str | None, pairs: Pairs) -> None:
        headers = [("Sec-WebSocket-Protocol", subprotocol)] if subprotocol else []
        for name, value in pairs:
            text = name.decode("latin-1")
            is_ours = text.lower() in _OF_HANDSHAKE or (subprotocol and text.lower() == "sec-websocket-protocol")
            if not is_ours:
                headers.append((text, value.decode("latin-1")))
        self._link.accept(headers)

    def _deny(self, kind: str, message: Message, head: Head) -> None:
        """Send a response in the place of the handshake's."""
        if kind != "websocket.http.response.body":
            raise RuntimeError(f"{kind!r} was sent after websocket.http.response.start")
        exchange = self._exchange
        body, more = bytes_of(message, "body"), bool(message.get("more_body"))
        if not more:
            self._ended_by = "the response was complete"
        if not exchange.started and not more:
            exchange.respond(head, body)
        else:
            if not exchange.started:
                exchange.start(head)
            exchange.write(body)
            if not more:
                exchange.finish()
        if not more:
            self._link.end()
