"""Requests of the plainest form, as most are: read by one look at the bytes instead of a call for each header.

All parsers read them alike; tests compare the results with those of llhttp and `RequestParser` on mutated heads.
Anything else is left to these two: names with a say in how to go on (but for the length of content that is at hand),
folded lines, odd spaces, bytes beyond ASCII, requests in several segments, requests to be refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.message import Body, RefusedError, Request, RequestLine, Section
from corepool_http.rules import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_http.http1.names import Names
    from corepool_http.message import Fields
    from corepool_http.options import ServerOptions

    Split = Callable[[bytes, Names], tuple[str, bytes, Fields, int] | None]

TARGET = rb"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*+"
"""Targets that every parser reads alike; a small part of those that llhttp takes."""

_HEAD = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (" + TARGET + rb") HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]++: [!-~][ -~]*+(?<! )\r\n)++)\r\n"
)
_FIELD = re.compile(rb"([^:]++): ([^\r]++)\r\n")

_TO_PARSER = frozenset((b"expect", b"transfer-encoding", b"upgrade"))
_FOLLOWED = {b"keep-alive": True, b"close": False}
"""Whether another request follows, by the value of Connection."""

_MAX_LENGTH_DIGITS = 18


def split_in_python(data: bytes, names: Names) -> tuple[str, bytes, Fields, int] | None:
    """Return method, target, field lines and size of a plain head at the beginning of `data`; None if it is not one."""
    match = _HEAD.match(data)
    if match is None:
        return None
    method, target, lines = match.groups()
    find, lower = names.known.get, names.lower
    fields = [(find(name) or lower(name), value) for name, value in _FIELD.findall(lines)]
    return method.decode(), target, fields, match.end()


try:
    from corepool_http.http1._plain import split
except ImportError:  # corepool was installed without a compiler
    split = split_in_python


class PlainRequests:
    """Reads the plain requests of one worker."""

    def __init__(self, options: ServerOptions, names: Names) -> None:
        self._max_head = min(options.max_request_line, options.max_head)
        self._max_body = options.max_body
        self._names = names
        self._host = b""
        """The last one that was valid."""

    def read(self, data: bytes) -> Request | None:
        """Return the request that these bytes are, no more and no less; None: the parser has to read them.

        That must be between two messages.
        """
        head = split(data, self._names)
        if head is None:
            return None
        method, target, fields, size = head
        if size > self._max_head:
            return None
        try:
            section = Section(fields, keep_alive=True)
        except RefusedError:
            return None
        if section.has_any(_TO_PARSER):
            return None
        host = section.single(b"host")
        if host is None or (host != self._host and not HOST.fullmatch(host)):
            return None
        self._host = host
        if b"connection" in section:
            keep_alive = _FOLLOWED.get(section.single(b"connection") or b"")
            if keep_alive is None:
                return None
            section.keep_alive = keep_alive  # it is not shared yet
        request = Request(RequestLine(method, target), "1.1", section)
        if b"content-length" in section:
            request.body = self._body(section.single(b"content-length"), data, size)
            return None if request.body is None else request
        return request if size == len(data) else None

    def _body(self, announced: bytes | None, data: bytes, begin: int) -> Body | None:
        """Return content that is at hand as a whole, from `begin` on."""
        if announced is None or not announced.isdigit() or len(announced) > _MAX_LENGTH_DIGITS:
            return None
        length = int(announced)
        if length != len(data) - begin or not 0 < length <= self._max_body:
            return None
        body = Body()
        body.add(data[begin:])
        body.complete = True
        return body
