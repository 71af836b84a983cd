r"""Where a message ends in a stream: RFC 6587, both ways, told apart message by message.

    34 <34>1 2026-01-31T12:00:00Z h su - - - hi     a number, a blank, as many octets
    <34>Jan 31 12:00:00 h su: hi\n                  anything else, up to a line feed (some send a NUL)

Pure: bytes go in as they arrive, and whole messages come out.
"""

from __future__ import annotations

import re

_COUNT = re.compile(rb"([1-9][0-9]{0,8}) ")
_COUNT_BEGUN = re.compile(rb"[1-9][0-9]{0,8}\Z")
_TRAILER = re.compile(rb"[\n\0]")


class Frames:
    """Splits a stream into messages. Keeps at most `most` bytes of an unfinished one, plus one chunk."""

    def __init__(self, most: int) -> None:
        """Begin.

        :param most: bytes of a message; longer ones are cut, and the rest of them is skipped.
        """
        self._most = most
        self._data = bytearray()
        self._skip = 0
        """Octets of a counted message that is too long, still to come."""
        self._skips_line = False

    @property
    def begun(self) -> bool:
        """Whether a part of a message is there."""
        return bool(self._data or self._skip or self._skips_line)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Add a chunk, and return the messages that it completes."""
        self._data += chunk
        messages: list[bytes] = []
        while self._data and (message := self._next()) is not None:
            if message:
                messages.append(message)
        return messages

    def end(self) -> bytes:
        """Return the rest at the end of the stream: a last line without its line feed, or part of a message."""
        return b"" if self._skip or self._skips_line else bytes(self._data)

    def _next(self) -> bytes | None:
        """Take one message from the front, b"" if there is none after all; None: more has to come first."""
        data = self._data
        if self._skip:
            skipped = min(self._skip, len(data))
            del data[:skipped]
            self._skip -= skipped
            return b""
        if self._skips_line:
            return self._skip_line()
        if count := _COUNT.match(data):
            return self._take_counted(count.end(), int(count[1]))
        if _COUNT_BEGUN.match(data):
            return None
        return self._take_line()

    def _take_counted(self, start: int, length: int) -> bytes | None:
        taken = min(length, self._most)
        end = start + taken
        if len(self._data) < end:
            return None
        message = bytes(self._data[start:end])
        del self._data[:end]
        self._skip = length - taken
        return message.rstrip(b"\n\0")

    def _take_line(self) -> bytes | None:
        data = self._data
        trailer = _TRAILER.search(data, 0, self._most + 1)
        if trailer is None and len(data) <= self._most:
            return None
        end = trailer.start() if trailer else self._most
        message = bytes(data[:end])
        del data[: end + 1 if trailer else end]
        self._skips_line = trailer is None
        return message.rstrip(b"\r")

    def _skip_line(self) -> bytes | None:
        trailer = _TRAILER.search(self._data)
        del self._data[: trailer.end() if trailer else len(self._data)]
        self._skips_line = trailer is None
        return b""
