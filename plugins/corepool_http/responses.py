"""Heads of responses, whatever version of HTTP carries them: checked, and completed with Date and Server.

All headers of a response are checked by one look at their joined text, and that text is kept: HTTP/1 sends it as it is,
and joining them twice would cost as much as the check. Other versions ask for `Head.fields`.
"""

from __future__ import annotations

import http
import re
import time
from email.utils import formatdate
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from corepool_http.rules import TOKEN
from corepool_http.values import ResponseError, as_integer, as_text, bytes_pair, listed, shown, text_pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Key = tuple[object, ...]
    Pairs = Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]]

__all__ = ["Head", "Heads", "ResponseError", "reason_of"]

_STATUS = re.compile(r"([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_LENGTH = re.compile(rb"[ \t]*([0-9]{1,18})[ \t]*")
_VISIBLE = bytes(byte for byte in range(256) if byte == 0x09 or (byte >= 0x20 and byte != 0x7F))
"""Bytes of which header values are made (RFC 9110, 5.5)."""

_STATUSES = range(100, 600)
"""Others are invalid (RFC 9110, 15); a client takes them for a 500."""

_MAX_NAMES = 1000
_MAX_KEPT_NAME = 64
_MAX_HEADS = 1000
_MAX_KEPT_HEAD = 4096
_MAX_LENGTH_DIGITS = 18

_UNSUITABLE = (TypeError, ValueError, AttributeError)
"""Raised by code for pairs of strings when it is given something else. UnicodeError is a ValueError."""

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class Kind(IntEnum):
    """The meaning of a header to this server."""

    PLAIN = 0
    LENGTH = 1
    CONNECTION = 2
    CODING = 3  # Transfer-Encoding: how a response is delimited is our choice
    HOP = 4  # for a single connection, hence not the application's (PEP 3333, "Other HTTP Features")
    UPGRADE = 5
    CHALLENGE = 6  # a proxy's
    DATE = 7
    SERVER = 8


KINDS = {
    b"content-length": Kind.LENGTH,
    b"connection": Kind.CONNECTION,
    b"transfer-encoding": Kind.CODING,
    b"keep-alive": Kind.HOP,
    b"proxy-connection": Kind.HOP,
    b"proxy-authorization": Kind.HOP,
    b"te": Kind.HOP,
    b"trailer": Kind.HOP,
    b"trailers": Kind.HOP,
    b"upgrade": Kind.UPGRADE,
    b"proxy-authenticate": Kind.CHALLENGE,
    b"date": Kind.DATE,
    b"server": Kind.SERVER,
}

_NEEDED = {Kind.UPGRADE: 426, Kind.CHALLENGE: 407}
"""Headers for a single connection that a response of one status must have (RFC 9110, 15.5.22 and 15.5.8)."""


class Head(NamedTuple):
    """A checked status with its headers, but for those that depend on the wire."""

    status: int
    phrase: bytes
    """The status with its reason, as in `200 OK`."""
    lines: bytes
    """The headers, each as `Name: value` with CR LF behind it."""
    length: int | None
    """The Content-Length in `lines`."""
    closes: bool
    """The application asks for the end of the connection after this response."""
    bodyless: bool
    """No response of this status has content, whatever the request."""
    upgrades: bool
    """The headers name other protocols in Upgrade, which Connection then has to name."""

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as pairs."""
        pairs = (line.partition(b": ") for line in self.lines.split(b"\r\n")[:-1])
        return [(name, value) for name, _, value in pairs]

    def with_trailer(self, names: bytes) -> Head:
        """Announce trailers.

        :param names: a value of the header Trailer, checked.
        """
        return self._replace(lines=b"%bTrailer: %b\r\n" % (self.lines, names))

    def with_length(self, length: int) -> Head:
        """Announce so many bytes of content, unless the status is of a response without content."""
        if self.bodyless:
            return self
        return self._replace(length=length, lines=b"%bContent-Length: %d\r\n" % (self.lines, length))


class Heads:
    """Makes the heads of one worker's responses."""

    def __init__(self, server: str) -> None:
        self._server = f"Server: {server}\r\n".encode("latin-1") if server else b""
        self._second = -1
        self._date = b""
        self._heads: dict[Key, Head] = {}
        self._kinds: dict[str | bytes, Kind] = {}
        self._phrases: dict[str | int, tuple[int, bytes]] = {}

    def of_text(self, status: str, headers: Iterable[tuple[str, str]]) -> Head:
        """Make a head of WSGI's status and headers.

        :raises ResponseError: they would not be what they seem on the wire.
        """
        if type(status) is not str:
            status = as_text(status, "the status")
        pairs: Any = headers if type(headers) is list else listed(headers)
        try:
            key = (status, *pairs)
            return self._made(key) or self._make_and_keep(key, status, pairs)
        except _UNSUITABLE:  # no pairs of text; or lists for pairs, which are no key
            return self._make(status, [text_pair(pair) for pair in pairs])[0]

    def of_bytes(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> Head:
        """Make a head of ASGI's status and headers.

        :raises ResponseError: they would not be what they seem on the wire.
        """
        if type(status) is not int:
            status = as_integer(status, "the status")
        pairs: Any = headers if type(headers) is list else listed(headers)
        try:
            key = (status, *pairs)
            return self._made(key) or self._make_and_keep(key, status, pairs)
        except _UNSUITABLE:
            return self._make(status, [bytes_pair(pair) for pair in pairs])[0]

    def _made(self, key: Key) -> Head | None:
        """Find a head that was made in this second: most responses of an application look the same."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = b"Date: %b\r\n" % formatdate(now, usegmt=True).encode()
            self._heads.clear()
        return self._heads.get(key)

    def _make_and_keep(self, key: Key, status: str | int, headers: Pairs) -> Head:
        head, size = self._make(status, headers)
        # By the size of the given headers: the key also holds those that were left out.
        if len(self._heads) < _MAX_HEADS and size < _MAX_KEPT_HEAD:
            self._heads[key] = head
        return head

    def _make(self, status: str | int, headers: Pairs) -> tuple[Head, int]:
        """Make a head, and return it with the size of the given headers.

        :raises ResponseError: it can't be sent.
        :raises TypeError: this, or another of the _UNSUITABLE: the headers are no tuples of two plain strings each.
        """
        code, phrase = self._phrases.get(status) or self._phrase(status)
        find = self._kinds.get
        is_plain = has_content(code)
        length: int | None = None
        string: type[str | bytes] = str if isinstance(status, str) else bytes
        for pair in headers:
            if type(pair) is not tuple:
                raise TypeError
            name, value = pair
            if type(name) is not string or type(value) is not string:
                raise TypeError  # those of derived classes, too: they may claim that different ones are equal
            kind = find(name)
            if kind is None:
                kind = self._kind(name)
            if kind:
                # A length is in nearly every response, and needs no change in most of them.
                if (
                    kind is Kind.LENGTH
                    and length is None
                    and value.isdigit()
                    and value.isascii()
                    and len(value) <= _MAX_LENGTH_DIGITS
                ):
                    length = int(value)
                else:
                    is_plain = False
        data = _joined(headers, is_text=string is str)
        # Without the allowed bytes, only our own line breaks may be left.
        if data.translate(None, _VISIBLE) != b"\r\n" * len(headers):
            raise _broken(headers)
        size = len(phrase) + len(data)
        if not is_plain:
            return self._with_special(code, phrase, data), size
        return Head(code, phrase, b"%b%b%b" % (self._date, self._server, data), length, False, False, False), size

    def _with_special(self, code: int, phrase: bytes, data: bytes) -> Head:
        """Make a head of which some headers are left out, or added."""
        length: int | None = None
        closes = upgrades = False
        seen: set[Kind] = set()
        kept: list[bytes] = []
        for header in data.split(b"\r\n")[:-1]:
            name, _, value = header.partition(b": ")
            kind = self._kind(name)
            if kind is Kind.LENGTH:
                found = _LENGTH.fullmatch(value)
                if found is None:
                    raise ResponseError(f"invalid Content-Length: {shown(value.decode('latin-1'))}")
                if length not in {None, int(found[1])}:
                    raise ResponseError(f"two different values of Content-Length: {length} and {int(found[1])}")
                length = int(found[1])
                continue
            if kind is Kind.CONNECTION:
                closes = closes or b"close" in _options(value)
                continue
            if kind is Kind.CODING and not _options(value) <= {b"chunked", b"identity", b""}:
                # Without the header, the client would take the coded bytes for the content.
                raise ResponseError(f"unsupported transfer coding: {shown(value.decode('latin-1'))}")
            if kind in {Kind.CODING, Kind.HOP} or (kind in _NEEDED and _NEEDED[kind] != code):
                continue
            if kind in {Kind.DATE, Kind.SERVER}:
                if kind in seen:
                    continue  # a response has one (RFC 9110, 5.3)
                seen.add(kind)
            upgrades = upgrades or kind is Kind.UPGRADE
            kept.append(b"%b\r\n" % header)
        if Kind.DATE not in seen:
            kept.append(self._date)
        if Kind.SERVER not in seen:
            kept.append(self._server)
        length = announced(code, length)
        if length is not None:
            kept.append(b"Content-Length: %d\r\n" % length)
        return Head(code, phrase, b"".join(kept), length, closes, not has_content(code), upgrades)

    def _kind(self, name: str | bytes) -> Kind:
        kind = self._kinds.get(name)
        if kind is not None:
            return kind
        data = name.encode("latin-1") if isinstance(name, str) else name
        if not TOKEN.fullmatch(data):
            raise ResponseError(f"invalid header name: {shown(name)}")
        kind = KINDS.get(data.lower(), Kind.PLAIN)
        if len(data) <= _MAX_KEPT_NAME:
            if len(self._kinds) >= _MAX_NAMES:
                self._kinds.clear()
            self._kinds[name] = kind
        return kind

    def _phrase(self, status: str | int) -> tuple[int, bytes]:
        if isinstance(status, int) and status in _STATUSES:
            text = f"{status} {reason_of(status)}"
        else:
            text = status if isinstance(status, str) else ""
        found = _STATUS.fullmatch(text)
        if found is None or int(found[1]) not in _STATUSES:
            raise ResponseError(f"invalid status: {shown(status)}")
        code = int(found[1])
        # The space behind the code is due even without a reason (RFC 9112, 4).
        reason = reason_of(code) if found[2] is None else found[2]
        made = code, f"{code} {reason}".encode("latin-1")
        if len(text) <= _MAX_KEPT_NAME:
            if len(self._phrases) >= _MAX_NAMES:
                self._phrases.clear()
            self._phrases[status] = made
        return made


def judge_final(head: Head) -> None:
    """Refuse an interim response where the final one is due.

    :raises ResponseError: it is one.
    """
    if head.status < 200:
        raise ResponseError(f"{head.status} is the status of an interim response; the final one is missing")


def has_content(status: int) -> bool:
    """Report whether responses of this status have content, if their request lets them."""
    return status >= 200 and status not in {204, 205, 304}


def announced(status: int, length: int | None) -> int | None:
    """Return the Content-Length to send with a status.

    :param length: the application's.
    """
    if status == 205:
        return 0
    if status == 304:
        # It would be that of the 200, but frameworks write 0 for the content that they have left out.
        return length or None
    return length if has_content(status) else None


def reason_of(status: int) -> str:
    """Return the usual reason phrase."""
    return _REASONS.get(status, "")


def _joined(headers: Any, *, is_text: bool) -> bytes:
    if is_text:
        return "\r\n".join([*map(": ".join, headers), ""]).encode("latin-1")
    return b"\r\n".join([*map(b": ".join, headers), b""])


def _options(value: bytes) -> set[bytes]:
    return {option.strip(b" \t").lower() for option in value.split(b",")}


def _broken(headers: Pairs) -> ResponseError:
    """Return the error that names the first header with bytes that no header may have."""
    for pair in headers:
        for part in pair:
            data = part.encode("latin-1") if isinstance(part, str) else part
            found = data.translate(None, _VISIBLE)
            if found:
                what = "line break" if b"\r" in found or b"\n" in found else "control character"
                return ResponseError(f"{what} in a header: {shown(pair)}")
    raise AssertionError("every byte is allowed")
