"""One call of a WSGI application (PEP 3333), in the loop or in a thread, and the response that it makes."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from asyncio import _get_running_loop, _set_running_loop
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from corepool_http.apps.wsgi_files import plain_segment
from corepool_http.apps.wsgi_input import ClientGoneError
from corepool_http.values import ResponseError, as_bytes, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from corepool.streams import Mailbox
    from corepool_http.apps.wsgi_files import Segment
    from corepool_http.exchange import Exchange
    from corepool_http.responses import Head, Heads

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    Application = Callable[[dict[str, Any], Callable[..., Callable[[bytes], None]]], Iterable[bytes]]

log = logging.getLogger(__name__)

_PIECES_PER_TURN = 16
"""Pieces of a response that are sent before other connections have their turn."""

_IN_ONE_PIECE = 65_536
"""Bytes of a file that are read and sent with the head; beyond, sendfile(2) is worth its own system call."""

_END: Final = object()


class Run(ABC):
    """One call of the application."""

    def __init__(self, exchange: Exchange, heads: Heads) -> None:
        self._exchange = exchange
        self._heads = heads
        self._head: Head | None = None
        self._is_head_sent = False

    @abstractmethod
    def call(self, application: Application, environ: dict[str, Any]) -> None:
        """Call it, and answer with the result. Raises nothing."""

    @abstractmethod
    def _write(self, data: bytes) -> None: ...

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._is_head_sent and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise AssertionError("start_response was called twice, without exc_info")
        self._head = self._heads.of_text(status, headers)
        return self._write

    def _need_head(self) -> Head:
        if self._head is None:
            raise ResponseError("start_response was not called")
        return self._head

    def _close(self, result: object) -> None:
        """Call the iterable's close(). The response is sent by then, and does not depend on it."""
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except BaseException:
            log.exception("%s: close() of the application's iterable failed", self._exchange.describe())


class InlineRun(Run):
    """A call in the loop. Content that the client does not take waits in the iterable."""

    _pieces: Iterator[object]
    _result: Any

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        try:
            result: Any = application(environ, self._start_response)
        except BaseException as error:  # noqa: BLE001  # it is logged
            self._fail(error)
            return
        kind = type(result)
        if (kind is list or kind is tuple) and len(result) == 1 and not self._is_head_sent:
            try:
                self._exchange.send_whole(self._need_head(), result[0])
            except BaseException as error:  # noqa: BLE001
                self._fail(error)
            return
        self._result = result
        try:
            segment = None if self._is_head_sent else plain_segment(result)
            if segment is not None:
                self._send_file(result, segment)
                self._end()
                return
            self._pieces = _pieces_of(result)
        except BaseException as error:  # noqa: BLE001
            self._fail(error)
            self._end()
            return
        self._exchange.on_gone = self._on_gone
        self._go_on()

    def _go_on(self) -> None:
        exchange = self._exchange
        exchange.on_room = None
        try:
            for _ in range(_PIECES_PER_TURN):
                if exchange.ended or exchange.gone:
                    self._end()
                    return
                if exchange.conn.congested:
                    exchange.on_room = self._turn
                    return
                piece = next(self._pieces, _END)
                if piece is _END:
                    exchange.on_gone = None
                    self._finish()
                    self._end()
                    return
                if content := _as_content(piece):
                    self._write(content)
        except BaseException as error:  # noqa: BLE001
            exchange.on_gone = None
            self._fail(error)
            self._end()
        else:
            exchange.session.service.worker.loop.call_soon(self._turn)

    def _on_gone(self) -> None:
        """End the call; but a client that has ended its side alone still reads, and the turns go on as they were."""
        if self._exchange.ended or self._exchange.gone:
            self._turn()

    def _turn(self) -> None:
        """Go on, from the loop; which is hidden from the application, as in `Wsgi`."""
        loop = _get_running_loop()
        _set_running_loop(None)
        try:
            self._go_on()
        finally:
            _set_running_loop(loop)

    def _write(self, data: bytes) -> None:
        content = _as_content(data)
        exchange = self._exchange
        if not self._is_head_sent:
            self._is_head_sent = True
            exchange.start(self._need_head())
        exchange.write(content)
        # No block may wait for the next one (PEP 3333, "Buffering and Streaming").
        exchange.conn.send_now()
        if exchange.ended or exchange.gone:
            raise ClientGoneError("the client has gone")

    def _finish(self) -> None:
        if self._is_head_sent:
            self._exchange.finish()
        else:
            self._exchange.send_whole(self._need_head(), b"")

    def _send_file(self, result: Any, segment: Segment) -> None:
        exchange = self._exchange
        head = self._need_head()
        if segment.size <= _IN_ONE_PIECE:
            exchange.send_whole(head, result.filelike.read(segment.size))
            return
        self._is_head_sent = True
        exchange.start(head if head.length is not None else head.with_length(segment.size))
        exchange.send_file(segment.fd, segment.offset, segment.size)
        exchange.finish()

    def _fail(self, error: BaseException) -> None:
        _answer_failure(self._exchange, error)

    def _end(self) -> None:
        """Close the iterable, once, after the response was handed to the kernel."""
        result, self._result = self._result, None
        self._pieces = iter(())
        if result is not None:
            self._exchange.conn.send_now()
            self._close(result)


