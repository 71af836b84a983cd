"""Heads of the plainer forms, as nearly all have: read by one look at the bytes instead of a call for each header.

All parsers read them alike; tests compare the results with those of llhttp on mutated heads. Anything else is left to
llhttp: wishes to upgrade, expectations, folded lines, odd spaces, and heads that are to be refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.message import HTTP_1_0, HTTP_1_1, Body, RefusedError, Request, RequestLine, Section
from corepool_http.rules import HOST

if TYPE_CHECKING:
    from corepool_http.http1.names import Names
    from corepool_http.options import ServerOptions

TARGET = rb"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*+"
"""Targets that every parser reads alike; a small part of those that llhttp takes."""

_VALUE = rb"[!-~\x80-\xff][\t -~\x80-\xff]*+(?<![ \t])"
_HEAD = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (" + TARGET + rb") HTTP/1\.([01])\r\n"
    # A branch for each form of a value takes less time than one part that may be missing.
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:(?: " + _VALUE + rb"|" + _VALUE + rb"| ?)\r\n)++)\r\n"
)
_FIELD = re.compile(rb"([^:]++): ?([^\r]*+)\r\n")

_WITH_A_SAY = frozenset((b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"))
"""Names with a say in how to go on. Most heads have none: they are looked for together."""

_TO_PARSER = frozenset((b"expect", b"upgrade"))
_FOLLOWED = {b"keep-alive": True, b"close": False}
"""Whether another request follows, by the value of Connection."""

_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")

IN_CHUNKS = -1
"""The length of content whose end its last chunk says."""


class PlainHeads:
    """Reads the plain heads of one worker."""

    def __init__(self, options: ServerOptions, names: Names) -> None:
        self._max_head = min(options.max_request_line, options.max_head)
        self._max_body = options.max_body
        self._names = names
        self._host: bytes | None = b""
        """The last one that was valid."""
        self.end = 0
        """The place behind the head that was read last."""
        self.length = 0
        """Of its content; or IN_CHUNKS."""

    def read(self, data: bytes, at: int) -> Request | None:
        """Return the request whose head begins at `at`; None: llhttp has to read it."""
        match = _HEAD.match(data, at)
        if match is None:
            return None
        end = match.end()
        if end - at > self._max_head:
            return None
        method, target, minor, lines = match.groups()
        is_new = minor == b"1"
        find, lower = self._names.known.get, self._names.lower
        fields = [(find(name) or lower(name), value) for name, value in _FIELD.findall(lines)]
        try:
            section = Section(fields, keep_alive=is_new)
        except RefusedError:
            return None
        host = section.single(b"host")
        if host != self._host and (is_new if host is None else not HOST.fullmatch(host)):
            return None
        if host is not None:
            self._host = host
        length = self._judge(section, is_new=is_new) if section.has_any(_WITH_A_SAY) else 0
        if length is None:
            return None
        request = Request(RequestLine(method.decode(), target), HTTP_1_1 if is_new else HTTP_1_0, section)
        if length:
            request.body = Body()
        self.end = end
        self.length = length
        return request

    def _judge(self, section: Section, *, is_new: bool) -> int | None:
        """Return the length of the content, or IN_CHUNKS; None: llhttp has to look at it."""
        if section.has_any(_TO_PARSER):
            return None
        if b"connection" in section:
            keep_alive = _FOLLOWED.get((section.single(b"connection") or b"").lower())
            if keep_alive is None:
                return None
            section.keep_alive = keep_alive  # it is not shared yet
        announced = section.single(b"content-length")
        if b"transfer-encoding" in section:
            coding = section.single(b"transfer-encoding") or b""
            return IN_CHUNKS if is_new and announced is None and coding.lower() == b"chunked" else None
        if announced is None:
            return 0
        if not _LENGTH.fullmatch(announced):
            return None
        length = int(announced)
        return length if length <= self._max_body else None
