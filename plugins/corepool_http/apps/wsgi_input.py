"""wsgi.input (PEP 3333): the content of a request, received before the application is called, or as it reads.

Content is received first, into memory or a file, so that a slow client occupies no thread. Only that of a client that
waits for "100 Continue" is received while the application runs, and only if it runs in a thread.
"""

from __future__ import annotations

import io
import logging
import threading
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, cast

from corepool.guards import HOOK_ERRORS
from corepool_http import events
from corepool_http.exchange import ClientDisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

    from corepool.streams import Mailbox
    from corepool_http.exchange import Exchange

log = logging.getLogger(__name__)

_IN_MEMORY = 512 * 1024
"""Bytes of a request's content that are kept in memory; more goes to a temporary file."""

_READ_BYTES = 65_536


class Reception:
    """Receives the content of one request, then has it served."""

    def __init__(self, exchange: Exchange, begin: Callable[[Exchange, io.IOBase], None]) -> None:
        assert exchange.request.body is not None
        self._exchange = exchange
        self._body = exchange.request.body
        self._begin = begin
        self._content = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # the application's, then closed
        self._body.on_change = self._on_change
        self._on_change()

    def _on_change(self) -> None:
        body, exchange = self._body, self._exchange
        has_more = bool(body.pieces)
        try:
            if has_more:
                self._content.write(body.take())
            if body.complete:
                self._content.seek(0)  # the file's buffer is written now, at the latest
        except OSError as error:
            events.request_content_not_kept(log, request=exchange.describe(), reason=error)
            self._end()
            exchange.fail(507)
            return
        if has_more:
            exchange.want_body()
        if body.failed or exchange.ended:
            self._end()
            if not exchange.ended:
                exchange.refuse_content()
        elif body.complete:
            body.on_change = None
            try:
                self._begin(exchange, cast("io.IOBase", self._content))
            except HOOK_ERRORS as error:
                events.request_failed.exception(log, error, request=exchange.describe())
                exchange.fail()

    def _end(self) -> None:
        self._body.on_change = None
        try:
            self._content.close()
        except OSError:
            pass  # the content is of no use any more


def streamed(exchange: Exchange, mailbox: Mailbox) -> io.BufferedReader:
    """Return a wsgi.input that has the client send its content once it is read. For threads."""
    return io.BufferedReader(_Stream(exchange, mailbox), _READ_BYTES)


class _Stream(io.RawIOBase):
    """Hands the pieces of a request's content, which the loop receives, to the thread that reads them."""

    def __init__(self, exchange: Exchange, mailbox: Mailbox) -> None:
        self._exchange = exchange
        self._mailbox = mailbox
        self._changed = threading.Condition()
        self._piece = memoryview(b"")
        self._is_whole = False
        self._is_broken = False
        self._has_asked = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Receive something.

        :returns: its size; 0: that was all of the content.
        :raises ClientDisconnectedError: the rest will never come.
        """
        with self._changed:
            if not self._has_asked:
                self._has_asked = True
                self._mailbox.post(self._ask)
            while not (self._piece or self._is_whole or self._is_broken):
                self._changed.wait()
            if self._piece:
                target = memoryview(buffer).cast("B")
                size = min(len(target), len(self._piece))
                target[:size] = self._piece[:size]
                self._piece = self._piece[size:]
                if not self._piece:
                    self._mailbox.post(self._take)
                return size
            if self._is_broken:
                raise ClientDisconnectedError("the client has not sent the whole content of its request")
            return 0

    # --- in the loop

    def _ask(self) -> None:
        body = self._exchange.request.body
        assert body is not None
        body.on_change = self._take
        self._exchange.want_body()
        self._take()

    def _take(self) -> None:
        exchange = self._exchange
        body = exchange.request.body
        assert body is not None
        with self._changed:
            if self._piece:
                return
            if body.pieces:
                self._piece = memoryview(body.take())
            elif body.complete:
                self._is_whole = True
            elif body.failed or exchange.ended:
                self._is_broken = True
            self._changed.notify_all()
        exchange.want_body()