class ThreadRun(Run):
    """A call in a thread; everything that touches the connection is done by the loop."""

    def __init__(self, exchange: Exchange, heads: Heads, mailbox: Mailbox) -> None:
        super().__init__(exchange, heads)
        self._mailbox = mailbox
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
            answer = partial(_answer_failure, self._exchange, error)
            self._mailbox.post(lambda: self._exchange.call(answer))
        finally:
            if result is not None:
                self._close(result)
            content.close()

    def _answer(self, result: Any) -> None:
        exchange = self._exchange
        kind = type(result)
        if (kind is list or kind is tuple) and len(result) == 1 and not self._is_head_sent:
            self._post(exchange.send_whole, self._need_head(), _as_content(result[0]))
            return
        segment = None if self._is_head_sent else plain_segment(result)
        if segment is not None:
            self._send_file(result, segment)
            return
        for piece in _pieces_of(result):
            if exchange.ended:
                return
            if content := _as_content(piece):
                self._write(content)
        if self._is_head_sent:
            self._post(exchange.finish)
        else:
            self._post(exchange.send_whole, self._need_head(), b"")

    def _write(self, data: bytes) -> None:
        content = _as_content(data)
        if not self._is_head_sent:
            head = self._need_head()
            self._is_head_sent = True
            self._post(self._exchange.start, head)
        # One piece on its way at a time, and none while the client doesn't read.
        self._may_send.wait()
        if self._exchange.ended:
            raise ClientGoneError("the client has gone")
        self._may_send.clear()
        self._post(self._send, content)

    def _send(self, data: bytes) -> None:
        exchange = self._exchange
        exchange.write(data)
        if exchange.conn.congested:
            exchange.on_room = exchange.on_gone = self._may_send.set
        else:
            self._may_send.set()

    def _send_file(self, result: Any, segment: Segment) -> None:
        head = self._need_head()
        if segment.size <= _IN_ONE_PIECE:
            self._post(self._exchange.send_whole, head, result.filelike.read(segment.size))
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

        self._mailbox.post(send)
        is_sent.wait()  # the file must not be closed before its descriptor is duplicated

    def _transmit(self, head: Head, segment: Segment) -> None:
        self._exchange.start(head)
        self._exchange.send_file(segment.fd, segment.offset, segment.size)
        self._exchange.finish()

    def _post(self, call: Callable[..., None], *values: Any) -> None:
        self._mailbox.post(lambda: self._guarded(call, *values))

    def _guarded(self, call: Callable[..., None], *values: Any) -> None:
        """Do in the loop what the thread wants done, unless the client has gone."""
        exchange = self._exchange
        if exchange.ended:
            self._may_send.set()
            return
        try:
            call(*values)
        except BaseException as error:  # noqa: BLE001
            _answer_failure(exchange, error)
            self._may_send.set()


def _as_content(piece: object) -> bytes:
    return piece if type(piece) is bytes else as_bytes(piece, "a piece of the content")


def _pieces_of(result: Any) -> Iterator[object]:
    """Return an iterator over the content.

    :raises ResponseError: the result is no iterable of bytes.
    """
    # The iterators of the first four yield numbers, or text.
    if not isinstance(result, bytes | bytearray | memoryview | str):
        try:
            return iter(result)
        except TypeError:
            if hasattr(type(result), "__iter__"):
                raise  # the application's own
    hint = '; is it an ASGI application? Then set interface = "asgi"' if hasattr(result, "__await__") else ""
    raise ResponseError(f"the application returned {shown(result)}: an iterable of bytes is expected{hint}")


def _answer_failure(exchange: Exchange, error: BaseException) -> None:
    """Log an exception of the application, and answer for it. Runs in: the loop."""
    if isinstance(error, ClientGoneError):
        log.debug("%s: %s", exchange.describe(), error)
        if not exchange.ended:
            exchange.refuse_content()
    elif isinstance(error, ResponseError):
        exchange.fail_badly(error)
    else:
        log.error("%s failed", exchange.describe(), exc_info=error)
        exchange.fail()
