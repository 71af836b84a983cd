"""Requests: RESP arrays, parsed by hiredis, and inline commands, one a line.

A connection may change from one to the other whenever a request is complete; `redis-cli --pipe` ends with an
empty line and an array. hiredis is made for replies: it stops for good at a line, it makes room for as many
elements as are announced, and it tells neither where it stopped nor why in Redis's words. So what it was fed is
kept until it has all become requests, and whatever it should not see or could not parse is read again by
`CarefulReader`, in Python, by Redis's own rules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import hiredis

if TYPE_CHECKING:
    from corepool_kv.options import KvOptions

_LONG_INPUT = 16_384
"""So much at once is the middle of a long stream, which is cut where a request seems to begin."""

_KEPT_BYTES = 1 << 20
"""More is not kept for requests that are complete already."""

_STRANGERS_WORDS = 10
_STRANGERS_BYTES = 16_384
"""Of a request before AUTH (as in redis)."""

_LONGEST_HEADER = 32
_INTEGER = re.compile(rb"-?[0-9]{1,19}")

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


class RequestLimits(NamedTuple):
    """How large a request may be: bytes of a line, words, bytes of them; and what a larger one is called."""

    line: int
    words: int
    size: int
    fault: str

    @classmethod
    def of(cls, options: KvOptions, *, is_trusted: bool) -> RequestLimits:
        """Give those of the options; before the password was sent, what AUTH and HELLO take (CVE-2021-32675)."""
        if is_trusted:
            return cls(options.max_line, options.max_arguments, options.max_request, "invalid")
        words, size = min(_STRANGERS_WORDS, options.max_arguments), min(_STRANGERS_BYTES, options.max_request)
        return cls(options.max_line, words, size, "unauthenticated")


class RequestReader:
    """Cuts one connection's input into requests."""

    def __init__(self, options: KvOptions, *, is_trusted: bool = True) -> None:
        """Begin.

        :param is_trusted: False: until `trust` the limits are those of strangers, and each byte is checked against
            them: hiredis would only show a request when all of it is there.
        """
        self._options = options
        self._is_trusted = is_trusted
        self._max_request = options.max_request
        # Lists are made of arrays and of pushes; other types have room made as their elements come.
        digits = len(str(options.max_arguments))
        self._announces_many = re.compile(rb"\*[0-9]{%d}" % digits).search
        self._pushes_many = re.compile(rb">[0-9]{%d}" % digits).search
        self._hiredis = hiredis.Reader()
        self._careful = CarefulReader(RequestLimits.of(options, is_trusted=is_trusted))
        self._kept: list[bytes] = []
        """What hiredis was fed since the last time that all of it had become requests."""
        self._kept_bytes = 0
        self._made = 0
        """Requests that were made of what is kept."""
        self._next_input = b""

    @property
    def is_empty(self) -> bool:
        """True between requests: nothing that was received waits."""
        return not self._kept and not self._next_input and self._careful.is_empty

    def trust(self) -> None:
        """Read on by the limits of the options."""
        self._is_trusted = True
        self._careful.limits = RequestLimits.of(self._options, is_trusted=True)

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._next_input:
            self._next_input += data
        elif self._kept:
            self._feed(data, after=b"".join(self._kept[-_LONGEST_HEADER:])[-_LONGEST_HEADER:])
        elif self._careful.is_empty and data[:1] == b"*" and self._is_trusted:
            self._feed(data)
        else:
            self._careful.feed(data)

    def next(self) -> list[bytes] | None:
        """Give the next request, never an empty one; None when none is complete.

        :raises ProtocolError: the connection has to be closed.
        """
        while self._kept or self._next_input:
            if not self._kept:
                self._begin_next_input()
                continue
            try:
                request = self._hiredis.gets()
            except hiredis.ProtocolError:
                self._become_careful()
                break
            if request is False:
                if not self._made and self._kept_bytes > self._max_request:
                    raise ProtocolError(f"request of more than {self._max_request} bytes")
                if not self._next_input:
                    return None
                self._begin_next_input()
                continue
            if type(request) is not list:
                self._become_careful()
                break
            for word in request:
                if type(word) is not bytes:
                    self._become_careful()
                    return self._careful.next()
            if self._hiredis.has_data():
                self._made += len(request) > 0
            else:
                self._kept.clear()
                self._kept_bytes = self._made = 0
            if request:
                return request
        return self._careful.next()

    def _feed(self, data: bytes, after: bytes = b"") -> None:
        if len(data) > _LONG_INPUT and (begin := data.rfind(b"\r\n*") + 2) > 1:
            self._next_input = data[begin:]
            data = data[:begin]
        self._kept.append(data)
        self._kept_bytes += len(data)
        seen = after + data
        if (
            self._announces_many(seen)
            or (b">" in seen and self._pushes_many(seen))
            or (self._made and self._kept_bytes > _KEPT_BYTES)
        ):
            self._become_careful()
        else:
            self._hiredis.feed(data)

    def _begin_next_input(self) -> None:
        data, self._next_input = self._next_input, b""
        self.feed(data)

    def _become_careful(self) -> None:
        """Read what is kept again, and go on behind the requests that were already made of it."""
        self._hiredis = hiredis.Reader()
        for data in (*self._kept, self._next_input):
            self._careful.feed(data)
        for _ in range(self._made):
            self._careful.next()
        self._kept.clear()
        self._next_input = b""
        self._kept_bytes = self._made = 0


