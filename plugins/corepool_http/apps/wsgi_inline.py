"""A call of a WSGI application in the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from corepool_http.apps.running_loop import hide, show
from corepool_http.apps.wsgi_call import IN_ONE_PIECE, Call, answer_failure, as_content, pieces_of
from corepool_http.apps.wsgi_files import plain_segment
from corepool_http.clock import monotonic
from corepool_http.exchange import ClientDisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool_http.apps.wsgi_call import Application
    from corepool_http.apps.wsgi_files import Segment
    from corepool_http.apps.wsgi_slow import SlowCalls
    from corepool_http.exchange import Exchange
    from corepool_http.responses import Heads

_PIECES_PER_TURN = 16
"""Pieces of a response that are sent before other connections have their turn."""

_END: Final = object()
_NO_PIECES: Iterator[object] = iter(())


class InlineCall(Call):
    """A call in the loop. Content that the client does not take waits in the iterable."""

    __slots__ = ("_pieces", "_result", "_slow")

    def __init__(self) -> None:
        """Do nothing: `begin` is a call in C, where this is compiled, and takes a third of the time."""

    def begin(
        self,
        exchange: Exchange,
        heads: Heads,
        post: Callable[[Callable[[], None]], object],
        slow: SlowCalls | None,
    ) -> None:
        """Prepare a call.

        :param post: has the loop call something soon.
        :param slow: the log of turns that take long, if it is wanted.
        """
        self._exchange = exchange
        self._heads = heads
        self._post = post
        self._head = None
        self._is_head_sent = False
        self._slow = slow
        self._pieces: Iterator[object] = _NO_PIECES
        self._result: Any = None

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        try:
            result: Any = application(environ, self._start_response)
        except BaseException as error:  # noqa: BLE001  # it is logged
            self._fail(error)
            return
        kind = type(result)
        if (kind is list or kind is tuple) and len(result) == 1 and not self._is_head_sent:
            try:
                self._exchange.respond(self._need_head(), result[0])
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
            self._pieces = pieces_of(result)
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
                if exchange.congested:
                    exchange.on_room = self._turn
                    return
                piece = next(self._pieces, _END)
                if piece is _END:
                    exchange.on_gone = None
                    self._finish()
                    self._end()
                    return
                if content := as_content(piece):
                    self._write(content)
        except BaseException as error:  # noqa: BLE001
            exchange.on_gone = None
            self._fail(error)
            self._end()
        else:
            self._post(self._turn)

    def _on_gone(self) -> None:
        """End the call; but a client that has ended its side alone still reads, and the turns go on as they were."""
        if self._exchange.ended or self._exchange.gone:
            self._turn()

    def _turn(self) -> None:
        """Go on, from the loop; which is hidden from the application, as in `Wsgi`."""
        loop = hide()
        slow = self._slow
        began_s = 0.0 if slow is None else monotonic()
        try:
            self._go_on()
        finally:
            show(loop)
        if slow is not None and (seconds := monotonic() - began_s) > slow.limit_s:
            slow.report(self._exchange, seconds)

    def _hint(self, lines: bytes) -> None:
        self._exchange.hint(lines)

    def _write(self, data: bytes) -> None:
        content = as_content(data)
        exchange = self._exchange
        if not self._is_head_sent:
            self._is_head_sent = True
            exchange.start(self._need_head())
        exchange.write(content)
        # No block may wait for the next one (PEP 3333, "Buffering and Streaming").
        exchange.flush()
        if exchange.ended or exchange.gone:
            raise ClientDisconnectedError("the client has gone")

    def _finish(self) -> None:
        if self._is_head_sent:
            self._exchange.finish()
        else:
            self._exchange.respond(self._need_head(), b"")

    def _send_file(self, result: Any, segment: Segment) -> None:
        exchange = self._exchange
        head = self._need_head()
        if segment.size <= IN_ONE_PIECE:
            exchange.respond(head, result.filelike.read(segment.size))
            return
        self._is_head_sent = True
        exchange.start(head if head.length is not None else head.with_length(segment.size))
        exchange.send_file(segment.fd, segment.offset, segment.size)
        exchange.finish()

    def _fail(self, error: BaseException) -> None:
        answer_failure(self._exchange, error)

    def _end(self) -> None:
        """Close the iterable, once, after the response was handed to the kernel."""
        result, self._result = self._result, None
        self._pieces = _NO_PIECES
        if result is not None:
            self._exchange.flush()
            self._close(result)
