"""Heads of responses of the plainest form, as most are: no header means anything to the server, but the length.

Any other is left to `Heads`: headers for a single connection, a Date or Server of the application's, values of other
types than str or bytes, heads to be refused.
"""

from __future__ import annotations

from typing import Any

from corepool_http.head import Head, has_content
from corepool_http.header_kinds import KINDS, MAX_LENGTH_DIGITS, VISIBLE, Kind
from corepool_http.rules import TOKEN

__all__ = ["PlainHeads", "PlainHeadsInPython"]

_MAX_NAMES = 1000
_MAX_KEPT_NAME = 64
_MAX_HEADS = 1000
_MAX_KEPT_HEAD = 4096

_UNSUITABLE = (TypeError, ValueError, AttributeError)
"""Raised by code for pairs of strings when it is given something else. UnicodeError is a ValueError."""


class PlainHeadsInPython:
    """Makes them, and keeps those that begin with the same lines: most responses of an application look the same.

    All headers are checked by one look at their joined text, which is what HTTP/1 sends.
    """

    def __init__(self) -> None:
        self._own = b""
        self._heads: dict[tuple[object, ...], Head] = {}
        self._are_lengths: dict[Any, bool] = {}
        """Names of headers that a plain head may have; True: Content-Length."""

    def begin_with(self, own: bytes) -> None:
        """Let each head begin with the server's own lines from here on."""
        self._own = own
        self._heads.clear()

    def make(self, code: int, phrase: bytes, string: type[str | bytes], headers: list[Any]) -> Head | None:
        """Return the head of a status with these headers; None if it is not of the plainest form, or can't be sent.

        :param string: the type that names and values have to be of.
        """
        try:
            key = (string, phrase, *headers)
            head = self._heads.get(key)
            if head is None and has_content(code):
                head = self._make(code, phrase, string, headers)
                if head is not None and self._has_room_for(head):
                    self._heads[key] = head
        except _UNSUITABLE:  # no pairs of strings; or lists for pairs, which are no key
            return None
        return head

    def _has_room_for(self, head: Head) -> bool:
        return len(self._heads) < _MAX_HEADS and len(head.phrase) + len(head.lines) < _MAX_KEPT_HEAD

    def _make(self, code: int, phrase: bytes, string: type[str | bytes], headers: list[Any]) -> Head | None:
        length: int | None = None
        name: Any
        value: Any
        for pair in headers:
            if type(pair) is not tuple:
                return None  # to look into an iterator would use it up
            name, value = pair
            if type(name) is not string or type(value) is not string:
                return None  # those of derived classes, too: they may claim that different ones are equal
            is_length = self._are_lengths.get(name)
            if is_length is None:
                is_length = self._is_length(name)
            if is_length:
                # It is in nearly every response, and needs no change in most of them.
                if length is not None or not (value.isdigit() and value.isascii() and len(value) <= MAX_LENGTH_DIGITS):
                    return None
                length = int(value)
        if string is str:
            data = "\r\n".join([*map(": ".join, headers), ""]).encode("latin-1")
        else:
            data = b"\r\n".join([*map(b": ".join, headers), b""])
        # Without the allowed bytes, only our own line breaks may be left.
        if data.translate(None, VISIBLE) != b"\r\n" * len(headers):
            return None
        return Head(code, phrase, self._own + data, length)

    def _is_length(self, name: str | bytes) -> bool:
        """Report whether it is Content-Length.

        :raises ValueError: no plain head has it.
        """
        data = name.encode("latin-1") if isinstance(name, str) else name
        kind = KINDS.get(data.lower(), Kind.PLAIN)
        if kind > Kind.LENGTH or not TOKEN.fullmatch(data):
            raise ValueError
        is_length = kind is Kind.LENGTH
        if len(data) <= _MAX_KEPT_NAME:
            if len(self._are_lengths) >= _MAX_NAMES:
                self._are_lengths.clear()
            self._are_lengths[name] = is_length
        return is_length


try:
    from corepool_http._plain_heads import PlainHeads
except ImportError:  # corepool was installed without a compiler
    PlainHeads = PlainHeadsInPython  # type: ignore[misc]
