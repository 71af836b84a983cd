"""Heads of responses: checked, completed with Date and Server, encoded."""

from __future__ import annotations

import http
import re
import time
from email.utils import formatdate
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    Key = tuple[object, ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_STATUS = re.compile(r"[1-9][0-9][0-9] ?[^\x00-\x08\x0a-\x1f\x7f]*")
_MOST_NAMES = 1000
_MOST_HEADS = 1000
_LONGEST_KEPT_HEAD = 4096

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class ResponseError(Exception):
    """The application's response can't be sent; `str()` says what is wrong with it."""


class Kind(IntEnum):
    """What a header means to us."""

    PLAIN = 0
    LENGTH = 1
    CONNECTION = 2
    FRAMING = 3  # Transfer-Encoding and such: it is we who choose how a response is framed
    DATE = 4
    SERVER = 5


_KINDS = {
    "content-length": Kind.LENGTH,
    "connection": Kind.CONNECTION,
    "transfer-encoding": Kind.FRAMING,
    "keep-alive": Kind.FRAMING,
    "date": Kind.DATE,
    "server": Kind.SERVER,
}


class Head(NamedTuple):
    """The head of a response but for its last lines, and what it says."""

    status: int
    lines: bytes
    length: int | None
    closes: bool

    def with_length(self, length: int) -> Head:
        """Announce so many bytes of content."""
        return self._replace(length=length, lines=b"%bContent-Length: %d\r\n" % (self.lines, length))


class Heads:
    """Makes the heads of one worker's responses."""

    def __init__(self, server: str) -> None:
        self._server = f"Server: {server}\r\n".encode("latin-1") if server else b""
        self._second = -1
        self._date = b""
        self._heads: dict[Key, Head] = {}
        self._kinds: dict[str | bytes, Kind] = {}
        self._byte_lines: dict[int, bytes] = {}
        self._status_lines: dict[str, tuple[int, bytes]] = {}

    def of_text(self, status: str, headers: Sequence[tuple[str, str]]) -> Head:
        """Make a head of WSGI's status and headers.

        :raises ResponseError: they would not be what they seem on the wire.
        """
        try:
            key = (status, *headers)
            head = self._made(key)
        except TypeError:  # a list for a pair
            return self._make_of_text(status, [(name, value) for name, value in headers])
        if head is None:
            head = self._keep(key, self._make_of_text(status, headers))
        return head

    def of_bytes(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> Head:
        """Make a head of ASGI's status and headers.

        :raises ResponseError: they would not be what they seem on the wire.
        """
        try:
            key = (status, *headers)
            head = self._made(key)
        except TypeError:
            return self._make_of_bytes(status, [(bytes(name), bytes(value)) for name, value in headers])
        if head is None:
            head = self._keep(key, self._make_of_bytes(status, headers))
        return head

    def _made(self, key: Key) -> Head | None:
        """Find a head that was made in this second: most responses of an application look the same."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = b"Date: %b\r\n" % formatdate(now, usegmt=True).encode()
            self._heads.clear()
        return self._heads.get(key)

    def _keep(self, key: Key, head: Head) -> Head:
        if len(self._heads) < _MOST_HEADS and len(head.lines) < _LONGEST_KEPT_HEAD:
            self._heads[key] = head
        return head

    def _make_of_text(self, status: str, headers: Sequence[tuple[str, str]]) -> Head:
        found = self._status_lines.get(status)
        code, line = found if found is not None else self._status_line(status)
        is_plain, length = self._look_at(headers)
        text = "".join([f"{name}: {value}\r\n" for name, value in headers])
        count = len(headers)
        if text.count("\n") != count or text.count("\r") != count or "\0" in text:
            raise ResponseError(f"line break in a header: {_broken(headers)}")
        if not is_plain:
            return self._with_special(code, line, headers)
        return Head(code, b"%b%b%b%b" % (line, self._date, self._server, text.encode("latin-1")), length, False)

    def _make_of_bytes(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> Head:
        is_plain, length = self._look_at(headers)
        data = b"".join([b"%b: %b\r\n" % (name, value) for name, value in headers])
        count = len(headers)
        if not is_plain or data.count(b"\n") != count or data.count(b"\r") != count or b"\0" in data:
            text = [(str(name, "latin-1"), str(value, "latin-1")) for name, value in headers]
            return self._make_of_text(f"{status} {reason_of(status)}", text)
        line = self._byte_lines.get(status)
        if line is None:
            _, line = self._status_line(f"{status} {reason_of(status)}")
            self._byte_lines[status] = line
        return Head(status, b"%b%b%b%b" % (line, self._date, self._server, data), length, False)

    def _look_at(self, headers: Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]]) -> tuple[bool, int | None]:
        """Tell whether the headers can be sent as they are, and the length that they announce."""
        find = self._kinds.get
        is_plain = True
        length: int | None = None
        for name, value in headers:
            kind = find(name)
            if kind is None:
                kind = self._kind(name)
            if kind:
                # Of the special headers, a length is in nearly every response, and needs no change.
                if kind is Kind.LENGTH and length is None and value.isdigit() and value.isascii():
                    length = int(value)
                else:
                    is_plain = False
        return is_plain, length

    def _with_special(self, code: int, line: bytes, headers: Sequence[tuple[str, str]]) -> Head:
        length: int | None = None
        closes = has_date = has_server = False
        kept = []
        for name, value in headers:
            kind = self._kinds.get(name) or self._kind(name)
            if kind is Kind.LENGTH:
                if not (value.isascii() and value.isdigit()) or length not in {None, int(value)}:
                    raise ResponseError(f"invalid Content-Length: {value!r}")
                if length is not None:
                    continue
                length = int(value)
            elif kind is Kind.CONNECTION:
                closes = closes or "close" in value.lower()
                continue
            elif kind is Kind.FRAMING:
                continue
            has_date = has_date or kind is Kind.DATE
            has_server = has_server or kind is Kind.SERVER
            kept.append(f"{name}: {value}\r\n")
        date = b"" if has_date else self._date
        server = b"" if has_server else self._server
        return Head(code, b"%b%b%b%b" % (line, date, server, "".join(kept).encode("latin-1")), length, closes)

    def _kind(self, name: str | bytes) -> Kind:
        text = name if isinstance(name, str) else name.decode("latin-1")
        if not _TOKEN.fullmatch(text):
            raise ResponseError(f"invalid header name: {text!r}")
        kind = _KINDS.get(text.lower(), Kind.PLAIN)
        if len(self._kinds) < _MOST_NAMES:
            self._kinds[name] = kind
        return kind

    def _status_line(self, status: str) -> tuple[int, bytes]:
        if not _STATUS.fullmatch(status):
            raise ResponseError(f"invalid status: {status!r}")
        code = int(status[:3])
        line = f"HTTP/1.1 {status}\r\n".encode("latin-1")
        if len(self._status_lines) < _MOST_NAMES:
            self._status_lines[status] = code, line
        return code, line


def _broken(headers: Sequence[tuple[str, str]]) -> str:
    return ", ".join(repr(pair) for pair in headers if _BREAKS.search(f"{pair[0]}{pair[1]}"))


def reason_of(status: int) -> str:
    """Give the usual reason phrase."""
    return _REASONS.get(status, "")
