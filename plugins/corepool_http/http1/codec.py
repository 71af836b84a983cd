"""Requests: what arrived on a connection, cut by llhttp and judged by RFC 9110 and RFC 9112.

llhttp is strict (no lenient flag is set): it refuses what two parsers could read in two ways. What it leaves to
its user is refused here: versions, transfer codings, Host, the forms of a target, sizes. After the first
refusal nothing more is read, so nothing that follows can be taken for a request.

Most heads are plain, and read by a HeadReader; llhttp reads the others, and those that come in several segments. It
does not say where a head has ended, so it is fed up to each place where one may end. Content is counted here, and
chunks are decoded by ChunkedDecoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

from corepool_http import rules
from corepool_http.http1 import judgement
from corepool_http.http1.chunked import ChunkedDecoder
from corepool_http.http1.heads import IN_CHUNKS
from corepool_http.message import Body, RefusedError, Request, RequestLine, Section

if TYPE_CHECKING:
    from corepool_http.http1.heads import HeadReader
    from corepool_http.message import Fields
    from corepool_http.options import ServerOptions

_OF_CONTENT = frozenset((b"content-length", b"transfer-encoding", b"expect"))
_END_OF_HEAD = b"\r\n\r\n"


class RequestParser:
    """Cuts one connection's input into requests."""

    def __init__(self, options: ServerOptions, heads: HeadReader, *, serves_websockets: bool = True) -> None:
        """Begin between two requests.

        :param serves_websockets: without it every wish to upgrade is ignored.
        """
        self.ready: list[Request] = []
        """Requests whose heads are complete; the last one's body may still come."""
        self.refusal: RefusedError | None = None
        """Why nothing more is read, if so."""
        self.in_head = False
        self.is_between = True
        """Nothing was fed yet, or the last byte ended a request, and another may follow."""
        self.body: Body | None = None
        """That of the arriving request."""
        self.after_upgrade: bytearray | None = None
        """The bytes behind a request that is to be the last of HTTP."""
        self._options = options
        self._serves_websockets = serves_websockets
        self._heads = heads
        self._http: httptools.HttpRequestParser | None = None
        """Made for each head that is not plain."""
        self._is_over = False
        self._is_partial = False
        """The head that was refused is not complete."""
        self._target = b""
        self._host: bytes | None = None
        """The last one that was judged."""
        self._headers: Fields = []
        self._counted = 0
        """Of the header lines, those whose bytes are in `_size`."""
        self._size = 0
        self._chunk = 0
        self._fed = 0
        """Bytes of the segments behind the one in which a head began, or of empty lines before it: llhttp keeps them,
        or drops them, and would do so for ever."""
        self._tail = b""
        """The last bytes of a head that is not complete: they may be the first of _END_OF_HEAD."""
        self.left = 0
        """Of content with a length: the bytes still to come."""
        self._chunks: ChunkedDecoder | None = None
        """The decoder of chunked content."""
        self._request: Request | None = None
        """The one whose head llhttp has read."""
        self._length = 0
        """Of its content."""
        self._last: Request | None = None

    def feed(self, data: bytes) -> None:
        """Add received bytes. `ready`, `body` and `refusal` have the results."""
        if (request := self.take(data)) is not None:
            self.ready.append(request)

    def take(self, data: bytes) -> Request | None:
        """Add received bytes, as `feed` does; but return a request that is all of them, and all that is ready."""
        at, size = 0, len(data)
        if self.is_between and size:  # most segments are a head, and take no other step
            request = self._heads.read(data, 0)
            if request is None:
                self.is_between = False
                self._http = httptools.HttpRequestParser(self)
            else:
                at = self._heads.end
                if request.body is None:
                    self.is_between = request.keep_alive
                    self._is_over = not self.is_between
                    if at == size and not self.ready:
                        return request
                    self.ready.append(request)
                else:
                    self._begin_content(request, self._heads.length)
        while at < size:
            at = self._feed(data, at)
        return None

    def seen(self) -> Request:
        """Return the readable part of a refused request: its line, and its header section if that is complete."""
        http, method, version = self._http, "", ""
        is_partial = self.in_head or self._is_partial
        if http is not None and self._target:
            method = http.get_method().decode()
            if self._headers or not is_partial:
                version = http.get_http_version()
        target = self._target[: self._options.max_request_line]
        try:
            # Of a part, the last X-Forwarded-For may be the client's own.
            section = Section([] if is_partial else self._headers, keep_alive=False)
        except RefusedError:
            section = Section([], keep_alive=False)
        return Request(RequestLine(method, target), version, section)

    def drop(self) -> None:
        """Drop received bytes, now and later: nothing is answered any more."""
        self.end()
        self.ready.clear()
        self.body = self.refusal = None
        self.in_head = False

    def end(self) -> None:
        """Let nothing more be a request: the client has said so, or is gone."""
        self._is_over = True
        self.is_between = False
        self._http = None  # it knows its callbacks, which know it: a cycle that would wait for the garbage collector
        self._chunks = None
        self.fail_body()

    def _feed(self, data: bytes, at: int) -> int:
        """Feed the bytes of one reader from `at` on, and return where the next begins."""
        size = len(data)
        self.is_between = False
        if self.after_upgrade is not None:
            self.after_upgrade += memoryview(data)[at:]
            return size
        if self.refusal is not None or self._is_over:
            return size
        if self._chunks is not None:
            return self._decode(self._chunks, data, at)
        if self.left:
            return self._take_counted(data, at)
        if self._http is None:
            heads = self._heads
            request = heads.read(data, at)
            if request is not None:
                self._begin_content(request, heads.length)
                return heads.end
            self._http = httptools.HttpRequestParser(self)
        return self._feed_llhttp(self._http, data, at)

    def _begin_content(self, request: Request, length: int) -> None:
        """Go on behind a head, with content of this length."""
        self.is_between = False
        self._last = request
        self.ready.append(request)
        self.body = request.body
        if self.body is None or length == 0:
            self._complete()
        elif length == IN_CHUNKS:
            self._chunks = ChunkedDecoder(self._options.max_head)
        else:
            self.left = length

    def _feed_llhttp(self, http: httptools.HttpRequestParser, data: bytes, at: int) -> int:
        """Feed a head, or a part of one."""
        end = self._find_end(data, at)
        piece = data[at:end]
        self._chunk = end - at
        self._fed += end - at
        try:
            http.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            end = at + upgrade.args[0]
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, RefusedError):
                raise
            self._refuse(cause)
        except httptools.HttpParserError as error:
            self._refuse(judgement.refusal_of(error, piece))
        if self.refusal is None and self._request is None and self._may_exceed():
            excess = self._find_excess() if self.in_head else judgement.excess_of_nothing(self._fed, self._options)
            if excess is not None:
                self._refuse(excess)
        request, self._request = self._request, None
        if request is not None and self.refusal is None:
            if (self._tail + data[max(at, end - 4) : end])[-4:] != _END_OF_HEAD:
                self._refuse(judgement.ambiguous())
                return end
            self._http = None
            self._fed, self._tail, self._target, self._headers = 0, b"", b"", []
            self._begin_content(request, self._length)
        elif self.in_head:
            self._tail = (self._tail + piece[-3:])[-3:]
        return end

    def _find_end(self, data: bytes, at: int) -> int:
        """Return the place behind the first empty line from `at` on, or the end of `data`."""
        tail = self._tail
        if tail:
            place = (tail + data[at : at + 3]).find(_END_OF_HEAD)
            if place >= 0:
                return at + place - len(tail) + 4
        place = data.find(_END_OF_HEAD, at)
        return len(data) if place < 0 else place + 4

    def _decode(self, chunks: ChunkedDecoder, data: bytes, at: int) -> int:
        try:
            at = chunks.feed(data, at, self.take_content)
        except RefusedError as refusal:
            self._refuse(refusal)
            return len(data)
        if chunks.is_complete:
            assert self.body is not None
            self.body.trailers = chunks.trailers
            self._chunks = None
            self._complete()
        return at

    def _take_counted(self, data: bytes, at: int) -> int:
        piece = data[at : at + self.left]
        self.left -= len(piece)
        self.take_content(piece)
        if not self.left:
            self._complete()
        return at + len(piece)

    def _complete(self) -> None:
        """Go on behind a request that is whole."""
        assert self._last is not None
        self.is_between = self._last.keep_alive
        self._is_over = not self.is_between
        if self.body is not None:
            self.body.complete = True
            self.body = None

    def take_upgraded(self) -> bytes:
        """Return the bytes that have arrived behind an upgrade."""
        data, self.after_upgrade = bytes(self.after_upgrade or b""), bytearray()
        return data

    def fail_body(self, refusal: RefusedError | None = None) -> None:
        """Mark the body that is arriving as one that will never be complete."""
        if self.body is not None:
            self.body.failed = True
            self.body.refusal = self.body.refusal or refusal

    # --- what llhttp calls

    def on_message_begin(self) -> None:
        if self._request is not None:
            raise judgement.ambiguous()
        self.in_head = True
        self._fed = 0
        self._counted = 0
        self._target = b""
        self._headers = []

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((self._heads.lower(name), value))

    def on_headers_complete(self) -> None:
        self.in_head = False
        http, headers = self._http, self._headers
        assert http is not None
        if self._may_exceed():
            excess = self._find_excess()
            if excess is not None:
                raise excess
        version = http.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise RefusedError(505, f"HTTP/{version}")
        section = Section(headers, keep_alive=http.should_keep_alive())
        host = section.single(b"host")
        if host is None or host != self._host:
            judgement.judge_host(host, version)
            self._host = host
        target = self._target
        if target[:1] != b"/" or 0x23 in target:
            target, section = judgement.origin_form(http.get_method(), target, section)
        request = Request(RequestLine(http.get_method().decode(), target), version, section)
        self._length = judgement.judge_content(request, self._options.max_body) if section.has_any(_OF_CONTENT) else 0
        if http.should_upgrade():
            self._judge_upgrade(request)
        self._request = request

    def on_chunk_header(self) -> None:
        raise judgement.ambiguous()

    def on_body(self, data: bytes) -> None:  # noqa: ARG002
        raise judgement.ambiguous()

    # --- judgement

    def take_content(self, data: bytes) -> None:
        body = self.body
        assert body is not None
        if body.received + len(data) > self._options.max_body:
            raise rules.too_large(self._options.max_body)
        body.add(data)

    def _judge_upgrade(self, request: Request) -> None:
        """Let this request be the last of HTTP, or ignore its wish to upgrade (RFC 9110, 7.8)."""
        if request.line.method == "CONNECT":
            raise RefusedError(501, "CONNECT is not supported")
        if self._serves_websockets and judgement.wants_websocket(request):
            request.upgrade = True
            self.after_upgrade = bytearray()
            request.keep_alive = False  # what follows is no HTTP, whatever the answer

    def _may_exceed(self) -> bool:
        return self._chunk + self._fed > min(self._options.max_request_line, self._options.max_head)

    def _find_excess(self) -> RefusedError | None:
        if len(self._target) > self._options.max_request_line:
            return RefusedError(414, f"request target of more than {self._options.max_request_line} bytes")
        # Only the new lines are counted: a section may come in as many segments as it has bytes.
        if not self._counted:
            self._size = 0
        for name, value in self._headers[self._counted :]:
            self._size += len(name) + len(value) + 4
        self._counted = len(self._headers)
        size = len(self._target) + self._size
        # What llhttp keeps of a line that has no end yet is in none of these, but was fed.
        if size > self._options.max_head or (self.in_head and self._fed > self._options.max_head):
            return RefusedError(431, f"header section of more than {self._options.max_head} bytes")
        return None

    def _refuse(self, refusal: RefusedError) -> None:
        self.is_between = False
        if self.refusal is None:
            self.refusal = refusal
            self._is_partial = self.in_head
            self.in_head = False
            self.fail_body(refusal)
