"""A tunnel on a stream of its own: a WebSocket's bytes in DATA frames (RFC 8441)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from corepool_http.http2.errors import Code

if TYPE_CHECKING:
    from corepool_http.http2.carrier import Carrier
    from corepool_http.http2.response_stream import ResponseStream
    from corepool_http.stream import TunnelUser


class StreamTunnel:
    """The application's way to send through a stream, and the client's bytes on their way to it."""

    __slots__ = ("_carrier", "_is_paused", "_stream", "_user", "due", "eof")

    def __init__(self, carrier: Carrier, stream: ResponseStream, user: TunnelUser) -> None:
        """Hand what arrives from here on to `user`."""
        self._carrier = carrier
        self._stream = stream
        self._user: TunnelUser | None = user
        self._is_paused = False
        self.eof = False
        """The client has ended its side."""
        self.due = math.inf

    # --- the application's side

    @property
    def congested(self) -> bool:
        return self._stream.congested

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def send_now(self) -> None:
        self._stream.send_now()

    def send(self, data: bytes) -> None:
        self._stream.send(data)

    def close(self) -> None:
        """Send what waits, then END_STREAM, which is TCP's FIN here."""
        self._stream.end_output()

    def abort(self) -> None:
        """Reset the stream, as TCP would the connection."""
        self._stream.reset(Code.CANCEL)

    def pause(self) -> None:
        """Receive no more than the window lets come."""
        self._is_paused = True

    def resume(self) -> None:
        """Open the window again."""
        self._is_paused = False
        self._consume()

    def deadline(self, seconds: float | None) -> None:
        if seconds is None:
            self.due = math.inf
        else:
            self.due = self._carrier.deadlines.after(seconds)

    # --- the client's side

    def take(self) -> bytes:
        """Take the bytes that have come."""
        body = self._stream.body
        if body is None or not body.pieces:
            return b""
        data = body.take()
        if not self._is_paused:
            self._consume()
        return data

    def receive(self) -> None:
        """Hand on bytes that have come, and the end of the client's side."""
        data = self.take()
        if data and self._user is not None:
            self._user.receive(data)
        body = self._stream.body
        if body is not None and body.complete:
            self.end_of_input()

    def end_of_input(self) -> None:
        """Hand on that the client has ended its side."""
        if not self.eof:
            self.eof = True
            if self._user is not None:
                self._user.receive(b"")

    def on_room(self) -> None:
        """Let the application go on: the client has read."""
        if self._user is not None:
            self._user.room()

    def leave(self) -> None:
        """Let the application end soon."""
        if self._user is not None:
            self._user.leave()

    def gone(self) -> None:
        """Let the application end: nothing can be sent any more."""
        user, self._user = self._user, None
        self.due = math.inf
        if user is not None:
            user.gone()

    def check(self, now: float) -> float:
        """Act on a deadline that has passed, and return the next."""
        if self.due <= now and self._user is not None:
            self.due = math.inf
            self._user.on_deadline()
        return self.due

    def _consume(self) -> None:
        stream = self._stream
        if stream.unread and not stream.closed:
            self._carrier.codec.consumed(stream, stream.unread)
            self._carrier.output.touch()
