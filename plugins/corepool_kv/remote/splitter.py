"""Cutting a stream of replies into single ones, without decoding them. Does no I/O.

A parser for clients, as hiredis is, makes objects of replies: a bulk string and a simple one become the same, and none
of the types of RESP3 could be encoded again as it was. Here each reply stays the bytes that came. Each byte is looked
at once, however the stream is cut.
"""

from __future__ import annotations

TOO_LONG = b"-ERR the reply is longer than `max_reply` of this listener\r\n"

_MAX_HEADER = 65_536
"""Bytes of a line; errors and simple strings of servers are much shorter."""
_MAX_DEPTH = 64

_LINES = frozenset(b"+-:,#(_")
_BULKS = frozenset(b"$=!")
_AGGREGATES = {ord("*"): (1, 0), ord("~"): (1, 0), ord(">"): (1, 0), ord("%"): (2, 0), ord("|"): (2, 1)}
"""Of each type how many replies an announced item has, and how many belong to it beside those."""


class BadReplyError(Exception):
    """The bytes are no reply: nothing can be told of those behind them."""


class ReplySplitter:
    """Splits what one server sends."""

    def __init__(self, max_reply: int) -> None:
        """Begin between two replies.

        :param max_reply: bytes; a longer one is dropped as it comes, and TOO_LONG takes its place.
        """
        self._max_reply = max_reply
        self._rest = bytearray()
        """The beginning of a reply."""
        self._at = 0
        """So much of it was looked at."""
        self._wanted = 0
        """Bytes that `_rest` must have before there is more to look at."""
        self._open: list[int] = []
        """How many replies are missing in each aggregate that has begun."""
        self._is_dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take received bytes; return the replies that are complete.

        :raises BadReplyError: they are none.
        """
        if self._rest or self._is_dropping:
            self._rest += data
            if len(self._rest) < self._wanted:
                self._bound()
                return []
            replies, start = self._split(self._rest)
            del self._rest[:start]
        else:
            replies, start = self._split(data)
            if start < len(data):
                self._rest += data[start:] if start else data
        self._at -= start
        self._wanted -= start
        self._bound()
        return replies

    def _split(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        """Return the complete replies, and where the next one begins."""
        replies: list[bytes] = []
        at, start, size, opened = self._at, 0, len(data), self._open
        self._wanted = 0
        while at < size:
            end = data.find(b"\r\n", at)
            if end < 0:
                if size - at > _MAX_HEADER:
                    raise BadReplyError("a line has no end")
                self._wanted = size + 1
                break
            kind = data[at]
            if kind in _BULKS:
                length = _number(data[at + 1 : end])
                behind = end + 2 if length < 0 else end + 4 + length
                if behind > size:
                    self._wanted = behind
                    break
            elif kind in _LINES:
                behind = end + 2
            elif kind in _AGGREGATES:
                each, more = _AGGREGATES[kind]
                missing = _number(data[at + 1 : end]) * each + more
                behind = end + 2
                if missing > 0:
                    if len(opened) >= _MAX_DEPTH:
                        raise BadReplyError("it is nested too deeply")
                    opened.append(missing)
                    at = behind
                    continue
            else:
                raise BadReplyError(f"it begins with {bytes(data[at : at + 16])!r}")
            at = behind
            while opened:
                opened[-1] -= 1
                if opened[-1]:
                    break
                opened.pop()
            if not opened:
                if self._is_dropping or at - start > self._max_reply:
                    self._is_dropping = False
                    replies.append(TOO_LONG)
                else:
                    replies.append(bytes(data[start:at]))
                start = at
        self._at = at
        return replies, start

    def _bound(self) -> None:
        """Drop the beginning of a reply that is too long."""
        if not self._is_dropping and max(len(self._rest), self._wanted) <= self._max_reply:
            return
        self._is_dropping = True
        missing = self._wanted - len(self._rest)
        if missing > len(b"\r\n"):
            # In the middle of a bulk string: from here on it is one that is as long as its rest.
            self._rest = bytearray(b"$%d\r\n" % (missing - 2))
            self._at = 0
            self._wanted = missing + len(self._rest)
        else:
            del self._rest[: self._at]
            self._wanted -= self._at
            self._at = 0


def _number(text: bytes | bytearray) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadReplyError(f"it has the length {bytes(text[:16])!r}") from None
