"""One request and its response, as the application sees them, whatever version of HTTP carries them.

The exchange sees to it that the content is no more and no less than was announced, and that a response that fails is
answered for. How it reaches the client is its stream's business: each version of HTTP has a driver, which makes a
stream for each request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool_http import events
from corepool_http.fields import takes_trailers
from corepool_http.head import judge_final, reason_of
from corepool_http.values import as_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import FileDescriptorLike

    from corepool_http.client import Client
    from corepool_http.head import Head
    from corepool_http.message import Fields, Request
    from corepool_http.stream import Stream, Tunnel, TunnelUser
    from corepool_http.values import ResponseError

log = logging.getLogger(__name__)

CLIENT_GONE = 499
"""The status, in the access log, of a request whose client left before its response began; nginx's."""


class ClientDisconnectedError(ConnectionResetError):
    """The client has left, or sent what can't be read, before the request or its response was whole.

    Raised into the application; an OSError, as ASGI has it for `send()`.
    """


class Exchange:
    """Serves one request; an application sees the connection only through it. Used in the loop's thread only."""

    __slots__ = (
        "_head",
        "_is_cut",
        "_is_empty",
        "_left",
        "_stream",
        "began_s",
        "client",
        "closes",
        "ended",
        "is_head",
        "is_refused",
        "on_gone",
        "on_room",
        "request",
        "sent",
        "started",
        "status",
    )

    _is_empty: bool
    """The response has no content, whatever the application sends. Set by `start`."""
    _left: int | None
    """Bytes of content that were announced, and not sent yet. Set by `start`."""

    def __init__(self, stream: Stream, request: Request, client: Client, began_s: float) -> None:
        self._stream = stream
        self.request: Request = request  # read through the field below, which has a type where this is compiled
        self.client: Client = client
        self.began_s = began_s
        self.status: int = 0
        self.sent: int = 0
        """Bytes of content."""
        self.started = False
        self.ended = False
        self.closes: bool = not self.request.keep_alive
        """No other request follows on its connection, if that carries one after the other."""
        self.is_refused = False
        """It is not a request that is served; its times are those of a client that is late, or wrong."""
        self.is_head: bool = self.request.line.is_head
        self.on_gone: Callable[[], None] | None = None
        """Called when nothing more can be sent: the response has ended, or the client has gone before."""
        self.on_room: Callable[[], None] | None = None
        """Called when the client has read enough for more."""
        self._head: Head | None = None
        """The head of a response that has begun, until it is sent."""
        self._is_cut = False
        """Content was left out, and the log says so."""

    @property
    def gone(self) -> bool:
        """True when nothing can be sent any more."""
        return self._stream.output.closed

    @property
    def is_half_closed(self) -> bool:
        """True when the client has ended its side, or is gone."""
        return self._stream.output.eof or self._stream.output.closed

    @property
    def congested(self) -> bool:
        """True while the client doesn't read enough for more; `on_room` tells of the end of that."""
        return self._stream.output.congested

    def describe(self) -> str:
        """Name the request, for the log."""
        return f"{self.request.line.method} {self.request.line.target.decode('latin-1')}"

    def want_body(self) -> None:
        """Receive content: the application has taken all that had come, or asks for the first of it."""
        if self.ended:
            return
        request = self.request
        invites = False
        if request.expects_continue:
            request.expects_continue = False
            invites = not self.started and request.body is not None and not request.body.received
        self._stream.want_content(invites=invites)

    def respond(self, head: Head, content: bytes) -> None:
        """Send a response whose content is at hand.

        :raises ResponseError: it can't be sent.
        """
        if self.ended:
            return
        if type(content) is not bytes:
            content = as_bytes(content, "the content")
        size = len(content)
        if head.bodyless or self.is_head:
            judge_final(head)
            self.status = head.status
            if content:
                self._leave_out()
                content = b""
        elif head.length is not None and head.length != size:
            self.closes = True
            self.start(head)
            if content:
                self.write(content)
            self.finish()
            return
        self.started = True
        self.status = head.status
        self.sent = len(content)
        stream = self._stream
        stream.begin(head, size, content)
        self.ended = True
        stream.end()
        if self.on_gone is not None:
            self._release()

    def start(self, head: Head) -> None:
        """Begin a response whose content follows in pieces. Its head leaves with the first of them.

        :raises ResponseError: it can't be sent.
        """
        if self.ended:
            return
        self._is_empty = head.bodyless or self.is_head
        if self._is_empty:
            judge_final(head)
        self.status = head.status
        self.started = True
        self._left = None if self._is_empty else head.length
        self._head = head

    def write(self, data: bytes) -> None:
        """Send a piece of the content, but no more than was announced. An empty one sends the head, if it is due.

        :raises ResponseError: it is no content.
        """
        if type(data) is not bytes:
            data = as_bytes(data, "the content")
        if self.ended:
            return
        if self._head is not None:
            self._send_head()
        if not data:
            return
        if self._is_empty or self._left is not None:
            data = data[: self._room_for(len(data))]
            if not data:
                return
        self.sent += len(data)
        self._stream.send(data)

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file as content, but no more than was announced."""
        if self.ended:
            return
        if self._head is not None:
            self._send_head()
        if count <= 0:
            return
        if count == self._left:
            self._left = 0
        elif self._is_empty or self._left is not None:
            count = self._room_for(count)
            if not count:
                return
        self.sent += count
        self._stream.send_file(file, offset, count)

    def flush(self) -> None:
        """Hand sent output to the kernel, as much as the client takes: the next piece may take its time."""
        self._stream.output.send_now()

    def hint(self, lines: bytes) -> None:
        """Send 103 (Early Hints) with these header lines, at once; nothing if the response's head has been sent."""
        if not self.ended and (self._head is not None or not self.started):
            self._stream.hint(lines)
            self._stream.output.send_now()

    def finish(self, trailers: Fields | None = None) -> None:
        """End the content.

        :param trailers: checked fields to send behind it, if the client asked for such.
        """
        if self.ended:
            return
        if self._left:
            events.response_too_short(log, request=self.describe(), missing=self._left)
            self.fail()
            return
        if self._head is not None:
            self._send_head()
        self.ended = True
        if trailers and not self._is_empty and takes_trailers(self.request):
            self._stream.end_with(trailers)
        else:
            self._stream.end()
        if self.on_gone is not None:
            self._release()

    def abandon(self) -> None:
        """Break a response off: the part handed over is delivered, and the client sees that it is not whole."""
        self.closes = True
        self.ended = True
        self._stream.break_off()
        self._release()

    def fail(self, status: int = 500, headers: Sequence[tuple[str, str]] = (), reason: str = "") -> None:
        """Answer with an error, if nothing was sent yet; or break off.

        :param reason: for the client, besides the usual words.
        """
        if self.ended:
            return
        if self.started and self._head is None:
            self.abandon()
            return
        self._head = None
        text = f"{status} {reason_of(status)}"
        content = f"{text}: {reason}\n" if reason else f"{text}\n"
        head = self._stream.heads.of_text(text, [("Content-Type", "text/plain"), *headers])
        self.respond(head, content.encode("latin-1", "replace"))

    def refuse_content(self) -> None:
        """Answer a request whose content will never be whole: with the status of its refusal, if it was refused."""
        body = self.request.body
        self.closes = True
        self.fail(400 if body is None or body.refusal is None else body.refusal.status)

    def fail_badly(self, error: ResponseError) -> None:
        """Answer for an application whose response can't be sent."""
        events.response_invalid(log, request=self.describe(), reason=error)
        self.fail()

    def call(self, callback: Callable[[], None]) -> None:
        """Call a callback of the application. An exception of any class costs this response alone."""
        try:
            callback()
        except HOOK_ERRORS as error:
            events.request_failed.exception(log, error, request=self.describe())
            self.fail()

    # --- tunnels

    def open_tunnel(self, user: TunnelUser) -> tuple[Tunnel, bytes]:
        """Receive bytes instead of requests from here on, and return the way back, with those that have arrived.

        Until `accept_tunnel` the request may still be answered with a response.

        :raises RefusedError: the request does not allow it.
        """
        return self._stream.open_tunnel(user)

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> None:
        """Answer that the following bytes are for the tunnel.

        :raises ResponseError: these are no headers.
        """
        self.status = self._stream.accept_tunnel(headers)
        self.started = True

    def end_tunnel(self) -> None:
        """End the application's side of an accepted tunnel; the client closes it."""
        self.ended = self.closes = True
        self._stream.end_tunnel()

    # --- for drivers

    def lose(self) -> None:
        """End without a response: the client has gone."""
        self.ended = True
        if not self.status:
            self.status = CLIENT_GONE

    def notify_gone(self) -> None:
        """Call the application's callbacks for a client that has ended its side, or is gone."""
        body = self.request.body
        if body is not None and body.on_change is not None:
            self.call(body.on_change)
        if self.on_gone is not None:
            self.call(self.on_gone)

    def _send_head(self) -> None:
        head, self._head = self._head, None
        assert head is not None
        self._stream.begin(head, None, b"")

    def _release(self) -> None:
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            self.call(on_gone)  # a task of the application may still wait for that

    def _room_for(self, size: int) -> int:
        """Return how many bytes of a piece of content may be sent, and log a warning about more."""
        if self._is_empty:
            self._leave_out()
            return 0
        left = self._left or 0
        if size > left:
            if not self._is_cut:
                events.response_too_long(log, request=self.describe())
            self._is_cut = self.closes = True
            size = left
        self._left = left - size
        return size

    def _leave_out(self) -> None:
        if not (self.is_head or self._is_cut):
            self._is_cut = True
            events.response_content_left_out(log, request=self.describe(), status=self.status)
