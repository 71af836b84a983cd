"""Requests: RESP arrays, parsed by hiredis, and inline commands, one a line.

A connection may change from one to the other whenever a request is complete; `redis-cli --pipe` ends with an
empty line and an array. What hiredis was fed and can't parse, since it is a line, is found again by walking
over the arrays that it could.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import hiredis

if TYPE_CHECKING:
    from corepool_kv.options import KvOptions

_ARRAY_HEADER = re.compile(rb"\*(-?\d+)\r?\n")
_BULK_HEADER = re.compile(rb"\$(\d+)\r\n")
_LONGEST_HEADER = 32

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_WORD = re.compile(
    rb"""[\s\0]*(?:
        "((?:[^"\\]|\\.)*)"(?=[\s\0]|$)     # double quotes: escapes
      | '((?:[^'\\]|\\.)*)'(?=[\s\0]|$)     # single quotes: only \' is one
      | ([^\s\0"']+(?:[^\s\0]*))            # bare
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)


class ProtocolError(Exception):
    """What was received is no request; `str()` is what Redis says after "Protocol error: "."""


class RequestReader:
    """Cuts one connection's input into requests."""

    def __init__(self, options: KvOptions) -> None:
        self._options = options
        self._reader = hiredis.Reader()
        self._in_array = False
        self._fed = 0
        self._chunks: list[bytes] = []
        self._arrays = 0
        self._line = b""

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._in_array:
            self._feed_array(data)
        elif self._line or data[:1] != b"*":
            self._line += data
        else:
            self._begin_array(data)

    def next(self) -> list[bytes] | None:
        """Give the next request, never an empty one; None when none is complete.

        :raises ProtocolError: the connection has to be closed.
        """
        while True:
            request = self._next_array() if self._in_array else self._next_line() if self._line else None
            if request is None or request:
                return request

    def _begin_array(self, data: bytes) -> None:
        # hiredis would make room for as many as are announced.
        header = _ARRAY_HEADER.match(data)
        if header is None:
            if len(data) < _LONGEST_HEADER and b"\n" not in data:
                self._line = data  # only a part of the header
                return
            raise ProtocolError("invalid multibulk length")
        if int(header[1]) > self._options.max_arguments:
            raise ProtocolError("invalid multibulk length")
        self._line = b""
        self._in_array = True
        self._fed = 0
        self._chunks.clear()
        self._arrays = 0
        self._feed_array(data)

    def _feed_array(self, data: bytes) -> None:
        self._fed += len(data)
        self._chunks.append(data)
        self._reader.feed(data)

    def _next_array(self) -> list[bytes] | None:
        try:
            request = self._reader.gets()
        except hiredis.ProtocolError as error:
            rest = _behind(b"".join(self._chunks), self._arrays)
            if self._arrays == 0 or rest[:1] in b"*$+-:,_#!=(%~>|":
                raise ProtocolError(str(error).removeprefix("Protocol error, ")) from None
            self._reader = hiredis.Reader()
            self._in_array = False
            self._line = rest
            return []
        if request is False:
            if self._fed > self._options.max_request:
                raise ProtocolError(f"request of more than {self._options.max_request} bytes")
            return None
        self._arrays += 1
        self._in_array = self._reader.has_data()
        self._fed = self._reader.len() if self._in_array else 0
        if request is None:
            return []
        if type(request) is not list:
            raise ProtocolError("expected an array of bulk strings")
        for argument in request:
            if type(argument) is not bytes:
                raise ProtocolError("expected '$'")
        return request

    def _next_line(self) -> list[bytes] | None:
        if self._line[:1] == b"*":
            self._begin_array(self._line)
            return [] if self._in_array else None
        line, newline, rest = self._line.partition(b"\n")
        if not newline:
            if len(line) > self._options.max_line:
                raise ProtocolError("too big inline request")
            return None
        self._line = rest
        if len(line) > self._options.max_line:
            raise ProtocolError("too big inline request")
        return split_line(line)


def _behind(data: bytes, arrays: int) -> bytes:
    """Give what follows some complete arrays of bulk strings."""
    at = 0
    for _ in range(arrays):
        header = _ARRAY_HEADER.match(data, at)
        if header is None:
            return b"*"  # not of bulk strings alone
        at = header.end()
        for _ in range(int(header[1])):
            bulk = _BULK_HEADER.match(data, at)
            if bulk is None:
                return b"*"
            at = bulk.end() + int(bulk[1]) + len(b"\r\n")
    return data[at:]


def split_line(line: bytes) -> list[bytes]:
    """Split an inline command into words, as Redis's sdssplitargs does.

    :raises ProtocolError: a quote is not closed, or not followed by a space.
    """
    words: list[bytes] = []
    position = 0
    line = line.rstrip(b" \t\r\n\v\f\0")
    while position < len(line):
        word = _WORD.match(line, position)
        if word is None:
            raise ProtocolError("unbalanced quotes in request")
        position = word.end()
        double, single, bare = word.groups()
        if double is not None:
            words.append(_ESCAPE.sub(_unescape, double))
        elif single is not None:
            words.append(single.replace(b"\\'", b"'"))
        else:
            words.append(_without_inner_quotes(bare))
    return words


def _unescape(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes((int(found[1], 16),))
    return _ESCAPES.get(found[2], found[2])


def _without_inner_quotes(word: bytes) -> bytes:
    if b'"' in word or b"'" in word:
        raise ProtocolError("unbalanced quotes in request")
    return word
