"""Plain requests, and the earlier results of reading them: the same bytes have the same meaning, and are judged once.

A client sends the same header section again and again, mostly with few targets. The section of a plain request is kept
by its bytes, for all connections of a worker: a request whose section is known, and whose request line is plain, is put
together from the earlier results. Content is never kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.generations import Generations
from corepool_http.http1.names import Names
from corepool_http.http1.plain import TARGET, PlainRequests
from corepool_http.message import Request, RequestLine

if TYPE_CHECKING:
    from corepool_http.message import Section
    from corepool_http.options import ServerOptions

_PLAIN_LINE = re.compile(rb"(GET|HEAD|DELETE|OPTIONS) (" + TARGET + rb") HTTP/1\.1")

_LONGEST = 4096
_MAX_FIELDS = 40
_MAX_PER_GENERATION = 256
"""Of sections, and of lines. With the bounds above less than 16 MB, even if an attacker fills them: 13.4 MB were
measured, with what WSGI keeps of each."""


class KnownHeads:
    """Reads the plain requests of one worker, and keeps the parts of their heads."""

    def __init__(self, options: ServerOptions) -> None:
        """Begin with nothing.

        :param options: no head is known that is longer than they allow.
        """
        self.names = Names()
        self._plain = PlainRequests(options, self.names)
        self._longest = min(options.max_request_line, options.max_head, _LONGEST)
        self._sections: Generations[bytes, Section | None] = Generations(_MAX_PER_GENERATION)
        self._lines: Generations[bytes, RequestLine] = Generations(_MAX_PER_GENERATION)

    def recall(self, data: bytes) -> Request | None:
        """Return the request that these bytes are, no more and no less, if it is a plain one; best if it is known.

        The connection's parser must be between two messages.
        """
        end = data.find(b"\r\n")
        text = data[end:]
        section = self._sections[text]
        if section is None:
            return self._read(data, text)
        if len(data) > self._longest:
            return None
        line = self._lines[data[:end]] or self._learn_line(data[:end])
        if line is None:
            return None
        return Request(line, "1.1", section)

    def _read(self, data: bytes, text: bytes) -> Request | None:
        request = self._plain.read(data)
        if (
            request is not None
            and request.body is None
            and len(data) <= self._longest
            and len(request.section.headers) <= _MAX_FIELDS
        ):
            self._sections.keep(text, request.section)
        return request

    def _learn_line(self, text: bytes) -> RequestLine | None:
        match = _PLAIN_LINE.fullmatch(text)
        if match is None:
            return None
        line = RequestLine(match[1].decode(), match[2])
        self._lines.keep(text, line)
        return line
