"""Content of requests: DATA frames, as far as they have come, within their windows (RFC 9113, 5.2 and 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2 import frames
from corepool_http.http2.bounds import EMPTY, LATE, RESETS
from corepool_http.http2.control import ControlFrames
from corepool_http.http2.errors import Code, Failure, StreamFailure, malformed
from corepool_http.http2.frames import END_STREAM
from corepool_http.http2.streams import CLIENT_ENDS, CLIENT_SENDS, CLOSED, CONTENT, FAULT, NEXT
from corepool_http.http2.windows import MAX_EXTRA, MAX_STREAM_WINDOW, STREAM_WINDOW, WINDOW
from corepool_http.rules import too_large

if TYPE_CHECKING:
    from corepool_http.http2.bounds import Bounds
    from corepool_http.http2.known import KnownBlocks
    from corepool_http.http2.streams import BaseStream
    from corepool_http.http2.windows import ExtraRoom
    from corepool_http.message import Body

_SMALL_PIECE, _MERGED_PIECE = 512, 4_096
"""A piece of content of less than the one is added to the last one, if that is less than the other: each has a cost of
its own, and a client may send it byte by byte."""


class ContentFrames(ControlFrames):
    """Receives content, and judges the streams that it is for."""

    __slots__ = (
        "_content_ends",
        "_content_left",
        "_content_of",
        "_credit",
        "_extra",
        "_extra_taken",
        "_first_skipped",
        "_in_content",
        "_last_skipped",
        "_max_body",
        "_window",
    )

    def __init__(self, known: KnownBlocks, bounds: Bounds, max_body: int, extra: ExtraRoom) -> None:
        super().__init__(known, bounds)
        self._max_body = max_body
        self._extra = extra
        self._extra_taken = 0
        """Bytes by which the windows of this connection's streams have grown."""
        self._in_content = False
        """A DATA frame has begun, and is not over."""
        self._content_of: BaseStream | None = None
        """Its stream; None in it: its content is ignored."""
        self._content_ends = False
        self._content_left = 0
        """Bytes of it that are still to come."""
        self._window = WINDOW
        """Bytes of content that the client may send on the connection."""
        self._credit = 0
        """Those that have come, and were not given back to it."""
        self._first_skipped = self._last_skipped = 0
        """The last streams that the client has skipped."""

    def _begin_content(self, number: int, size: int, content: int, flags: int) -> None:
        """Begin a DATA frame (RFC 9113, 6.1 and 6.9.1).

        :param size: of its payload, which counts against the windows.
        :param content: of its content, without padding.
        """
        if number == 0 or number > self.last_stream:
            raise Failure(Code.PROTOCOL_ERROR, f"DATA on stream {number}")
        self._window -= size
        self._credit += size
        if self._window < 0:
            raise Failure(Code.FLOW_CONTROL_ERROR, "content beyond the window of the connection")
        self._content_of = None
        self._content_ends = bool(flags & END_STREAM)
        self._content_left = content
        self._in_content = content > 0
        try:
            self._begin_content_of(number, size, content)
        except StreamFailure as failure:
            self._fail_stream(number, failure)

    def _begin_content_of(self, number: int, size: int, content: int) -> None:
        stream = self.streams.get(number)
        if stream is None:
            self._judge_late(number)
            return
        if NEXT[CLIENT_SENDS | stream.state] == FAULT:
            raise StreamFailure(Code.STREAM_CLOSED, "DATA behind END_STREAM")
        stream.receive_window -= size
        if stream.receive_window < 0:
            raise StreamFailure(Code.FLOW_CONTROL_ERROR, "content beyond the window of the stream")
        stream.unread += content
        stream.credit += size - content
        if content:
            self._content_of = stream
        elif self._content_ends:
            self._end_request(stream)
        else:
            self._bounds.count(EMPTY, "empty_frames_flood")

    def _receive_content(self, data: bytes, at: int, end: int) -> int:
        """Take the content of a DATA frame as far as it has come, and return the place behind it."""
        size = min(self._content_left, end - at)
        self._content_left -= size
        is_over = self._content_left == 0
        self._in_content = not is_over
        stream = self._content_of
        if stream is None or not size:
            return at + size
        body = stream.body
        if stream.state == CLOSED or body is None or body.failed:
            stream.unread -= size
            stream.credit += size
        elif stream.is_tunnel or body.received + size <= self._max_body:
            _add(body, data[at : at + size])
            self._tell(stream, CONTENT)
        else:
            body.failed = True
            body.refusal = too_large(self._max_body)
            stream.unread -= size
            stream.credit += size
            self._tell(stream, CONTENT)
        if is_over:
            self._content_of = None
            if self._content_ends and stream.state != CLOSED:
                try:
                    self._end_request(stream)
                except StreamFailure as failure:
                    self._fail_stream(stream.number, failure)
        return at + size

    def _end_request(self, stream: BaseStream) -> None:
        """Go on after END_STREAM."""
        body = stream.body
        if body is not None and not body.failed:
            if stream.expected not in {-1, body.received} and not stream.is_tunnel:
                raise malformed(f"content of {body.received} bytes with a Content-Length of {stream.expected}")
            body.complete = True
            self._tell(stream, CONTENT)
        state = NEXT[CLIENT_ENDS | stream.state]
        if state == CLOSED:
            self._close(stream)
        else:
            stream.state = state

    def consumed(self, stream: BaseStream, count: int) -> None:
        """Open the window of a stream: its application has taken so many bytes of content (RFC 9113, 6.9)."""
        stream.unread -= count
        stream.credit += count
        if stream.credit >= stream.whole_window // 2 and NEXT[CLIENT_SENDS | stream.state] not in {FAULT, CLOSED}:
            if not stream.unread and stream.whole_window < MAX_STREAM_WINDOW:
                self._grow(stream)
            stream.receive_window += stream.credit
            self._output.append(frames.window_update(stream.number, stream.credit))
            stream.credit = 0

    def _grow(self, stream: BaseStream) -> None:
        """Double the window of a stream, as far as its content, and memory, make use of that."""
        wanted = min(stream.whole_window, MAX_STREAM_WINDOW - stream.whole_window, MAX_EXTRA - self._extra_taken)
        if stream.expected >= 0 and stream.body is not None:
            still_to_come = stream.expected - stream.body.received
            wanted = min(wanted, still_to_come - stream.receive_window - stream.credit)
        if wanted > 0:
            more = self._extra.take(wanted)
            self._extra_taken += more
            stream.whole_window += more
            stream.credit += more

    def _close(self, stream: BaseStream) -> None:
        self._give_back(stream.whole_window - STREAM_WINDOW)
        stream.whole_window = STREAM_WINDOW
        ControlFrames._close(self, stream)  # noqa: SLF001  # compiled, super() has no C method

    def let_go(self) -> None:
        """End: the connection is gone, and its memory free for others."""
        self._give_back(self._extra_taken)

    def _give_back(self, count: int) -> None:
        if count > 0:
            self._extra_taken -= count
            self._extra.give_back(count)

    def _reopen(self) -> None:
        """Open the window of the connection, once half of it is used."""
        if self._credit >= WINDOW // 2:
            self._window += self._credit
            self._output.append(frames.window_update(0, self._credit))
            self._credit = 0

    def _judge_late(self, number: int) -> None:
        """Judge HEADERS or DATA for a stream that is closed (RFC 9113, 5.1 and 5.1.1).

        :raises Failure: the client had ended it itself, or has never begun it.
        :raises StreamFailure: the client had reset it.
        """
        by_client = self.resets.get(number)
        if by_client is None and number > self.last_forgotten:
            if self._first_skipped <= number <= self._last_skipped:
                raise Failure(Code.PROTOCOL_ERROR, f"stream {number} begins behind {self.last_stream}")
            raise Failure(Code.STREAM_CLOSED, f"a frame on stream {number}, which has ended")
        self._bounds.count(LATE, "late_frames_flood")
        if by_client:
            raise StreamFailure(Code.STREAM_CLOSED, "a frame behind RST_STREAM")

    def _fail_stream(self, number: int, failure: StreamFailure) -> None:
        """End a stream with an error (RFC 9113, 5.4.2)."""
        stream = self.streams.get(number)
        if stream is None:
            self._output.append(frames.rst_stream(number, failure.code))
            self._remember(number, bool(self.resets.get(number)))
        else:
            self.reset(stream, failure.code)
            self._lose(stream)
        self._bounds.count(RESETS, "made_reset")


def _add(body: Body, data: bytes) -> None:
    pieces = body.pieces
    if len(data) < _SMALL_PIECE and pieces and len(pieces[-1]) < _MERGED_PIECE:
        pieces[-1] += data
        body.received += len(data)
        body.size += len(data)
    else:
        body.add(data)
