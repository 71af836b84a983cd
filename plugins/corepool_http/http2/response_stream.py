"""The response's side of a stream.

A response that is at hand, and fits, is made at once. Any other waits for its turn in `_pending`, from which the
connection's output asks for pieces (`emit`).
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from corepool_http import events
from corepool_http.clock import monotonic
from corepool_http.http2.errors import Code
from corepool_http.http2.output import Speaker
from corepool_http.http2.pending import Pending

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.http2.carrier import Carrier
    from corepool_http.http2.unfinished import Token
    from corepool_http.message import Fields
    from corepool_http.responses import Heads

log = logging.getLogger(__name__)

_HIGH_WATER, _LOW_WATER = 65_536, 32_768
"""Bytes of one response that wait, above which its application waits, and below which it goes on."""

# How a response ends, once its content has left.
_OPEN = 0
_WHOLE = 1
_BROKEN = 2


class ResponseStream(Speaker):
    """The codec's record of a stream, with the response of its exchange."""

    __slots__ = (
        "_carrier",
        "_ending",
        "_head",
        "_is_full",
        "_is_made",
        "_is_over",
        "_pending",
        "_trailers",
        "body_due",
        "exchange",
        "token",
    )

    def __init__(self, carrier: Carrier, number: int) -> None:
        Speaker.__init__(self, number)
        self._carrier = carrier
        self.exchange: Exchange | None = None
        """Until its end was counted."""
        self._head: tuple[int, bytes] | None = None
        """Of a response in pieces, until the batch is over: its end may come with it."""
        self._pending: Pending | None = None
        self._trailers: Fields | None = None
        self._ending = _OPEN
        self._is_made = False
        """All of the response was handed to the codec."""
        self._is_full = False
        self._is_over = False
        """Nothing can be sent any more."""
        self.body_due = math.inf
        self.token: Token | None = None
        """Of a lost request: freed when its application lets go of the exchange."""

    def let_go(self) -> None:
        """End: nothing more is sent."""
        raise NotImplementedError

    # --- the client's readiness

    @property
    def heads(self) -> Heads:
        return self._carrier.service.heads

    @property
    def congested(self) -> bool:
        return self._is_full

    @property
    def closed(self) -> bool:
        return self._is_over or self._carrier.conn.closed

    @property
    def eof(self) -> bool:
        return self._carrier.conn.eof

    def send_now(self) -> None:
        if not self._is_over:
            self._carrier.output.flush()
            self._carrier.conn.send_now()

    # --- the exchange's stream

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        """Send a head, with all of the content or with none."""
        carrier = self._carrier
        output = carrier.output
        lines = head.lines
        if size is None:
            self._head = head.status, lines
            output.add_head(self)
            return
        length = -1
        if head.length is None and not head.bodyless:
            assert self.exchange is not None
            if size or not self.exchange.is_head:
                length = size
        codec = carrier.codec
        count = len(content)
        if not count:
            codec.send_head(self, head.status, lines, length, True)
            self._is_made = True
        else:
            codec.send_head(self, head.status, lines, length, False)
            if output.has_room() and count <= codec.room_of(self):
                codec.send_data(self, content, True)
                output.made += count
                self._is_made = True
            else:
                self._queue().append(content)

    def hint(self, lines: bytes) -> None:
        """Send 103 (Early Hints)."""
        self._send_interim(103, lines)

    def send(self, data: bytes) -> None:
        """Send a piece of content, or of a tunnel."""
        if self._is_over or self._ending:
            return
        self._queue().append(data)
        self._queued()

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file."""
        if self._is_over:
            return
        self._queue().append_file(file, offset, count)
        self._queued()

    def _queue(self) -> Pending:
        pending = self._pending
        if pending is None:
            pending = self._pending = Pending()
        return pending

    def _queued(self) -> None:
        assert self._pending is not None
        if self._pending.size > _HIGH_WATER:
            self._is_full = True
        self._carrier.output.add(self)

    def end(self) -> None:
        """End a response that is whole."""
        self._end(_WHOLE)

    def end_with(self, trailers: Fields) -> None:
        """End a response that is whole, with trailers."""
        self._trailers = trailers
        self._end(_WHOLE)

    def break_off(self) -> None:
        """End a response that is not whole: reset the stream, once its content has left."""
        self._end(_BROKEN)

    def _end(self, ending: int) -> None:
        carrier = self._carrier
        exchange, self.exchange = self.exchange, None
        self._ending = ending
        self.body_due = math.inf
        if exchange is not None:
            carrier.service.ended(exchange, monotonic())
        if self._is_over:
            return
        if self._is_made and ending == _WHOLE:
            carrier.output.touch()
            carrier.forget(self)
        else:
            carrier.output.add(self)

    def _send_interim(self, status: int, lines: bytes) -> None:
        self._carrier.codec.send_head(self, status, lines, -1, False)
        self._carrier.output.touch()

    def end_output(self) -> None:
        """End the application's side of a tunnel."""
        if not (self._is_over or self._ending):
            self._ending = _WHOLE
            self._carrier.output.add(self)

    # --- when its turn has come

    def emit_head(self) -> None:
        """Make the head, if it is due, with the end of a response without content."""
        head, self._head = self._head, None
        if head is None or self._is_over:
            return
        status, lines = head
        is_all = self._ending == _WHOLE and self._pending is None and self._trailers is None
        self._carrier.codec.send_head(self, status, lines, -1, is_all)
        if is_all:
            self._is_made = True
            self._carrier.forget(self)

    def emit(self, most: int) -> int:
        """Make the next piece, of `most` bytes, as far as the windows have room; return its size."""
        carrier, pending = self._carrier, self._pending
        codec = carrier.codec
        size = 0
        if pending is not None and pending.size:
            room = codec.room_of(self)
            if room <= 0:
                carrier.output.block(self)
                return 0
            size = self._emit_content(pending, min(room, most))
            if not size:
                return 0
            self.blocked_at = math.inf
            if self._is_full and pending.size <= _LOW_WATER:
                self._is_full = False
                carrier.output.relieve(self)
            if pending.size:
                return size
        if not self._ending:
            carrier.output.remove(self)
            return size
        if self._ending == _BROKEN:
            codec.reset(self, Code.INTERNAL_ERROR)
        elif self._trailers is not None:
            codec.send_trailers(self, self._trailers)
        elif not self._is_made:
            codec.send_data(self, b"", True)
        if self.is_tunnel and not self.is_closed:
            codec.reset(self, Code.NO_ERROR)  # the client need not send the rest (RFC 9113, 8.1)
        carrier.forget(self)
        return size

    def _emit_content(self, pending: Pending, most: int) -> int:
        """Make the next piece of content, which is there, and return its size; 0: it can't be read."""
        codec = self._carrier.codec
        is_last = self._ending == _WHOLE and self._trailers is None
        part = pending.file()
        if part is None:
            data = pending.take(most)
            self._is_made = is_last and not pending.size
            codec.send_data(self, data, self._is_made)
            return len(data)
        count = min(most, part.left)
        size = pending.size
        try:
            data = pending.take_from(part, count, codec.max_frame, self.number, is_last and size == count)
        except (OSError, EOFError) as error:
            events.file_not_read(log, request=f"stream {self.number}", reason=error)
            self.reset(Code.INTERNAL_ERROR)
            return 0
        self._is_made = is_last and not pending.size
        size -= pending.size
        codec.send_frames(self, data, size, self._is_made)
        return size

    def reset(self, code: Code) -> None:
        """End at once, and drop what waits."""
        if not self._is_over:
            self._carrier.codec.reset(self, code)
            self._carrier.lose(self)
            self._carrier.output.touch()
