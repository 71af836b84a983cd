"""A call of a WSGI application (PEP 3333): what a call in the loop and one in a thread have in common."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from corepool.guards import HOOK_ERRORS
from corepool_http import events
from corepool_http.exchange import ClientDisconnectedError
from corepool_http.fields import hint_lines
from corepool_http.values import ResponseError, as_bytes, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.responses import Heads

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    Application = Callable[[dict[str, Any], Callable[..., Callable[[bytes], None]]], Iterable[bytes]]

log = logging.getLogger(__name__)

IN_ONE_PIECE = 65_536
"""Bytes of a file that are read and sent with the head; beyond, sendfile(2) is worth its own system call."""


class Call:
    """One call of the application."""

    __slots__ = ("_exchange", "_head", "_heads", "_is_head_sent", "_post")

    def __init__(self, exchange: Exchange, heads: Heads, post: Callable[[Callable[[], None]], object]) -> None:
        """Prepare a call.

        :param post: has the loop call something soon.
        """
        self._exchange = exchange
        self._heads = heads
        self._post = post
        self._head: Head | None = None
        self._is_head_sent = False

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        """Call it, and answer with the result. Raises nothing."""
        raise NotImplementedError

    def early_hints(self, headers: Iterable[tuple[str, str]]) -> None:
        """Send 103 (Early Hints, RFC 8297) at once: `environ["wsgi.early_hints"]`, as gunicorn has it.

        Nothing is sent behind the head of the response, or to a client of HTTP/1.0.

        :raises ResponseError: these are no headers.
        """
        lines = hint_lines(headers)
        if lines:
            self._hint(lines)

    def _hint(self, lines: bytes) -> None:
        raise NotImplementedError

    def _write(self, data: bytes) -> None:
        raise NotImplementedError

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
        except HOOK_ERRORS as error:
            events.response_close_failed.exception(log, error, request=self._exchange.describe())


def as_content(piece: object) -> bytes:
    """Return a piece of content as bytes.

    :raises ResponseError: it has no buffer.
    """
    return piece if type(piece) is bytes else as_bytes(piece, "a piece of the content")


def pieces_of(result: Any) -> Iterator[object]:
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


def answer_failure(exchange: Exchange, error: BaseException) -> None:
    """Log an exception of the application, and answer for it. Runs in: the loop."""
    exchange.call(partial(_answer, exchange, error))  # it may not let itself be looked at


def _answer(exchange: Exchange, error: BaseException) -> None:
    if isinstance(error, ClientDisconnectedError):
        events.client_gone(log, request=exchange.describe(), error=error)
        if not exchange.ended:
            exchange.refuse_content()
    elif isinstance(error, ResponseError):
        exchange.fail_badly(error)
    else:
        events.request_failed.exception(log, error, request=exchange.describe())
        exchange.fail()
