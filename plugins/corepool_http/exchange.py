"""One request and its response: how it is framed, and that it is no more and no less than was announced."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool_http.responses import ResponseError, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import FileDescriptorLike

    from corepool_http.proxies import Client
    from corepool_http.requests import Request
    from corepool_http.responses import Head
    from corepool_http.session import Session

log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """Serves one request; an application sees the connection only through it. Used in the loop's thread only."""

    __slots__ = (
        "_chunked",
        "_left",
        "began_s",
        "bodyless",
        "client",
        "closes",
        "conn",
        "ended",
        "on_gone",
        "on_room",
        "request",
        "sent",
        "session",
        "started",
        "status",
    )

    def __init__(self, session: Session, request: Request, client: Client) -> None:
        self.session = session
        self.conn = session.conn
        self.request = request
        self.client = client
        self.began_s = session.now
        self.status = 0
        self.sent = 0
        """Bytes of content."""
        self.started = False
        self.ended = False
        self.closes: bool = not request.keep_alive
        self.bodyless = request.line.method == "HEAD"
        self.on_gone: Callable[[], None] | None = None
        """Called when nothing more can be sent: the response has ended, or the client has gone before."""
        self.on_room: Callable[[], None] | None = None
        """Called when the client has read enough for more."""
        self._chunked = False
        self._left = -1

    @property
    def gone(self) -> bool:
        """True when nothing can be sent any more."""
        return self.conn.closed

    def describe(self) -> str:
        """Name the request, for the log."""
        return f"{self.request.line.method} {self.request.line.target.decode('latin-1')}"

    def want_body(self) -> None:
        """Tell the client that its content will be read."""
        if self.request.expects_continue:
            self.request.expects_continue = False
            body = self.request.body
            if not self.started and body is not None and not body.received:
                self.conn.send(_CONTINUE)

    def send_whole(self, head: Head, content: bytes) -> None:
        """Send a response whose content is at hand."""
        request = self.request
        if head.length is not None and head.length != len(content) and not self._may_differ(head, content):
            self.start(head)
            self.write(content)
            self.finish()
            return
        if head.status < 200 or head.status in {204, 304}:
            self.bodyless = True
        # A 204 has no Content-Length (RFC 9110, 8.6), a 304 or an answer to HEAD that of the content left out.
        length = (
            b"Content-Length: %d\r\n" % len(content)
            if head.length is None and head.status not in {204, 304} and not (self.bodyless and not content)
            else b""
        )
        closes = self.closes = self.closes or head.closes or self._must_close()
        if closes:
            connection = b"Connection: close\r\n"
        else:
            connection = b"Connection: keep-alive\r\n" if request.version == "1.0" else b""
        if self.bodyless:
            content = b""
        response = b"%b%b%b\r\n%b" % (head.lines, length, connection, content)
        self.status = head.status
        self.started = True
        self.sent = len(content)
        self.conn.send(response)
        self.end()

    def start(self, head: Head) -> None:
        """Send the head of a response whose content follows in pieces."""
        self.status = head.status
        self.started = True
        self.bodyless = self.bodyless or head.status < 200 or head.status in {204, 304}
        framing = b""
        self._left = -1 if head.length is None else head.length
        if head.length is None and not self.bodyless:
            if self.request.version == "1.1":
                self._chunked = True
                framing = b"Transfer-Encoding: chunked\r\n"
            else:
                self.closes = True
        closes = self.closes = self.closes or head.closes or self._must_close()
        connection = b"Connection: close\r\n" if closes else b""
        if not closes and self.request.version == "1.0":
            connection = b"Connection: keep-alive\r\n"
        self.conn.send(b"%b%b%b\r\n" % (head.lines, framing, connection))

    def write(self, data: bytes) -> None:
        """Send a piece of the content, but no more than was announced."""
        if self.bodyless or not data or self.ended:
            return
        if self._chunked:
            self.sent += len(data)
            self.conn.send(b"%x\r\n%b\r\n" % (len(data), data))
            return
        if 0 <= self._left < len(data):
            log.error("%s: the content is longer than its Content-Length; cut", self.describe())
            data = data[: self._left]
            self.closes = True
        if self._left >= 0:
            self._left -= len(data)
        self.sent += len(data)
        self.conn.send(data)

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file as content, which must have been announced by its length."""
        if self.bodyless or self.ended:
            return
        if self._chunked:
            self.conn.send(b"%x\r\n" % count)
            self.conn.sendfile(file, offset, count)
            self.conn.send(b"\r\n")
        else:
            count = min(count, self._left) if self._left >= 0 else count
            self._left -= count if self._left >= 0 else 0
            self.conn.sendfile(file, offset, count)
        self.sent += count

    def finish(self) -> None:
        """End the content."""
        if self.ended:
            return
        if self._chunked:
            self.conn.send(b"0\r\n\r\n")
        elif self._left > 0 and not self.bodyless:
            log.error("%s: the content is %d bytes shorter than its Content-Length", self.describe(), self._left)
            self.abandon()
            return
        self.end()

    def end(self) -> None:
        """Let the connection go on with its next request."""
        self.ended = True
        self.session.ended(self)
        self._release()

    def abandon(self) -> None:
        """Break a response off: the client must see that it is not whole."""
        self.closes = True
        self.ended = True
        self.session.ended(self, broken=True)
        self._release()

    def fail(self, status: int = 500, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer with an error, if nothing was answered yet; or break off."""
        if self.ended:
            return
        if self.started:
            self.abandon()
            return
        text = f"{status} {reason_of(status)}"
        heads = self.session.service.heads
        self.send_whole(heads.of_text(text, [("Content-Type", "text/plain"), *headers]), f"{text}\n".encode())

    def fail_badly(self, error: ResponseError) -> None:
        """Answer for an application whose response can't be sent."""
        log.error("%s: invalid response from the application: %s", self.describe(), error)
        self.fail()

    def _release(self) -> None:
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            on_gone()  # a task of the application may still wait for that

    def _must_close(self) -> bool:
        body = self.request.body
        return (body is not None and not body.complete) or self.session.leaving

    def _may_differ(self, head: Head, content: bytes) -> bool:
        return not content and (self.bodyless or head.status == 304)
