"""A request, whatever version of HTTP it came in: its line, its header section, its content.

Field lines are kept as they came, and a value is asked for by the kind of its header: single, list or cookie.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

Fields = list[tuple[bytes, bytes]]

HTTP_1_0, HTTP_1_1 = "1.0", "1.1"
"""Versions: strings that are one object compare in a fifth of the time."""

ONCE = frozenset(
    (
        b"authorization",
        b"content-length",
        b"content-range",
        b"content-type",
        b"host",
        b"if-range",
        b"origin",
        b"proxy-authorization",
        b"range",
        b"sec-websocket-key",
        b"sec-websocket-version",
    )
)
"""Headers that decide something and have one value: a request with two lines of one is refused.

Which of the two counts is decided differently by each server (RFC 9110, 5.3), and a proxy may have judged the other.
"""

_MEMBER = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++')
_NO_LINES: Mapping[bytes, list[bytes]] = {}


_PIECE_COST = 64
"""Bytes that a piece of content costs beside its own: a client may send it in chunks of one byte."""


class RefusedError(Exception):
    """The bytes received are not a request that is served."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Section:
    """A header section. Many requests may share one: it is never changed."""

    __slots__ = ("_headers", "_once", "_repeated", "keep_alive", "prepared")

    def __init__(self, headers: Fields, *, keep_alive: bool) -> None:
        """Take the field lines.

        :raises RefusedError: two lines of a header that may be there once.
        """
        once = dict(headers)
        self.keep_alive = keep_alive
        self._headers = headers
        self.prepared: dict[str, object] | None = None
        """The application's view of the section, for the next request that shares it."""
        self._once = once
        self._repeated = _NO_LINES if len(once) == len(headers) else self._set_apart()

    @property
    def headers(self) -> Fields:
        """The field lines: names in lower case, in the order in which they came."""
        return self._headers

    def __contains__(self, name: bytes) -> bool:
        return name in self._once or name in self._repeated

    def has_any(self, names: AbstractSet[bytes]) -> bool:
        """Report whether one of these headers is there."""
        repeated = self._repeated
        return not names.isdisjoint(self._once) or (bool(repeated) and not names.isdisjoint(repeated))

    def single(self, name: bytes) -> bytes | None:
        """Return the value of a header that has one; None if it is missing, or there in several lines."""
        return self._once.get(name)

    def listed(self, name: bytes) -> list[bytes]:
        """Return the members of a header that is a list, of all its lines (RFC 9110, 5.6.1)."""
        value = self.joined(name)
        if value is None:
            return []
        members = _MEMBER.findall(value) if b'"' in value else value.split(b",")
        return [member for each in members if (member := each.strip(b" \t"))]

    def tokens(self, name: bytes) -> list[bytes]:
        """Return the members of a list of mere words without case, such as Connection, in lower case."""
        value = self.joined(name)
        if value is None:
            return []
        return [member for each in value.lower().split(b",") if (member := each.strip(b" \t"))]

    def joined(self, name: bytes) -> bytes | None:
        """Return all lines of a header as one (RFC 9110, 5.3; cookies: RFC 9113, 8.2.3)."""
        value = self._once.get(name)
        if value is None and name in self._repeated:
            return (b"; " if name == b"cookie" else b",").join(self._repeated[name])
        return value

    def with_host(self, host: bytes) -> Section:
        """Return the same section for another host."""
        others = [line for line in self.headers if line[0] != b"host"]
        return Section([(b"host", host), *others], keep_alive=self.keep_alive)

    def _set_apart(self) -> Mapping[bytes, list[bytes]]:
        """Take the headers with several lines out of those with one."""
        lines: dict[bytes, list[bytes]] = {}
        for name, value in self._headers:
            lines.setdefault(name, []).append(value)
        repeated = {name: values for name, values in lines.items() if len(values) > 1}
        for name in repeated:
            if name in ONCE:
                raise RefusedError(400, f"more than one {name.decode().title()} header")
            del self._once[name]
        return repeated


class Body:
    """The content of a request, as far as it has arrived and has not been taken."""

    __slots__ = ("complete", "failed", "on_change", "pieces", "received", "refusal", "size", "trailers")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.received = 0
        self.complete = False
        self.failed = False
        """It will never be complete."""
        self.refusal: RefusedError | None = None
        """The reason for that, if it is a fault of the content."""
        self.on_change: Callable[[], None] | None = None
        self.trailers: Fields | None = None
        """Fields that came behind the content, names in lower case; set before `complete`. They are kept apart from the
        header section: else a client could replace what a proxy has judged."""

    def add(self, data: bytes) -> None:
        """Add a piece that has arrived."""
        self.pieces.append(data)
        self.received += len(data)
        self.size += len(data) + _PIECE_COST

    def take(self) -> bytes:
        """Take the pieces that are there, as one."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.size = 0
        return data


class RequestLine:
    """Method, target and version. Many requests may share one: it is never changed."""

    __slots__ = ("is_head", "method", "path", "prepared", "query", "raw_path", "target")

    def __init__(self, method: str, target: bytes) -> None:
        self.method = method
        self.is_head = method == "HEAD"
        self.target = target
        if 0x3F in target:  # a tenth of the time that b"?" takes
            self.raw_path, _, self.query = target.partition(b"?")
        else:
            self.raw_path, self.query = target, b""
        self.path = unquote_to_bytes(self.raw_path) if 0x25 in self.raw_path else self.raw_path
        self.prepared: dict[str, object] | None = None
        """What the application makes of it, for the next request with the same line."""


class Request:
    """The head of a request, and its body if it has one."""

    __slots__ = ("body", "expects_continue", "keep_alive", "line", "section", "upgrade", "version")

    def __init__(self, line: RequestLine, version: str, section: Section) -> None:
        self.line = line
        self.version = version
        self.section = section
        self.keep_alive = section.keep_alive
        self.body: Body | None = None
        self.expects_continue = False
        self.upgrade = False
        """To a WebSocket."""

    @property
    def protocol(self) -> str:
        """The version as CGI and access logs have it (RFC 3875, 4.1.16): `HTTP/1.1`, `HTTP/2.0`; empty if unknown."""
        version = self.version
        if not version:
            return ""
        return f"HTTP/{version}" if "." in version else f"HTTP/{version}.0"
