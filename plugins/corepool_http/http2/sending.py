"""The sending half of the codec: responses and control frames in bytes, within the client's windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2 import frames
from corepool_http.http2.errors import Code
from corepool_http.http2.frames import DATA, END_HEADERS, END_STREAM, frame_head
from corepool_http.http2.response_blocks import NO_TABLE, encode_fields, encode_length, encode_status
from corepool_http.http2.streams import CLOSED, ENDED_BY_CLIENT, ENDED_BY_SERVER, NEXT, RESET, SERVER_ENDS

if TYPE_CHECKING:
    from corepool_http.http2.known import KnownBlocks
    from corepool_http.http2.streams import BaseStream
    from corepool_http.message import Fields

_MAX_REMEMBERED = 128
"""Streams whose reset is remembered (RFC 9113, 5.1: "closed")."""


class Sender:
    """Makes the frames of one connection. The windows of its streams bound what it is given."""

    __slots__ = (
        "_known",
        "_last_goaway",
        "_output",
        "_shrinks_table",
        "last_forgotten",
        "last_stream",
        "max_frame",
        "resets",
        "room",
        "streams",
    )

    def __init__(self, known: KnownBlocks) -> None:
        self.streams: dict[int, BaseStream] = {}
        """Those that are not closed."""
        self.room = frames.DEFAULT_WINDOW
        """Bytes of content that the client's window of the connection has room for."""
        self.last_stream = 0
        """The highest stream that the client has begun."""
        self.resets: dict[int, bool] = {}
        """Streams that were reset lately, and whether by the client."""
        self.last_forgotten = 0
        """The highest stream whose reset is not remembered any more."""
        self._known = known
        self._output: list[bytes] = []
        self.max_frame = frames.MAX_FRAME
        """The client's SETTINGS_MAX_FRAME_SIZE."""
        self._shrinks_table = False
        """The next header block has to say that the encoder uses no dynamic table."""
        self._last_goaway = frames.MAX_STREAM

    def take(self) -> bytes:
        """Return all output since the last call."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    def room_of(self, stream: BaseStream) -> int:
        """Return how many bytes of content may be sent on a stream now (RFC 9113, 5.2)."""
        return max(0, min(self.room, stream.send_window))

    def send_head(self, stream: BaseStream, status: int, lines: bytes, length: int, ends: bool) -> None:  # noqa: FBT001
        """Send the head of a response, or an interim one (RFC 9113, 8.1).

        On a closed stream nothing is sent, here and below.

        :param lines: the headers, as `Head.lines` has them.
        :param length: the Content-Length to be added; -1: none.
        :param ends: nothing follows.
        """
        if stream.state > ENDED_BY_CLIENT:
            return
        block = encode_status(status) + self._known.block(lines)
        if length >= 0:
            block += encode_length(length)
        self._send_block(stream, block, ends)

    def send_trailers(self, stream: BaseStream, fields: Fields) -> None:
        """End a response with trailers; their names are in lower case."""
        if stream.state <= ENDED_BY_CLIENT:
            self._send_block(stream, encode_fields(fields), True)

    def send_data(self, stream: BaseStream, data: bytes, ends: bool) -> None:  # noqa: FBT001
        """Send content (RFC 9113, 6.1).

        :param data: no more than `room_of(stream)`.
        :param ends: nothing follows.
        """
        if stream.state > ENDED_BY_CLIENT:
            return
        size, most = len(data), self.max_frame
        output = self._output
        at = 0
        while size - at > most:
            output.append(frame_head(most, DATA, 0, stream.number))
            output.append(data[at : at + most])
            at += most
        output.append(frame_head(size - at, DATA, END_STREAM if ends else 0, stream.number))
        output.append(data[at:] if at else data)
        self.room -= size
        stream.send_window -= size
        if ends:
            self._end(stream)

    def send_frames(self, stream: BaseStream, frames: bytes, size: int, ends: bool) -> None:  # noqa: FBT001
        """Send content that is in frames of DATA already.

        :param size: bytes of content, no more than `room_of(stream)`.
        :param ends: the last frame says so.
        """
        if stream.state > ENDED_BY_CLIENT:
            return
        self._output.append(frames)
        self.room -= size
        stream.send_window -= size
        if ends:
            self._end(stream)

    def reset(self, stream: BaseStream, code: int) -> None:
        """End a stream at once (RFC 9113, 6.4). What the client still sends on it is ignored."""
        if stream.state != CLOSED:
            self._output.append(frames.rst_stream(stream.number, code))
            stream.reset_code = code
            self._close(stream)
            self._remember(stream.number, False)

    def goaway(self, code: int, last: int | None = None) -> None:
        """Announce the end of the connection (RFC 9113, 6.8).

        :param last: streams beyond it are refused from here on; None: none is yet.
        """
        if last is not None:
            self._last_goaway = last = min(last, self._last_goaway)
        self._output.append(frames.goaway(frames.MAX_STREAM if last is None else last, code))

    def ping(self, data: bytes) -> None:
        """Ask for an answer behind all that the client has sent before.

        :param data: 8 bytes.
        """
        self._output.append(frames.ping(data))

    def _send_block(self, stream: BaseStream, block: bytes, ends: bool) -> None:  # noqa: FBT001
        if self._shrinks_table:
            self._shrinks_table = False
            block = NO_TABLE + block
        output, most = self._output, self.max_frame
        flags = END_STREAM if ends else 0
        size = len(block)
        if size <= most:
            output.append(frame_head(size, frames.HEADERS, flags | END_HEADERS, stream.number))
            output.append(block)
        else:
            kind = frames.HEADERS
            for at in range(0, size, most):
                piece = block[at : at + most]
                flags |= END_HEADERS if at + most >= size else 0
                output.append(frame_head(len(piece), kind, flags, stream.number))
                output.append(piece)
                kind, flags = frames.CONTINUATION, 0
        if ends:
            self._end(stream)

    def _end(self, stream: BaseStream) -> None:
        """Go on after END_STREAM: the client need not send the rest of its content (RFC 9113, 8.1)."""
        state = NEXT[SERVER_ENDS | stream.state]
        if state == ENDED_BY_SERVER and not stream.is_tunnel:
            self.reset(stream, Code.NO_ERROR)
        elif state == CLOSED:
            self._close(stream)
        else:
            stream.state = state

    def _close(self, stream: BaseStream) -> None:
        stream.state = NEXT[RESET | stream.state]
        self.streams.pop(stream.number, None)

    def _remember(self, number: int, by_client: bool) -> None:  # noqa: FBT001
        resets = self.resets
        if len(resets) >= _MAX_REMEMBERED:
            forgotten = next(iter(resets))
            del resets[forgotten]
            self.last_forgotten = max(self.last_forgotten, forgotten)
        resets[number] = by_client
