"""An opened file as a response: conditions and ranges (RFC 9110, 13 and 14)."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, NamedTuple

from corepool_http.apps.conditions import CONDITIONS, judge, range_holds
from corepool_http.apps.ranges import Parts, parse_ranges
from corepool_http.head import reason_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from corepool_http.apps.ranges import Range
    from corepool_http.exchange import Exchange
    from corepool_http.responses import Heads

_MAX_DATES = 1000
_YEAR_1 = -62_135_596_800

Headers = list[tuple[str, str]]


class Content(NamedTuple):
    """An opened file, as it is sent: with a coding, it is a sibling of the one that was asked for."""

    fd: int
    status: os.stat_result
    media_type: str
    coding: str
    varies: bool
    """There are siblings: the request's Accept-Encoding has decided."""
    caching: Headers
    """What caches may do with it."""

    @property
    def etag(self) -> str:
        """Return the strong entity tag. That of a sibling differs, even if its size and time happen to be the same."""
        status = self.status
        return f'"{status.st_mtime_ns:x}-{status.st_size:x}{"-" if self.coding else ""}{self.coding}"'

    @property
    def modified(self) -> int:
        """Return when it was changed, in seconds."""
        return self.status.st_mtime_ns // 1_000_000_000


class FileSender:
    """Sends files of one worker."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._dates: dict[int, str] = {}

    def _date_of(self, seconds: int) -> str:
        date = self._dates.get(seconds)
        if date is None:
            date = formatdate(max(seconds, _YEAR_1), usegmt=True)
            if len(self._dates) < _MAX_DATES:
                self._dates[seconds] = date
        return date

    def send(self, exchange: Exchange, content: Content) -> Headers | None:
        """Send a file as far as the request asks for it, and return the headers if it was sent whole."""
        request = exchange.request
        section = request.section
        etag, modified, size = content.etag, content.modified, content.status.st_size
        vary = [("Vary", "Accept-Encoding")] if content.varies else []
        now = time.time()
        # Never later than the response itself (RFC 9110, 8.8.2.1), whatever the file says.
        last_modified = self._date_of(min(modified, int(now)))
        validators = [*vary, *content.caching, ("ETag", etag), ("Last-Modified", last_modified)]
        verdict = judge(section, etag, modified) if section.has_any(CONDITIONS) else 200
        if verdict == 412:
            exchange.fail(412, vary)
            return None
        if verdict == 304:  # without what the client's copy knows (RFC 9110, 15.4.5)
            self.answer(exchange, 304, validators, b"")
            return None
        headers = [*validators, ("Accept-Ranges", "bytes")]
        if content.coding:
            headers.append(("Content-Encoding", content.coding))
        wanted = section.single(b"range") if request.line.method == "GET" else None  # RFC 9110, 14.2
        if wanted is not None and range_holds(section, etag, modified, now):
            ranges = parse_ranges(wanted.decode("latin-1"), size)
            if ranges is not None:
                self._send_ranges(exchange, content, headers, ranges)
                return None
        headers += [("Content-Type", content.media_type), ("Content-Length", str(size))]
        exchange.start(self._heads.of_text("200 OK", headers))
        exchange.send_file(content.fd, 0, size)
        exchange.finish()
        return headers

    def _send_ranges(self, exchange: Exchange, content: Content, headers: Headers, ranges: Sequence[Range]) -> None:
        size = content.status.st_size
        if not ranges:
            vary = [("Vary", "Accept-Encoding")] if content.varies else []
            self.answer(exchange, 416, [*vary, ("Content-Range", f"bytes */{size}")], b"")
            return
        if len(ranges) == 1:
            [only] = ranges
            headers += [
                ("Content-Type", content.media_type),
                ("Content-Range", only.of(size)),
                ("Content-Length", str(only.length)),
            ]
            exchange.start(self._heads.of_text("206 Partial Content", headers))
            exchange.send_file(content.fd, only.first, only.length)
        else:
            parts = Parts(ranges, size, content.media_type)
            headers += [("Content-Type", parts.media_type), ("Content-Length", str(parts.length))]
            exchange.start(self._heads.of_text("206 Partial Content", headers))
            for head, each in zip(parts.heads, ranges, strict=True):
                exchange.write(head)
                exchange.send_file(content.fd, each.first, each.length)
                exchange.write(b"\r\n")
            exchange.write(parts.end)
        exchange.finish()

    def answer(self, exchange: Exchange, status: int, headers: Headers, content: bytes) -> None:
        """Answer with content that is at hand."""
        exchange.respond(self._heads.of_text(f"{status} {reason_of(status)}", headers), content)
