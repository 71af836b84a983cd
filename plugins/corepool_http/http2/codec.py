"""HTTP/2 without I/O, the server's side (RFC 9113): bytes in and news of streams out, responses in and bytes out.

`receive` never raises for a client's bytes: `failure` says why nothing more is read. The codec counts whatever a client
could have it do for nothing (`bounds`); the driver does not call `receive` while its output is not read, which bounds
the answers to control frames.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_http.http2 import frames, settings
from corepool_http.http2.bounds import EMPTY, STREAMS, Bounds
from corepool_http.http2.content import ContentFrames
from corepool_http.http2.errors import Code, Failure, StreamFailure, malformed
from corepool_http.http2.frames import END_HEADERS, END_STREAM, HEAD_SIZE, PADDED, PREFACE, WITH_PRIORITY
from corepool_http.http2.known import KnownBlocks
from corepool_http.http2.requests import RequestReader
from corepool_http.http2.streams import (
    CLIENT_ENDS,
    ENDED_BY_CLIENT,
    FAULT,
    NEXT,
    REQUEST,
)
from corepool_http.http2.windows import STREAM_WINDOW, WINDOW, ExtraRoom
from corepool_http.message import Body
from corepool_http.rules import too_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_http.http2.streams import BaseStream
    from corepool_http.options import ServerOptions

__all__ = ["Codec", "Failure", "KnownBlocks"]

_MAX_BLOCK = 65_536
"""Bytes of a header block in several frames, and its frames below: such a block is answered with 431 at best."""
_MAX_FRAGMENTS = 64


class Codec(ContentFrames):
    """One connection."""

    __slots__ = (
        "_fragments",
        "_fragments_end",
        "_fragments_of",
        "_fragments_size",
        "_had_settings",
        "_make_stream",
        "_max_streams",
        "_preface",
        "_reader",
        "_rest",
        "failure",
    )

    def __init__(
        self,
        options: ServerOptions,
        known: KnownBlocks,
        make_stream: Callable[[int], BaseStream],
        *,
        max_streams: int = 128,
        serves_websockets: bool = True,
        extra: ExtraRoom | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the server's preface in the output (RFC 9113, 3.4).

        :param make_stream: makes a stream with this number.
        :param max_streams: open at once (SETTINGS_MAX_CONCURRENT_STREAMS).
        :param extra: for windows that grow, shared with other connections.
        :param clock: seconds, asked only when a bound is reached.
        """
        super().__init__(known, Bounds(clock), options.max_body, extra or ExtraRoom())
        self.failure: Failure | None = None
        """Why nothing more is read, if so; the output has the GOAWAY."""
        self._make_stream = make_stream
        self._max_streams = max_streams
        self._reader = RequestReader(options, known, serves_websockets=serves_websockets)
        self._preface = PREFACE
        """The part of it that has not come yet."""
        self._had_settings = False
        self._rest = b""
        """Of a frame: its bytes that have come."""
        self._fragments: list[bytes] | None = None
        """Of a header block whose end has not come (RFC 9113, 6.10)."""
        self._fragments_of = 0
        self._fragments_size = 0
        self._fragments_end = False
        values = settings.ours(self._max_streams, options.max_head, serves_websockets=serves_websockets)
        self._output.append(frames.settings(values))
        self._output.append(frames.window_update(0, WINDOW - frames.DEFAULT_WINDOW))

    @property
    def in_head(self) -> bool:
        """True while a header block, or the first bytes of a frame, have come and the rest has not."""
        return self._fragments is not None or bool(self._rest) or bool(self._preface)

    def receive(self, data: bytes) -> list[BaseStream]:
        """Take bytes, and return the streams with `news`, each once. The caller sets `news` to 0 when it has seen it.

        Nothing is sent meanwhile, so a request that is reset in the same bytes is never served.
        """
        if self.failure is not None:
            return []
        found = self._found = []
        if self._rest:
            data = self._rest + data
            self._rest = b""
        try:
            self._receive(data)
        except Failure as failure:
            self.fail(failure)
        self._reopen()
        return found

    def fail(self, failure: Failure) -> None:
        """End the connection with an error (RFC 9113, 5.4.1)."""
        self.failure = failure
        self._output.append(frames.goaway(self.last_stream, failure.code, failure.reason.encode()))

    def _receive(self, data: bytes) -> None:
        at, end = 0, len(data)
        if self._preface:
            at = self._receive_preface(data)
        while True:
            if self._in_content:
                at = self._receive_content(data, at, end)
            if end - at < HEAD_SIZE:
                break
            size = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            kind = data[at + 3]
            flags = data[at + 4]
            number = (data[at + 5] & 0x7F) << 24 | data[at + 6] << 16 | data[at + 7] << 8 | data[at + 8]
            if size > frames.MAX_FRAME:
                raise Failure(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            if not self._had_settings and (kind != frames.SETTINGS or flags & frames.ACK):
                raise Failure(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            if self._fragments is not None and (kind != frames.CONTINUATION or number != self._fragments_of):
                raise Failure(Code.PROTOCOL_ERROR, "another frame within a header block")
            begin = at + HEAD_SIZE
            if kind == frames.DATA and not flags & PADDED:
                self._begin_content(number, size, size, flags)
                at = begin
                continue
            if end - begin < size:
                break
            at = begin + size
            try:
                self._receive_frame(kind, flags, number, data, begin, at)
            except StreamFailure as failure:
                self._fail_stream(number, failure)
        if at < end:
            self._rest = data[at:]

    def _receive_preface(self, data: bytes) -> int:
        preface = self._preface
        size = min(len(preface), len(data))
        if data[:size] != preface[:size]:
            raise Failure(Code.PROTOCOL_ERROR, "not the preface of HTTP/2")
        self._preface = preface[size:]
        return size

    def _receive_frame(self, kind: int, flags: int, number: int, data: bytes, at: int, end: int) -> None:
        if kind == frames.HEADERS:
            self._receive_headers(flags, number, data, at, end)
        elif kind == frames.DATA:
            if at == end or data[at] >= end - at:
                raise Failure(Code.PROTOCOL_ERROR, "more padding than payload")
            self._begin_content(number, end - at, end - at - 1 - data[at], flags)
            if self._in_content:
                self._receive_content(data, at + 1, end - data[at])
        elif kind == frames.CONTINUATION:
            self._receive_continuation(flags, data, at, end)
        else:
            self._had_settings = True
            self._receive_control(kind, flags, number, data[at:end])

    # --- header blocks

    def _receive_headers(self, flags: int, number: int, data: bytes, at: int, end: int) -> None:
        if not number & 1:
            raise Failure(Code.PROTOCOL_ERROR, f"HEADERS on stream {number}")
        if flags & PADDED:
            if at == end:
                raise Failure(Code.FRAME_SIZE_ERROR, "HEADERS without the length of their padding")
            padding = data[at]
            at += 1
            end -= padding
        if flags & WITH_PRIORITY:  # of RFC 7540; ignored (RFC 9113, 5.3.2)
            at += 5
        if at > end:
            raise Failure(Code.PROTOCOL_ERROR, "more padding than payload")
        if not flags & END_HEADERS:
            self._fragments = [data[at:end]]
            self._fragments_of = number
            self._fragments_size = end - at
            self._fragments_end = bool(flags & END_STREAM)
            return
        self._receive_block(number, data[at:end], bool(flags & END_STREAM))

    def _receive_continuation(self, flags: int, data: bytes, at: int, end: int) -> None:
        fragments = self._fragments
        if fragments is None:
            raise Failure(Code.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        if at == end and not flags & END_HEADERS:
            self._bounds.count(EMPTY, "empty_frames_flood")
        fragments.append(data[at:end])
        self._fragments_size += end - at
        if self._fragments_size > _MAX_BLOCK or len(fragments) > _MAX_FRAGMENTS:
            raise Failure(
                Code.ENHANCE_YOUR_CALM,
                f"a header block of more than {_MAX_BLOCK} bytes, or {_MAX_FRAGMENTS} frames",
                "continuation_flood",
            )
        if flags & END_HEADERS:
            self._fragments = None
            self._receive_block(self._fragments_of, b"".join(fragments), self._fragments_end)

    def _receive_block(self, number: int, block: bytes, ends: bool) -> None:  # noqa: FBT001
        if number <= self.last_stream:
            self._receive_trailers(number, block, ends)
            return
        if number > self.last_stream + 2:
            self._first_skipped, self._last_skipped = self.last_stream + 2, number - 2
        self.last_stream = number
        if len(self.streams) >= self._max_streams or number > self._last_goaway:
            self._reader.skip(block)
            self._remember(number, False)
            self._output.append(frames.rst_stream(number, Code.REFUSED_STREAM))
            self._bounds.count(STREAMS, "stream_flood")
            return
        stream = self._make_stream(number)
        judged = self._reader.read(block, stream)
        stream.send_window = self._initial_window
        stream.receive_window = stream.whole_window = STREAM_WINDOW
        self._begin(stream)
        if judged is not None:
            stream.urgency, stream.incremental = judged.urgency, judged.incremental
            stream.expected = judged.length
        if ends:
            stream.state = ENDED_BY_CLIENT
            if stream.expected > 0 and not stream.is_tunnel:
                raise malformed("a Content-Length without content")
        elif judged is not None:
            self._expect_content(stream)
        if self._priorities is not None:
            self._prioritize(stream)
        self._tell(stream, REQUEST)

    def _expect_content(self, stream: BaseStream) -> None:
        request = stream.request
        assert request is not None
        if stream.expected > self._max_body and not stream.is_tunnel:
            stream.refusal = too_large(self._max_body)
            return
        stream.body = Body()
        if not stream.is_tunnel:
            request.body = stream.body

    def _receive_trailers(self, number: int, block: bytes, ends: bool) -> None:  # noqa: FBT001
        """Take the last header block of a request (RFC 9113, 8.1), or one for a stream that has ended."""
        stream = self.streams.get(number)
        if stream is None:
            self._reader.skip(block)
            self._judge_late(number)
            return
        if NEXT[CLIENT_ENDS | stream.state] == FAULT:
            self._reader.skip(block)
            raise StreamFailure(Code.STREAM_CLOSED, "HEADERS behind END_STREAM")
        fields = self._reader.read_trailers(block)
        if not ends:
            raise malformed("trailers without END_STREAM")
        if stream.body is not None and fields and not stream.body.failed:
            stream.body.trailers = fields
        self._end_request(stream)
