"""Heads that were judged before: the same bytes have the same meaning, and need no second judgement.

A client sends the same header section again and again, mostly with few targets. What llhttp and RequestParser
have once accepted is kept by its bytes, for all connections of a worker: a request whose section is known, and
whose request line is of the plainest form, is put together from the earlier results. Anything else (a body, a
wish to upgrade, an unknown line, a head in several segments) goes to the parser.

A request line has no say in what a section means as long as it is of HTTP/1.1, in origin-form and of a method
without particular rules: then llhttp reads a section in the same way, whichever line comes before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from corepool_http.message import Request, RequestLine

if TYPE_CHECKING:
    from corepool_http.message import Section
    from corepool_http.options import ServerOptions

_Value = TypeVar("_Value")

_PLAIN_LINE = re.compile(rb"(GET|HEAD|DELETE|OPTIONS) (/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*) HTTP/1\.1")
"""Lines that every parser reads alike; a small part of those that llhttp takes."""

_TO_PARSER = frozenset({b"connection", b"upgrade", b"expect", b"transfer-encoding", b"content-length"})
"""Names that may say how to go on: sections with one are left to the parser, but for the two below."""

_PLAIN_CONNECTIONS = frozenset({b"keep-alive", b"close"})

_MAX_NAMES = 1000
_MAX_NAME_BYTES = 64

_LONGEST = 4096
_MAX_FIELDS = 40
_MAX_PER_GENERATION = 256
"""Of sections, and of lines. With the bounds above less than 16 MB, even if an attacker fills them: 13.4 MB were
measured, with what WSGI keeps of each."""


class Generations(dict[bytes, "_Value"]):
    """A bounded table which forgets keys that were not used lately. Use `table[key]`: a miss gives None.

    When the young generation is full it becomes the old one, and the old one is forgotten; a key found
    in the old one becomes young again. A hit in the young one costs what a dict does.
    """

    def __init__(self, most: int) -> None:
        """Begin empty.

        :param most: entries of each generation.
        """
        super().__init__()
        self._most = most
        self._old: dict[bytes, _Value] = {}

    def __missing__(self, key: bytes) -> _Value | None:
        value = self._old.get(key)
        if value is not None:
            self.keep(key, value)
        return value

    def keep(self, key: bytes, value: _Value) -> None:
        """Add an entry."""
        if len(self) >= self._most:
            self._old = dict(self)
            self.clear()
        self[key] = value


class Names:
    """Header names in lower case, one object for each: most of them are the same in every request."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}
        self.find = self._known.get

    def lower(self, name: bytes) -> bytes:
        """Return a name in lower case, and keep it, unless it is long or too many are kept."""
        lower = name.lower()
        if len(self._known) < _MAX_NAMES and len(name) <= _MAX_NAME_BYTES:
            self._known[name] = lower
        return lower


class KnownHeads:
    """The heads that the connections of one worker have parsed."""

    def __init__(self, options: ServerOptions) -> None:
        """Begin with nothing.

        :param options: no head is known that is longer than they allow.
        """
        self.names = Names()
        self._longest = min(options.max_request_line, options.max_head, _LONGEST)
        self._sections: Generations[Section] = Generations(_MAX_PER_GENERATION)
        self._lines: Generations[RequestLine] = Generations(_MAX_PER_GENERATION)

    def recall(self, data: bytes) -> Request | None:
        """Return the request that these bytes are, no more and no less, if their parts are known.

        The connection's parser must be between two messages.
        """
        end = data.find(b"\r\n")
        section = self._sections[data[end:]]
        if section is None or len(data) > self._longest:
            return None
        line = self._lines[data[:end]] or self._learn_line(data[:end])
        if line is None:
            return None
        return Request(line, "1.1", section)

    def learn(self, data: bytes, request: Request) -> bool:
        """Keep the parts of a request that was parsed, if they are of the kind that is kept.

        :param data: a segment in which the parser has found nothing but this request.
        :return: the segment is the request, without anything before or behind it.
        """
        end = data.find(b"\r\n")
        if (
            len(data) > self._longest
            or request.body is not None
            or request.upgrade
            or data.find(b"\r\n\r\n") != len(data) - 4
            or len(request.section.headers) > _MAX_FIELDS
            or not _PLAIN_LINE.fullmatch(data, 0, end)
        ):
            return False
        section = request.section
        if not section.has_any(_TO_PARSER) or (
            (section.single(b"connection") or b"").lower() in _PLAIN_CONNECTIONS
            and not section.has_any(_TO_PARSER - {b"connection"})
        ):
            self._sections.keep(data[end:], section)
        return True

    def _learn_line(self, text: bytes) -> RequestLine | None:
        match = _PLAIN_LINE.fullmatch(text)
        if match is None:
            return None
        line = RequestLine(match[1].decode(), match[2])
        self._lines.keep(text, line)
        return line
