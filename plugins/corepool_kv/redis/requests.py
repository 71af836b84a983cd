"""The requests of one connection: plainly sound input is read in C; `CarefulReader` reads the rest.

`_plain_reader.pyx` judges by itself which input is plain. Where it was not compiled, hiredis stands in.

A connection may change between arrays and inline commands whenever a request is complete; `redis-cli --pipe` ends
with an empty line and an array. hiredis is made for replies: it stops for good at a line, accepts words of other types,
makes room for as many elements as are announced, judges no length, and tells neither where it stopped nor why. So it
gets whole requests only, as far as a look at them can tell. When it finds that they are not, they are read again from
their beginning, less those that were already made of them. One fault gets by: a word that ends in other bytes than CR
and LF, with a simple string behind it in the place of the next word, is taken as two words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import hiredis

from corepool_kv.redis.parser import CarefulReader, ProtocolError, RequestLimits

if TYPE_CHECKING:
    from corepool_kv.redis.options import KvOptions

__all__ = ["CarefulReader", "HiredisReader", "ProtocolError", "RequestLimits", "RequestReader"]

_LONG_INPUT = 16_384
"""So much at once is the middle of a long stream, which is cut where a request seems to begin."""


_find_odd = re.compile(rb"\n[+=(|>~]").findall
"""Find the types that hiredis takes for words, or makes room for."""

_find_odd_words = re.compile(rb"\n\$[0-9]+\r\n[+=(|>~]").findall
"""Find words that begin as those types do."""


class HiredisReader:
    """Cuts one connection's input into requests."""

    def __init__(self, options: KvOptions, *, is_trusted: bool = True) -> None:
        """Begin.

        :param is_trusted: False: until `trust` the limits are those of strangers.
        """
        self._options = options
        self._is_trusted = is_trusted
        self._max_request = options.max_request
        # Lists are made of arrays and of pushes; other types have room made as their elements come.
        self._digits = digits = len(str(options.max_arguments))
        self._seems_odd = re.compile(rb"\n(?:[+=(|>~]|\*[0-9]{%d})" % digits).search
        self._announces_many = re.compile(rb"\n\*[0-9]{%d}" % digits).search
        self._hiredis = hiredis.Reader()
        self._careful = CarefulReader(RequestLimits.of(options, is_trusted=is_trusted))
        self._chunk = b""
        """The bytes that hiredis has, from its beginning."""
        self._made = 0
        """Requests that were made of it."""
        self._rest = b""
        """The bytes received after it."""
        self._is_careful = False
        """The careful reader has input, or had some until its last request."""
        self._is_new = False
        """That input may end in requests that hiredis is able to read."""

    @property
    def is_empty(self) -> bool:
        """True between requests: nothing that was received waits."""
        return not self._chunk and self._careful.is_empty

    def trust(self) -> None:
        """Read on by the limits of the options."""
        self._is_trusted = True
        self._careful.limits = RequestLimits.of(self._options, is_trusted=True)

    def distrust(self) -> None:
        """Read on by the limits of a client that has to send the password."""
        self._is_trusted = False
        self._careful.limits = RequestLimits.of(self._options, is_trusted=False)
        if self._chunk:
            self._read_carefully()

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        if self._chunk:
            self._rest += data
        elif self._is_careful:
            self._careful.feed(data)
            self._is_new = True
        elif not self._begin(data):
            self._careful.feed(data)
            self._is_careful = True

    def next(self) -> list[bytes] | None:
        """Return the next request, never an empty one; None when none is complete.

        :raises ProtocolError: the connection has to be closed.
        """
        while self._chunk:
            try:
                request = self._hiredis.gets()
            except (hiredis.HiredisError, TypeError):  # a map whose key can't be one is a TypeError
                request = None
            if type(request) is not list:
                self._read_carefully()
                break
            for word in request:
                if type(word) is not bytes:
                    self._read_carefully()
                    return self._next_carefully()
            if self._hiredis.has_data():
                self._made += len(request) > 0
            else:
                self._chunk = b""
                self._made = 0
                if self._rest:
                    rest, self._rest = self._rest, b""
                    self.feed(rest)
            if request:
                return request
        return self._next_carefully() if self._is_careful else None

    def _next_carefully(self) -> list[bytes] | None:
        if self._is_new and (rest := self._careful.take_rest()):
            # The request that the last input had ended in is complete.
            self._is_new = False
            if self._begin(rest):
                self._is_careful = False
                return self.next()
            self._careful.feed(rest)
        request = self._careful.next()
        if request is None:
            self._is_careful = not self._careful.is_empty
        return request

    def _begin(self, data: bytes) -> bool:
        """Have hiredis read the input, if it seems to be whole requests; False if not."""
        if data[:1] != b"*" or not self._is_trusted or data[self._digits : self._digits + 1].isdigit():
            return False
        chunk = data
        if data[-2:] != b"\r\n" or len(data) > _LONG_INPUT:
            begin = data.rfind(b"\r\n*") + 2
            if begin > 1:
                chunk = data[:begin]
                self._rest = data[begin:]
            elif data[-2:] != b"\r\n":
                return False
        if len(chunk) > self._max_request or (self._seems_odd(chunk) and self._is_odd(chunk)):
            self._rest = b""
            return False
        self._chunk = chunk
        self._hiredis.feed(chunk)
        return True

    def _is_odd(self, chunk: bytes) -> bool:
        """Report whether hiredis would take another type for a word, or make room for too many elements."""
        return bool(self._announces_many(chunk)) or len(_find_odd(chunk)) != len(_find_odd_words(chunk))

    def _read_carefully(self) -> None:
        """Read the input again, and go on behind the requests that were already made of it."""
        self._hiredis = hiredis.Reader()
        self._careful.feed(self._chunk + self._rest)
        for _ in range(self._made):
            self._careful.next()
        self._chunk = self._rest = b""
        self._made = 0
        self._is_careful = True
        self._is_new = False


try:
    from corepool_kv.redis._plain_reader import RequestReader
except ImportError:  # corepool was installed without a compiler
    RequestReader = HiredisReader  # type: ignore[misc]
