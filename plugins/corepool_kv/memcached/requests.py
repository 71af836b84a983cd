"""Requests of memcached's text protocol: lines, some of them with a value behind, from bytes, without I/O.

The reference is doc/protocol.txt of memcached 1.6, and what 1.6.18 does where that is silent. One thing differs: a line
that announces a value and is refused, for its key of 300 bytes say, takes the value with it, if it says how long that
is. memcached would run the value as commands.
"""

from __future__ import annotations

from corepool_kv.memcached.wire import words_of

_WITH_VALUE = {b"set": 4, b"add": 4, b"replace": 4, b"append": 4, b"prepend": 4, b"cas": 4, b"ms": 2}
"""Commands with a value, and the word that is its length."""

_MAX_LENGTH_DIGITS = 10
_LONGEST = 2**31 - 3  # memcached counts the value and its end in 31 bits
_END = b"\r\n"

BINARY_MAGIC = 0x80
BINARY_HEADER_BYTES = 24


class LineTooLongError(Exception):
    """A line has no end within the bound: the connection has to be closed."""


class BinaryError(Exception):
    """The client speaks the binary protocol."""

    def __init__(self, header: bytes) -> None:
        """Take the header of its first request, as much as there is."""
        super().__init__("the binary protocol")
        self.header = header


class Request:
    """A line, and the value behind it."""

    __slots__ = ("is_broken", "is_too_large", "value", "words")

    def __init__(
        self, words: list[bytes], value: bytes | None = None, *, is_too_large: bool = False, is_broken: bool = False
    ) -> None:
        self.words = words
        self.value = value
        """None: the command has none; or it was dropped, or is broken, as the next two say."""
        self.is_too_large = is_too_large
        self.is_broken = is_broken
        """The value does not end where the line says."""


class RequestReader:
    """Cuts one connection's input into requests. Holds one value or one line, and the bytes that came with it."""

    def __init__(self, max_line: int, max_item: int) -> None:
        self._max_line = max_line
        self._max_item = max_item
        self._data = b""
        self._at = 0
        """Where the next line begins."""
        self._searched = 0
        """Bytes from there on without the end of the line."""
        self._words: list[bytes] | None = None
        """The line whose value is being received."""
        self._value = bytearray()
        self._missing = 0
        """Bytes of the value, and of its end, that were not received yet."""
        self._drops = False
        self._is_first = True

    @property
    def is_empty(self) -> bool:
        """True between requests: nothing that was received waits."""
        return self._words is None and self._at == len(self._data)

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        if self._words is not None:
            taken = data[: self._missing]
            self._missing -= len(taken)
            if self._drops:
                self._value += taken[len(taken) - 2 :] if len(taken) > 2 else taken  # of its end
                del self._value[:-2]
            else:
                self._value += taken
            data = data[len(taken) :]
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self) -> Request | None:
        """Return the next request; None when none is complete.

        :raises LineTooLongError: the connection has to be closed.
        :raises BinaryError: likewise.
        """
        if self._words is not None:
            return None if self._missing else self._end_value(self._words)
        data, at = self._data, self._at
        if self._is_first and at < len(data):
            self._check_first()
        end = data.find(b"\n", at + self._searched)
        if end < 0:
            self._searched = len(data) - at
            if self._searched > self._max_line:
                raise LineTooLongError
            return None
        if end - at > self._max_line:
            raise LineTooLongError
        self._searched = 0
        self._at = end + 1
        words = words_of(data, at, end)
        if words and (place := _WITH_VALUE.get(words[0])) is not None and len(words) > place:
            return self._begin_value(words, words[place])
        return Request(words)

    def _check_first(self) -> None:
        if self._data[0] == BINARY_MAGIC:
            raise BinaryError(self._data[:BINARY_HEADER_BYTES])
        self._is_first = False

    def _begin_value(self, words: list[bytes], announced: bytes) -> Request | None:
        if not announced.isdigit() or len(announced) > _MAX_LENGTH_DIGITS or (length := int(announced)) > _LONGEST:
            return Request(words)  # no command takes this
        begin, end = self._at, self._at + length + 2
        self._drops = length > self._max_item
        if end <= len(self._data):
            self._at = end
            if self._data[end - 2 : end] != _END:
                return Request(words, is_broken=True)
            return Request(words, is_too_large=True) if self._drops else Request(words, self._data[begin : end - 2])
        self._words = words
        self._missing = end - len(self._data)
        received = self._data[begin:]
        self._value = bytearray(received[-2:] if self._drops else received)
        self._data, self._at = b"", 0
        return None

    def _end_value(self, words: list[bytes]) -> Request:
        value, self._value = self._value, bytearray()
        self._words = None
        if value[-2:] != _END:
            return Request(words, is_broken=True)
        return Request(words, is_too_large=True) if self._drops else Request(words, bytes(value[:-2]))
