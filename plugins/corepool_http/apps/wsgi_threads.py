"""A call of a WSGI application in a thread of its own."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from corepool_http.apps.wsgi_call import IN_ONE_PIECE, Call, answer_failure, as_content, pieces_of
from corepool_http.apps.wsgi_files import plain_segment
from corepool_http.exchange import ClientDisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_http.apps.wsgi_call import Application
    from corepool_http.apps.wsgi_files import Segment
    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.responses import Heads


class ThreadCall(Call):
    """A call in a thread; everything that touches the connection is done by the loop."""

    def __init__(self, exchange: Exchange, heads: Heads, post: Callable[[Callable[[], None]], object]) -> None:
        super().__init__(exchange, heads, post)
        self._may_send = threading.Event()
        self._may_send.set()

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        content = environ["wsgi.input"]  # ours: a middleware may put another in its place
        result: Any = None
        try:
            if self._exchange.ended:
                return  # the client has gone while its request waited for a thread
            result = application(environ, self._start_response)
            self._answer(result)
        except BaseException as error:  # noqa: BLE001  # it is logged, in the loop
            self._post(partial(answer_failure, self._exchange, error))
        finally:
            if result is not None:
                self._close(result)
            content.close()

    def _answer(self, result: Any) -> None:
        exchange = self._exchange
        kind = type(result)
        if (kind is list or kind is tuple) and len(result) == 1 and not self._is_head_sent:
            self._do(exchange.respond, self._need_head(), as_content(result[0]))
            return
        segment = None if self._is_head_sent else plain_segment(result)
        if segment is not None:
            self._send_file(result, segment)
            return
        for piece in pieces_of(result):
            if exchange.ended:
                return
            if content := as_content(piece):
                self._write(content)
        if self._is_head_sent:
            self._do(exchange.finish)
        else:
            self._do(exchange.respond, self._need_head(), b"")

    def _hint(self, lines: bytes) -> None:
        self._do(self._exchange.hint, lines)

    def _write(self, data: bytes) -> None:
        content = as_content(data)
        if not self._is_head_sent:
            head = self._need_head()
            self._is_head_sent = True
            self._do(self._exchange.start, head)
        # One piece on its way at a time, and none while the client doesn't read.
        self._may_send.wait()
        if self._exchange.ended:
            raise ClientDisconnectedError("the client has gone")
        self._may_send.clear()
        self._do(self._send, content)

    def _send(self, data: bytes) -> None:
        exchange = self._exchange
        exchange.write(data)
        if exchange.congested:
            exchange.on_room = exchange.on_gone = self._may_send.set
        else:
            self._may_send.set()

    def _send_file(self, result: Any, segment: Segment) -> None:
        head = self._need_head()
        if segment.size <= IN_ONE_PIECE:
            self._do(self._exchange.respond, head, result.filelike.read(segment.size))
            return
        if head.length is None:
            head = head.with_length(segment.size)
        self._is_head_sent = True
        is_sent = threading.Event()

        def send() -> None:
            try:
                self._guarded(self._transmit, head, segment)
            finally:
                is_sent.set()

        self._post(send)
        is_sent.wait()  # the file must not be closed before its descriptor is duplicated

    def _transmit(self, head: Head, segment: Segment) -> None:
        self._exchange.start(head)
        self._exchange.send_file(segment.fd, segment.offset, segment.size)
        self._exchange.finish()

    def _do(self, call: Callable[..., None], *values: Any) -> None:
        self._post(lambda: self._guarded(call, *values))

    def _guarded(self, call: Callable[..., None], *values: Any) -> None:
        """Do in the loop what the thread wants done, unless the client has gone."""
        exchange = self._exchange
        if exchange.ended:
            self._may_send.set()
            return
        try:
            call(*values)
        except BaseException as error:  # noqa: BLE001
            answer_failure(exchange, error)
            self._may_send.set()
