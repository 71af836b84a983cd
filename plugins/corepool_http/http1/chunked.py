"""The chunked transfer coding, decoded (RFC 9112, 7.1).

llhttp, which reads everything else, refuses the white space that the RFC allows in chunk extensions.

    chunk         = 1*HEXDIG [ chunk-ext ] CRLF chunk-data CRLF             (7.1)
    chunk-ext     = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )   (7.1.1)
    trailers      = *( field-line CRLF ) CRLF                               (7.1.2)

The grammar is a table of states, so a segment may end anywhere, nothing of an incomplete line is kept, and every
byte costs the same however the stream is cut. Nothing beyond the grammar is taken: another parser on the way may
understand it otherwise and see the end of the content at another place. Extensions are ignored. Trailers are kept
apart from the header section, and those that would be framing are refused (7.1.2, 7.1.3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.http1.trailing import decode_trailers
from corepool_http.message import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_http.message import Fields

_BEYOND_SIZES = 1 << 64
"""The first chunk size with more than 16 digits."""

_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_MAX_FRAMING_NAME = max(map(len, _FRAMING))

_HEXDIG = b"0123456789ABCDEFabcdef"
_BWS = b" \t"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TEXT = bytes((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))
_QUOTED = bytes(set(_TEXT) - set(b'"\\'))


class _State:
    """A place in the grammar."""

    __slots__ = ("fault", "following", "plain", "run")

    def __init__(self, fault: str, stay: bytes = b"") -> None:
        """Describe a place without the ways that lead on.

        :param fault: the reason for a refusal at this place.
        :param stay: the bytes that leave the decoder there.
        """
        self.fault = fault
        self.run = re.compile(b"[%b]*+" % re.escape(stay) if stay else b"")
        self.following: dict[int, _State] = {}
        self.plain: re.Pattern[bytes] | None = None
        """A way from there to content in one step, with the size: most clients take it."""

    def then(self, *ways: tuple[bytes, _State]) -> None:
        """Add the states that follow, each with the bytes that lead there."""
        for each, state in ways:
            self.following.update(dict.fromkeys(each, state))


_SIZE = _State("invalid chunk size")
_DIGITS = _State("invalid chunk size", _HEXDIG)
_LF_OF_SIZE = _State("no LF behind the CR of a chunk size")
_BEFORE_SEMICOLON = _State("white space that is in no chunk extension", _BWS)
_BEFORE_NAME = _State("invalid chunk extension", _BWS)
_NAME = _State("invalid chunk extension", _TOKEN)
_BEHIND_NAME = _State("invalid chunk extension", _BWS)
_BEFORE_VALUE = _State("invalid chunk extension", _BWS)
_VALUE = _State("invalid chunk extension", _TOKEN)
_IN_QUOTES = _State("invalid quoted string in a chunk extension", _QUOTED)
_ESCAPED = _State("invalid quoted string in a chunk extension")
_BEHIND_QUOTES = _State("invalid chunk extension")
_CONTENT = _State("")
_BEHIND_CONTENT = _State("no CRLF behind a chunk")
_LF_OF_CONTENT = _State("no CRLF behind a chunk")
_LINE = _State("invalid trailer")
_FIELD_NAME = _State("invalid trailer", _TOKEN)
_FIELD_VALUE = _State("invalid trailer", _TEXT)
_LF_OF_FIELD = _State("no LF behind the CR of a trailer")
_LF_OF_ALL = _State("no CRLF behind the last chunk")
_END = _State("")

_SIZE.then((_HEXDIG, _DIGITS))
_DIGITS.then((_BWS, _BEFORE_SEMICOLON), (b";", _BEFORE_NAME), (b"\r", _LF_OF_SIZE))
_BEFORE_SEMICOLON.then((b";", _BEFORE_NAME))
_BEFORE_NAME.then((_TOKEN, _NAME))
_NAME.then((_BWS, _BEHIND_NAME), (b"=", _BEFORE_VALUE), (b";", _BEFORE_NAME), (b"\r", _LF_OF_SIZE))
_BEHIND_NAME.then((b"=", _BEFORE_VALUE), (b";", _BEFORE_NAME))
_BEFORE_VALUE.then((_TOKEN, _VALUE), (b'"', _IN_QUOTES))
_VALUE.then((_BWS, _BEFORE_SEMICOLON), (b";", _BEFORE_NAME), (b"\r", _LF_OF_SIZE))
_IN_QUOTES.then((b"\\", _ESCAPED), (b'"', _BEHIND_QUOTES))
_ESCAPED.then((_TEXT, _IN_QUOTES))
_BEHIND_QUOTES.then((_BWS, _BEFORE_SEMICOLON), (b";", _BEFORE_NAME), (b"\r", _LF_OF_SIZE))
_LF_OF_SIZE.then((b"\n", _CONTENT))
_BEHIND_CONTENT.then((b"\r", _LF_OF_CONTENT))
_LF_OF_CONTENT.then((b"\n", _SIZE))
_LINE.then((_TOKEN, _FIELD_NAME), (b"\r", _LF_OF_ALL))
_FIELD_NAME.then((b":", _FIELD_VALUE))
_FIELD_VALUE.then((b"\r", _LF_OF_FIELD))
_LF_OF_FIELD.then((b"\n", _LINE))
_LF_OF_ALL.then((b"\n", _END))

_TRAILERS = frozenset((_LINE, _FIELD_NAME, _FIELD_VALUE, _LF_OF_FIELD, _LF_OF_ALL))
_END_SIZE = len(b"\r\n")

_SIZE.plain = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_BEHIND_CONTENT.plain = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")


class ChunkedDecoder:
    """Decodes the content of one message."""

    __slots__ = ("_beside", "_left", "_most", "_name", "_section", "_size", "_state", "is_complete", "trailers")

    def __init__(self, most: int) -> None:
        """Begin behind the header section.

        :param most: bytes that may come between two of content, and behind the last.
        """
        self.is_complete = False
        self.trailers: Fields | None = None
        """Those of a complete message, if it has any; names in lower case."""
        self._section: bytearray | None = None
        """The bytes behind the last chunk, at most `most` of them."""
        self._most = most
        self._state = _SIZE
        self._size = 0
        self._left = 0
        """Of the content of a chunk."""
        self._beside = 0
        """Bytes since the last one of content."""
        self._name = b""
        """Of a trailer: as much of it as tells whether it is framing."""

    def feed(self, data: bytes, at: int, take: Callable[[bytes], None]) -> int:
        """Decode `data` from `at` on, and return the place behind the content: the end of `data` until all is complete.

        :param at: where to begin.
        :param take: called with each piece of content.
        :raises RefusedError: the bytes are not the coding, or too many of them are not content.
        """
        end = len(data)
        while at < end and not self.is_complete:
            left = self._left
            if left:
                piece = data[at : at + left]
                at += len(piece)
                self._left = left - len(piece)
                self._beside = 0
                take(piece)
                continue
            plain = self._state.plain
            match = None if plain is None else plain.match(data, at, at + self._most - self._beside)
            if match is None:
                at = self._pass_framing(data, at)
                continue
            self._left = int(match[1], 16)
            self._state = _BEHIND_CONTENT if self._left else _LINE
            self._beside += match.end() - at
            at = match.end()
        return at

    def _pass_framing(self, data: bytes, at: int) -> int:
        """Go on to the next byte of content, or to the end of all, or of `data`."""
        begin = start = at
        # The bound is exact, so that the verdict does not depend on the segments.
        limit = min(len(data), at + self._most - self._beside)
        state = self._state
        is_trailer = state in _TRAILERS
        while True:
            at = state.run.match(data, at, limit).end()  # type: ignore[union-attr]  # it matches nothing, too
            if state is _DIGITS:
                self._add_digits(data[start:at])
            elif state is _FIELD_NAME:
                self._name = (self._name + data[start : min(at, start + 20)])[: _MAX_FRAMING_NAME + 1]
            if at == limit:
                break
            following = state.following.get(data[at])
            if following is None:
                raise RefusedError(400, state.fault)
            start = at
            at += 1
            state = following
            if state is _CONTENT:
                if self._size:
                    self._left, self._size = self._size, 0
                    state = _BEHIND_CONTENT
                    break
                state = _LINE
                break
            if state is _FIELD_VALUE:
                self._judge_name()
            elif state is _END:
                self.is_complete = True
                break
        self._state = state
        self._beside += at - begin
        if is_trailer:
            self._keep(data[begin:at])
        if at == limit < len(data) and not (self._left or self.is_complete):
            raise RefusedError(431, f"more than {self._most} bytes of chunk extensions, or of trailers")
        return at

    def _keep(self, piece: bytes) -> None:
        """Keep a part of the trailers, and read them at their end."""
        section = self._section
        if section is None:
            if self.is_complete and len(piece) == _END_SIZE:
                return
            section = self._section = bytearray()
        section += piece
        if self.is_complete and len(section) > _END_SIZE:
            self.trailers = decode_trailers(bytes(section))

    def _add_digits(self, digits: bytes) -> None:
        if digits:
            self._size = (self._size << 4 * len(digits)) + int(digits, 16)
            if self._size >= _BEYOND_SIZES:
                raise RefusedError(400, "chunk size with more than 16 digits")

    def _judge_name(self) -> None:
        name, self._name = self._name.lower(), b""
        if name in _FRAMING:
            raise RefusedError(400, f"{name.decode().title()} among the trailers")