class CarefulReader:
    """Cuts input into requests, lines and arrays, and says what is wrong with it in Redis's words."""

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits
        self._data = bytearray()
        self._words: list[bytes] = []
        self._missing = 0
        """Words of the array that was begun."""
        self._length = -1
        """Of the word that was begun."""
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """True between requests when all was used."""
        return not self._data and not self._missing

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._data += data

    def next(self) -> list[bytes] | None:
        """Give the next request, never an empty one; None when none is complete.

        :raises ProtocolError: the connection has to be closed.
        """
        while self._missing or self._data:
            request = self._next_array() if self._missing or self._data[0] == 0x2A else self._next_line()
            if request is None or request:
                return request
        return None

    def _next_array(self) -> list[bytes] | None:
        if not self._missing:
            count = self._next_header("multibulk length", self.limits.words)
            if count is None or count <= 0:
                return None if count is None else []
            self._missing = count
            self._words = []
            self._size = 0
        while self._missing:
            if not self._take_word():
                return None
        return self._words

    def _take_word(self) -> bool:
        if self._length < 0:
            if self._data and self._data[0] != 0x24:
                raise ProtocolError(f"expected '$', got {chr(self._data[0])!r}")
            length = self._next_header("bulk length", self.limits.size)
            if length is None:
                return False
            if length < 0:
                raise ProtocolError("invalid bulk length")
            self._length = length
            self._size += length
            if self._size > self.limits.size:
                raise ProtocolError(f"request of more than {self.limits.size} bytes")
        if len(self._data) < self._length + 2:
            return False
        self._words.append(bytes(self._data[: self._length]))
        del self._data[: self._length + 2]
        self._length = -1
        self._missing -= 1
        return True

    def _next_header(self, what: str, most: int) -> int | None:
        end = self._data.find(b"\r\n", 0, self.limits.line)
        if end < 0:
            if len(self._data) >= self.limits.line:
                raise ProtocolError(f"invalid {what}")
            return None
        number = bytes(self._data[1:end])
        if not _INTEGER.fullmatch(number):
            raise ProtocolError(f"invalid {what}")
        if int(number) > most:
            raise ProtocolError(f"{self.limits.fault} {what}")
        del self._data[: end + 2]
        return int(number)

    def _next_line(self) -> list[bytes] | None:
        end = self._data.find(b"\n", 0, self.limits.line + 1)
        if end < 0:
            if len(self._data) > self.limits.line:
                raise ProtocolError("too big inline request")
            return None
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        return split_line(line)


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
