"""One request and its response: how it is framed, and that it is no more and no less than was announced."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool_http.http1.framing import CHUNKED, CLOSE, LENGTH, NONE, frame
from corepool_http.responses import ResponseError, reason_of
from corepool_http.values import as_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import FileDescriptorLike

    from corepool_http.http1.driver import Session
    from corepool_http.http1.framing import Framing
    from corepool_http.message import Request
    from corepool_http.proxies import Client
    from corepool_http.responses import Head

log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

CLIENT_GONE = 499
"""The status, in the access log, of a request whose client left before its response began; nginx's."""


class Exchange:
    """Serves one request; an application sees the connection only through it. Used in the loop's thread only."""

    __slots__ = (
        "_framing",
        "_head",
        "_is_cut",
        "_left",
        "began_s",
        "client",
        "closes",
        "conn",
        "ended",
        "is_head",
        "logged",
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
        self.logged = False
        """Its line is in the access log."""
        self.is_head = request.line.method == "HEAD"
        self.on_gone: Callable[[], None] | None = None
        """Called when nothing more can be sent: the response has ended, or the client has gone before."""
        self.on_room: Callable[[], None] | None = None
        """Called when the client has read enough for more."""
        self._framing = NONE
        self._head = b""
        """The head of a response that has begun, until it is sent."""
        self._left = 0
        """Bytes of content that were announced, and not sent yet."""
        self._is_cut = False
        """Content was left out, and the log says so."""

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
                self.session.body_was_taken()

    def send_whole(self, head: Head, content: bytes) -> None:
        """Send a response whose content is at hand.

        :raises ResponseError: it can't be sent.
        """
        if self.ended:
            return
        if type(content) is not bytes:
            content = as_bytes(content, "the content")
        if head.length is not None and head.length != len(content) and not (head.bodyless or self.is_head):
            self.closes = True
            self.start(head)
            if content:
                self.write(content)
            self.finish()
            return
        line, framing = frame(head, len(content), is_head=self.is_head, version=self.request.version)
        connection = self._begin(head, framing)
        if framing is NONE and content:
            self._leave_out()
            content = b""
        self.sent = len(content)
        self.conn.send(b"%b%b%b\r\n%b" % (head.lines, line, connection, content))
        self.end()

    def start(self, head: Head) -> None:
        """Begin a response whose content follows in pieces. Its head leaves with the first of them.

        :raises ResponseError: it can't be sent.
        """
        if self.ended:
            return
        line, framing = frame(head, None, is_head=self.is_head, version=self.request.version)
        if framing is LENGTH and head.length is not None:
            self._left = head.length
        if framing is CLOSE:
            self.closes = True
        connection = self._begin(head, framing)
        self._head = b"%b%b%b\r\n" % (head.lines, line, connection)

    def write(self, data: bytes) -> None:
        """Send a piece of the content, but no more than was announced. An empty one sends the head, if it is due.

        :raises ResponseError: it is no content.
        """
        if type(data) is not bytes:
            data = as_bytes(data, "the content")
        if self._head:
            self._send_head()
        if not data or self.ended:
            return
        framing = self._framing
        if framing is CHUNKED:
            self.sent += len(data)
            self.conn.send(b"%x\r\n%b\r\n" % (len(data), data))
            return
        if framing is not CLOSE:
            data = data[: self._room_for(len(data))]
        self.sent += len(data)
        self.conn.send(data)

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file as content, but no more than was announced."""
        if self._head:
            self._send_head()
        if count <= 0 or self.ended:
            return
        framing = self._framing
        if framing is CHUNKED:
            self.conn.send(b"%x\r\n" % count)
            self.conn.sendfile(file, offset, count)
            self.conn.send(b"\r\n")
        else:
            if framing is not CLOSE:
                count = self._room_for(count)
            self.conn.sendfile(file, offset, count)
        self.sent += count

    def finish(self) -> None:
        """End the content."""
        if self.ended:
            return
        if self._left:
            log.error("%s: the content is %d bytes shorter than its Content-Length", self.describe(), self._left)
            self.fail()
            return
        if self._head:
            self._send_head()
        if self._framing is CHUNKED:
            self.conn.send(b"0\r\n\r\n")
        self.end()

    def end(self) -> None:
        """Let the connection go on with its next request."""
        self.ended = True
        self.session.ended(self)
        self._release()

    def abandon(self) -> None:
        """Break a response off: what was handed over is delivered, and the client sees that it is not whole."""
        self.closes = True
        self.ended = True
        self.session.ended(self, broken=self._framing is CLOSE)
        self._release()

    def fail(self, status: int = 500, headers: Sequence[tuple[str, str]] = (), reason: str = "") -> None:
        """Answer with an error, if nothing was sent yet; or break off.

        :param reason: for the client, besides the usual words.
        """
        if self.ended:
            return
        if self.started and not self._head:
            self.abandon()
            return
        self._head = b""
        text = f"{status} {reason_of(status)}"
        content = f"{text}: {reason}\n" if reason else f"{text}\n"
        heads = self.session.service.heads
        self.send_whole(
            heads.of_text(text, [("Content-Type", "text/plain"), *headers]), content.encode("latin-1", "replace")
        )

    def refuse_content(self) -> None:
        """Answer a request whose content will never be whole: with the status of its refusal, if it was refused."""
        refusal = self.session.parser.refusal
        self.closes = True
        self.fail(400 if refusal is None else refusal.status)

    def fail_badly(self, error: ResponseError) -> None:
        """Answer for an application whose response can't be sent."""
        log.error("%s: invalid response from the application: %s", self.describe(), error)
        self.fail()

    def call(self, callback: Callable[[], None]) -> None:
        """Call whoever waits for this exchange. Whatever that raises costs this response alone."""
        try:
            callback()
        except BaseException:
            log.exception("%s failed", self.describe())
            self.fail()

    def _begin(self, head: Head, framing: Framing) -> bytes:
        """Note what is sent, and return the line of the header Connection."""
        self.status = head.status
        self.started = True
        self._framing = framing
        body = self.request.body
        closes = self.closes = (
            self.closes or head.closes or (body is not None and not body.complete) or self.session.leaving
        )
        if head.upgrades:
            return b"Connection: close, Upgrade\r\n" if closes else b"Connection: Upgrade\r\n"
        if closes:
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if self.request.version == "1.0" else b""

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if not self.ended:
            self.conn.send(head)

    def _room_for(self, size: int) -> int:
        """Report how many bytes of a piece of content may be sent, and see to it that the rest is known of."""
        if self._framing is NONE:
            self._leave_out()
            return 0
        left = self._left
        if size > left:
            if not self._is_cut:
                log.error("%s: the content is longer than its Content-Length; cut", self.describe())
            self._is_cut = self.closes = True
            size = left
        self._left = left - size
        return size

    def _leave_out(self) -> None:
        if not (self.is_head or self._is_cut):
            self._is_cut = True
            log.warning("%s: a response %d has no content; the application's is left out", self.describe(), self.status)

    def _release(self) -> None:
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            self.call(on_gone)  # a task of the application may still wait for that
