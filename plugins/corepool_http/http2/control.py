"""The frames that are about the connection, or about a stream as a whole (RFC 9113, 6.3 to 6.9; RFC 9218, 7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2 import frames, settings
from corepool_http.http2.bounds import (
    LATE,
    PINGS,
    PRIORITIES,
    RESETS,
    SETTINGS,
    SMALL_UPDATE,
    UNKNOWN,
    VALUES,
    WINDOWS,
)
from corepool_http.http2.errors import Code, Failure, StreamFailure
from corepool_http.http2.hpack import TABLE_SIZE
from corepool_http.http2.priorities import priority_of
from corepool_http.http2.sending import Sender
from corepool_http.http2.streams import LOST, PRIORITY, ROOM

if TYPE_CHECKING:
    from corepool_http.http2.bounds import Bounds
    from corepool_http.http2.known import KnownBlocks
    from corepool_http.http2.streams import BaseStream

_MAX_EARLY_PRIORITIES = 16
"""PRIORITY_UPDATE frames for streams that have not begun, which are kept (RFC 9218, 7)."""


class ControlFrames(Sender):
    """Receives these frames, and answers them."""

    __slots__ = (
        "_bounds",
        "_found",
        "_initial_window",
        "_priorities",
        "_tree_is_off",
        "goaway_code",
        "is_acknowledged",
        "opened",
        "pong",
    )

    def __init__(self, known: KnownBlocks, bounds: Bounds) -> None:
        super().__init__(known)
        self.opened = False
        """A send window has opened that was used up, of the connection or of all streams. The driver sets it back."""
        self.pong: bytes | None = None
        """The last answer to a ping of ours. The driver sets it back."""
        self.is_acknowledged = False
        """The client has taken note of the server's SETTINGS."""
        self.goaway_code: int | None = None
        """That of the client's GOAWAY."""
        self._bounds = bounds
        self._found: list[BaseStream] = []
        """Streams with news."""
        self._initial_window = frames.DEFAULT_WINDOW
        """The client's SETTINGS_INITIAL_WINDOW_SIZE."""
        self._priorities: dict[int, tuple[int, bool]] | None = None
        """Of streams that have not begun."""
        self._tree_is_off: int | None = None
        """The client's SETTINGS_NO_RFC7540_PRIORITIES."""

    def _tell(self, stream: BaseStream, news: int) -> None:
        if not stream.news:
            self._found.append(stream)
        stream.news |= news

    def _begin(self, stream: BaseStream) -> None:
        self.streams[stream.number] = stream

    def _lose(self, stream: BaseStream) -> None:
        """Report a stream that was reset."""
        body = stream.body
        if body is not None and not body.complete:
            body.failed = True
        self._tell(stream, LOST)

    def _receive_control(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == frames.WINDOW_UPDATE:
            self._receive_window_update(number, payload)
        elif kind == frames.RST_STREAM:
            self._receive_rst(number, payload)
        elif kind == frames.PING:
            self._receive_ping(flags, number, payload)
        elif kind == frames.SETTINGS:
            self._receive_settings(flags, number, payload)
        elif kind == frames.PRIORITY:
            self._receive_priority(number, payload)
        elif kind == frames.PRIORITY_UPDATE:
            self._receive_priority_update(number, payload)
        elif kind == frames.GOAWAY:
            _expect(number == 0, "GOAWAY on a stream")
            _expect(len(payload) >= 8, "GOAWAY", Code.FRAME_SIZE_ERROR)
            self.goaway_code = int.from_bytes(payload[4:8])
        elif kind == frames.PUSH_PROMISE:
            raise Failure(Code.PROTOCOL_ERROR, "PUSH_PROMISE of a client")
        else:
            self._bounds.count(UNKNOWN, "unknown_frames_flood")

    def _receive_settings(self, flags: int, number: int, payload: bytes) -> None:
        _expect(number == 0, "SETTINGS on a stream")
        if flags & frames.ACK:
            _expect(not payload, "SETTINGS with ACK and a payload", Code.FRAME_SIZE_ERROR)
            self._bounds.count(SETTINGS, "settings_flood")
            self.is_acknowledged = True
            return
        _expect(len(payload) % 6 == 0, "SETTINGS", Code.FRAME_SIZE_ERROR)
        self._bounds.count(SETTINGS, "settings_flood")
        for name, value in settings.read(payload):
            self._bounds.count(VALUES, "settings_flood")
            if name == settings.INITIAL_WINDOW_SIZE:
                self._change_windows(value)
            elif name == settings.MAX_FRAME_SIZE:
                self.max_frame = value
            elif name == settings.HEADER_TABLE_SIZE:
                self._shrinks_table = self._shrinks_table or value < TABLE_SIZE
            elif name == settings.NO_RFC7540_PRIORITIES:
                _expect(self._tree_is_off in {None, value}, "another value of SETTINGS_NO_RFC7540_PRIORITIES")
                self._tree_is_off = value
        if self._tree_is_off is None:
            self._tree_is_off = 0
        self._output.append(frames.SETTINGS_ACK)

    def _change_windows(self, value: int) -> None:
        """Apply a new initial window to the streams that have begun (RFC 9113, 6.9.2)."""
        change = value - self._initial_window
        self._initial_window = value
        for stream in self.streams.values():
            before = stream.send_window
            stream.send_window += change
            _expect(stream.send_window <= frames.MAX_WINDOW, "a window beyond 2^31-1", Code.FLOW_CONTROL_ERROR)
            if before <= 0 < stream.send_window:
                self._tell(stream, ROOM)

    def _receive_window_update(self, number: int, payload: bytes) -> None:
        _expect(len(payload) == 4, "WINDOW_UPDATE", Code.FRAME_SIZE_ERROR)
        increment = int.from_bytes(payload) & frames.MAX_WINDOW
        if increment < SMALL_UPDATE:
            self._bounds.count(WINDOWS, "window_flood")
        if number == 0:
            _expect(increment > 0, "WINDOW_UPDATE of 0")
            before = self.room
            self.room += increment
            _expect(self.room <= frames.MAX_WINDOW, "a window beyond 2^31-1", Code.FLOW_CONTROL_ERROR)
            self.opened = self.opened or before <= 0 < self.room
            return
        stream = self.streams.get(number)
        if stream is None:
            self._judge_passed(number, "WINDOW_UPDATE")
            return
        if not increment:
            raise StreamFailure(Code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
        before = stream.send_window
        stream.send_window += increment
        if stream.send_window > frames.MAX_WINDOW:
            raise StreamFailure(Code.FLOW_CONTROL_ERROR, "a window beyond 2^31-1")
        if before <= 0 < stream.send_window:
            self._tell(stream, ROOM)

    def _receive_rst(self, number: int, payload: bytes) -> None:
        _expect(number != 0, "RST_STREAM on stream 0")
        _expect(len(payload) == 4, "RST_STREAM", Code.FRAME_SIZE_ERROR)
        stream = self.streams.get(number)
        if stream is None:
            self._judge_passed(number, "RST_STREAM")
            self._bounds.count(LATE, "late_frames_flood")
            return
        stream.reset_code = int.from_bytes(payload)
        stream.reset_by_client = True
        self._close(stream)
        self._remember(number, True)
        self._lose(stream)
        self._bounds.count(RESETS, "rapid_reset")

    def _judge_passed(self, number: int, name: str) -> None:
        """Judge RST_STREAM or WINDOW_UPDATE for a stream that is not there: they may cross its end (5.1)."""
        _expect(0 < number <= self.last_stream and number & 1, f"{name} on idle stream {number}")

    def _receive_ping(self, flags: int, number: int, payload: bytes) -> None:
        _expect(number == 0, "PING on a stream")
        _expect(len(payload) == 8, "PING", Code.FRAME_SIZE_ERROR)
        self._bounds.count(PINGS, "ping_flood")
        if flags & frames.ACK:
            self.pong = payload
        else:
            self._output.append(frames.ping(payload, frames.ACK))

    def _receive_priority(self, number: int, payload: bytes) -> None:
        """Ignore the priorities of RFC 7540 (RFC 9113, 5.3.2 and 6.3)."""
        _expect(number != 0, "PRIORITY on stream 0")
        self._bounds.count(PRIORITIES, "priority_flood")
        if len(payload) != 5:
            raise StreamFailure(Code.FRAME_SIZE_ERROR, "PRIORITY")

    def _receive_priority_update(self, number: int, payload: bytes) -> None:
        _expect(number == 0, "PRIORITY_UPDATE on a stream")
        _expect(len(payload) >= 4, "PRIORITY_UPDATE", Code.FRAME_SIZE_ERROR)
        target = int.from_bytes(payload[:4]) & frames.MAX_STREAM
        _expect(target & 1, "PRIORITY_UPDATE for no request")
        self._bounds.count(PRIORITIES, "priority_flood")
        said = priority_of(payload[4:])
        if said is None:
            return
        stream = self.streams.get(target)
        if stream is not None:
            stream.urgency, stream.incremental = said
            self._tell(stream, PRIORITY)
        elif target > self.last_stream:
            if self._priorities is None:
                self._priorities = {}
            elif len(self._priorities) >= _MAX_EARLY_PRIORITIES:
                del self._priorities[next(iter(self._priorities))]
            self._priorities[target] = said

    def _prioritize(self, stream: BaseStream) -> None:
        """Set the priority that came before its stream: it has precedence over the header (RFC 9218, 7)."""
        if self._priorities is not None:
            said = self._priorities.pop(stream.number, None)
            if said is not None:
                stream.urgency, stream.incremental = said


def _expect(holds: object, what: str, code: Code = Code.PROTOCOL_ERROR) -> None:
    if not holds:
        raise Failure(code, what if code != Code.FRAME_SIZE_ERROR else f"{what} of a wrong size")
