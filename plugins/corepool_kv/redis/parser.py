"""Requests by Redis's own rules, in Python: RESP arrays and inline commands, from bytes, without I/O.

The reference is networking.c of Redis 7.0 (`processMultibulkBuffer`, `processInlineBuffer`), quirks included, since
clients and their tests know those: a header ends at its first CR, the byte behind that is not looked at, and a NUL
hides whatever ends a line. What a header or a line may cost is bounded, and each byte is looked at a fixed
number of times, however the input is cut.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.inline import UnbalancedQuotesError, split_line

if TYPE_CHECKING:
    from corepool_kv.redis.options import KvOptions

_STRANGERS_WORDS = 10
_STRANGERS_BYTES = 16_384
"""Of a request before AUTH (as in Redis)."""

_MAX_WORDS = 2**31 - 1
_MAX_WORD_BYTES = 512 * 1024 * 1024
"""Redis's own limits (INT_MAX, proto-max-bulk-len)."""

_MAX_INTEGER = 2**63 - 1
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")

_ARRAY, _BULK = b"*$"


class ProtocolError(Exception):
    """The input is no request; `str()` is what Redis says after "Protocol error: "."""


class RequestLimits(NamedTuple):
    """The largest request: bytes of a line or header, words, bytes of them; and Redis's word for a larger one."""

    line: int
    words: int
    size: int
    fault: str

    @classmethod
    def of(cls, options: KvOptions, *, is_trusted: bool) -> RequestLimits:
        """Return those of the options; before the password was sent, what AUTH and HELLO take (CVE-2021-32675)."""
        if is_trusted:
            return cls(options.max_line, options.max_arguments, options.max_request, "invalid")
        words, size = min(_STRANGERS_WORDS, options.max_arguments), min(_STRANGERS_BYTES, options.max_request)
        return cls(options.max_line, words, size, "unauthenticated")

    def check_words(self, count: int) -> None:
        """Refuse an array of too many words.

        :raises ProtocolError: it has too many.
        """
        if count > self.words:
            raise ProtocolError(f"{self.fault if count <= _MAX_WORDS else 'invalid'} multibulk length")

    def check_word(self, length: int, total: int) -> None:
        """Refuse a word that is too long, alone or together with those before it.

        :param total: bytes of the request's words, this one among them.
        :raises ProtocolError: it is too long.
        """
        if not 0 <= length <= _MAX_WORD_BYTES:
            raise ProtocolError("invalid bulk length")
        if length > self.size and self.fault != "invalid":
            raise ProtocolError(f"{self.fault} bulk length")
        if total > self.size:
            raise ProtocolError(f"request of more than {self.size} bytes")


class CarefulReader:
    """Cuts input into requests, lines and arrays, and reports errors in Redis's words."""

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits
        self._data = bytearray()
        self._searched = 0
        """Bytes at the start of `_data` that don't end the line or header which begins there."""
        self._is_endless = False
        """A NUL hides the end of that line or header."""
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
        """Add received bytes."""
        self._data += data

    def take_rest(self) -> bytes:
        """Return the input that no request has been begun of, for another reader."""
        if self._missing or self._searched:
            return b""
        rest = bytes(self._data)
        self._data.clear()
        return rest

    def next(self) -> list[bytes] | None:
        """Return the next request, never an empty one; None when none is complete.

        :raises ProtocolError: the connection has to be closed.
        """
        while self._missing or self._data:
            request = self._next_array() if self._missing or self._data[0] == _ARRAY else self._next_line()
            if request is None or request:
                return request
        return None

    def _next_array(self) -> list[bytes] | None:
        if not self._missing:
            count = self._next_header("mbulk count string", "invalid multibulk length")
            if count is None or count <= 0:
                return None if count is None else []
            self.limits.check_words(count)
            self._missing = count
            self._words = []
            self._size = 0
        while self._missing:
            if not self._take_word():
                return None
        words, self._words = self._words, []
        return words

    def _take_word(self) -> bool:
        if self._length < 0:
            length = self._next_header("bulk count string", "invalid bulk length")
            if length is None:
                return False
            self._size += length
            self.limits.check_word(length, self._size)
            self._length = length
        if len(self._data) < self._length + 2:
            return False
        with memoryview(self._data) as view:
            self._words.append(bytes(view[: self._length]))
        del self._data[: self._length + 2]
        self._length = -1
        self._missing -= 1
        return True

    def _next_header(self, what: str, fault: str) -> int | None:
        end = self._find_end(b"\r", what)
        if end < 0 or len(self._data) < end + 2:
            return None
        if self._missing and self._data[0] != _BULK:
            got = bytes(self._data[:1]).decode(errors="surrogateescape")
            raise ProtocolError(f"expected '$', got '{got}'")
        number = bytes(self._data[1:end])
        if not _INTEGER.fullmatch(number) or not -_MAX_INTEGER - 1 <= int(number) <= _MAX_INTEGER:
            raise ProtocolError(fault)
        del self._data[: end + 2]
        self._searched = 0
        return int(number)

    def _next_line(self) -> list[bytes] | None:
        end = self._find_end(b"\n", "inline request")
        if end < 0:
            return None
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        self._searched = 0
        try:
            return split_line(line)
        except UnbalancedQuotesError:
            raise ProtocolError("unbalanced quotes in request") from None

    def _find_end(self, mark: bytes, what: str) -> int:
        """Return the place of the byte that ends the line or header; -1 while it is not there.

        :raises ProtocolError: it would be too long.
        """
        if not self._is_endless:
            end = self._data.find(mark, self._searched, self.limits.line + 1)
            self._searched = min(len(self._data), self.limits.line + 1) if end < 0 else end
            # Redis looks for it with strchr(3).
            if end >= 0 and self._data.find(0, 0, end) < 0:
                return end
            self._is_endless = end >= 0
        if len(self._data) > self.limits.line:
            raise ProtocolError(f"too big {what}")
        return -1
