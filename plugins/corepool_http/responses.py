"""Makes the heads of responses, whatever version of HTTP carries them: checked, and completed with Date and Server.

HTTP/1 sends the text of a head as it is. Other versions ask for `Head.fields`.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from corepool_http.clock import second
from corepool_http.head import Head, has_content, reason_of
from corepool_http.header_kinds import KINDS, MAX_LENGTH_DIGITS, NEEDED, VISIBLE, Kind
from corepool_http.plain_heads import PlainHeads
from corepool_http.rules import TOKEN
from corepool_http.values import ResponseError, as_integer, as_text, bytes_pair, listed, shown, text_pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Pairs = Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]]

_STATUS = re.compile(r"([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_LENGTH = re.compile(rb"[ \t]*([0-9]{1,%d})[ \t]*" % MAX_LENGTH_DIGITS)

_STATUSES = range(100, 600)
"""Others are invalid (RFC 9110, 15); a client takes them for a 500."""

_MAX_PHRASES = 1000
_MAX_KEPT_STATUS = 64


class Heads:
    """Makes the heads of one worker's responses."""

    def __init__(self, server: str) -> None:
        self._server = f"Server: {server}\r\n".encode("latin-1") if server else b""
        self._second = -1
        self._date = b""
        self._plain = PlainHeads()
        self._phrases: dict[str | int, tuple[int, bytes]] = {}

    def of_text(self, status: str, headers: Iterable[tuple[str, str]]) -> Head:
        """Make a head of WSGI's status and headers.

        :raises ResponseError: they would not be what they seem on the wire.
        """
        if type(status) is not str:
            status = as_text(status, "the status")
        found = self._phrases.get(status)
        code, phrase = self._phrase(status) if found is None else found
        pairs: Any = headers if type(headers) is list else listed(headers)
        now = second()
        if now != self._second:
            self._begin_second(now)
        head = self._plain.make(code, phrase, str, pairs)
        if head is None:
            pairs = [text_pair(pair) for pair in pairs]
            head = self._plain.make(code, phrase, str, pairs) or self._make(code, phrase, pairs)
        return head

    def of_bytes(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> Head:
        """Make a head of ASGI's status and headers.

        :raises ResponseError: they would not be what they seem on the wire.
        """
        if type(status) is not int:
            status = as_integer(status, "the status")
        found = self._phrases.get(status)
        code, phrase = self._phrase(status) if found is None else found
        pairs: Any = headers if type(headers) is list else listed(headers)
        now = second()
        if now != self._second:
            self._begin_second(now)
        head = self._plain.make(code, phrase, bytes, pairs)
        if head is None:
            pairs = [bytes_pair(pair) for pair in pairs]
            head = self._plain.make(code, phrase, bytes, pairs) or self._make(code, phrase, pairs)
        return head

    def _begin_second(self, now: int) -> None:
        self._second = now
        self._date = b"Date: %b\r\n" % formatdate(now, usegmt=True).encode()
        self._plain.begin_with(self._date + self._server)

    def _make(self, code: int, phrase: bytes, headers: Pairs) -> Head:
        """Make any head: some headers are left out, or added.

        :raises ResponseError: it can't be sent.
        """
        length: int | None = None
        closes = upgrades = False
        seen: set[Kind] = set()
        kept: list[bytes] = []
        for pair in headers:
            name, value = _judged(pair)
            kind = KINDS.get(name.lower(), Kind.PLAIN)
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
            if kind in {Kind.CODING, Kind.HOP} or (kind in NEEDED and NEEDED[kind] != code):
                continue
            if kind in {Kind.DATE, Kind.SERVER}:
                if kind in seen:
                    continue  # a response has one (RFC 9110, 5.3)
                seen.add(kind)
            upgrades = upgrades or kind is Kind.UPGRADE
            kept.append(b"%b: %b\r\n" % (name, value))
        if Kind.DATE not in seen:
            kept.append(self._date)
        if Kind.SERVER not in seen:
            kept.append(self._server)
        length = announced(code, length)
        if length is not None:
            kept.append(b"Content-Length: %d\r\n" % length)
        lines = b"".join(kept)
        return Head(code, phrase, lines, length, closes=closes, bodyless=not has_content(code), upgrades=upgrades)

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
        if len(text) <= _MAX_KEPT_STATUS:
            if len(self._phrases) >= _MAX_PHRASES:
                self._phrases.clear()
            self._phrases[status] = made
        return made


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


def _options(value: bytes) -> set[bytes]:
    return {option.strip(b" \t").lower() for option in value.split(b",")}


def _judged(pair: tuple[str, str] | tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a header as bytes.

    :raises ResponseError: it would be something else on the wire.
    """
    name, value = (part.encode("latin-1") if isinstance(part, str) else part for part in pair)
    found = name.translate(None, VISIBLE) + value.translate(None, VISIBLE)
    if found:
        what = "line break" if b"\r" in found or b"\n" in found else "control character"
        raise ResponseError(f"{what} in a header: {shown(pair)}")
    if not TOKEN.fullmatch(name):
        raise ResponseError(f"invalid header name: {shown(pair[0])}")
    return name, value
