"""Reads the heads of one worker: the plain ones here, and all others are left to llhttp.

In machine code each is read anew: that takes less time than to find an earlier result by its bytes. In Python
it takes more, so the section of a plain request is kept by its bytes, for all connections of a worker: a client sends
the same one again and again, mostly with few targets. Bytes that were judged once mean the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.generations import Generations
from corepool_http.http1.names import Names
from corepool_http.http1.plain import IN_CHUNKS, TARGET, PlainHeads
from corepool_http.message import HTTP_1_1, Request, RequestLine

if TYPE_CHECKING:
    from corepool_http.message import Section
    from corepool_http.options import ServerOptions

__all__ = ["IN_CHUNKS", "HeadReader", "PythonHeadReader"]

_PLAIN_LINE = re.compile(rb"(GET|HEAD|DELETE|OPTIONS) (" + TARGET + rb") HTTP/1\.1")

_LONGEST = 4096
_MAX_FIELDS = 40
_MAX_PER_GENERATION = 256
"""Of sections, and of lines. With the bounds above less than 16 MB, even if an attacker fills them: 13.4 MB were
measured, with what WSGI keeps of each."""


class PythonHeadReader:
    """Reads plain heads, and keeps the parts of those that are all of a segment and have no content."""

    def __init__(self, options: ServerOptions) -> None:
        """Begin with nothing.

        :param options: no head is plain that is longer than they allow.
        """
        names = Names()
        self.lower = names.lower
        """Returns a name in lower case, mostly the same object for the same name."""
        self.end = 0
        """The place behind the head that was read last."""
        self.length = 0
        """Of its content; or IN_CHUNKS."""
        self._plain = PlainHeads(options, names)
        self._longest = min(options.max_request_line, options.max_head, _LONGEST)
        self._sections: Generations[bytes, Section | None] = Generations(_MAX_PER_GENERATION)
        self._lines: Generations[bytes, RequestLine] = Generations(_MAX_PER_GENERATION)

    def read(self, data: bytes, at: int) -> Request | None:
        """Return the request whose head begins at `at`; None: llhttp has to read it."""
        plain = self._plain
        if at or len(data) > self._longest:
            request = plain.read(data, at)
            self.end, self.length = plain.end, plain.length
            return request
        line_end = data.find(b"\r\n")
        text = data[line_end:]
        section = self._sections[text]
        if section is not None:
            line = self._lines[data[:line_end]] or self._learn_line(data[:line_end])
            if line is not None:
                self.end = len(data)
                self.length = 0
                return Request(line, HTTP_1_1, section)
        request = plain.read(data, 0)
        self.end, self.length = plain.end, plain.length
        if (
            request is not None
            and plain.end == len(data)
            and request.body is None
            and request.version == HTTP_1_1
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


try:
    from corepool_http.http1._heads import HeadReader
except ImportError:  # corepool was installed without a compiler
    HeadReader = PythonHeadReader  # type: ignore[misc,assignment]
