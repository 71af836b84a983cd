"""Header lists that are requests (RFC 9113, 8.2 and 8.3): neutral sections, and the lists that are malformed.

A malformed request is a stream error (8.1.1). Whatever HTTP/1 answers with a status is answered here, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.http2.errors import malformed
from corepool_http.http2.fields import OF_CONNECTION, fault_of
from corepool_http.http2.priorities import DEFAULT_URGENCY
from corepool_http.message import RefusedError, RequestLine, Section
from corepool_http.rules import HOST, TOKEN

if TYPE_CHECKING:
    from corepool_http.message import Fields

_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
"""RFC 9113, 8.3.1, and RFC 8441, 4."""

_is_path = re.compile(rb"/[\x21\x22\x24-\x7e]*").fullmatch
"""A fragment is no part of it (RFC 9113, 8.3.1)."""

_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
"""Nearly all requests have one of these."""

_MAX_LENGTH_DIGITS = 18


class Pseudo:
    """The pseudo-header fields of one request."""

    __slots__ = ("authority", "method", "path", "protocol", "scheme")

    def __init__(self) -> None:
        self.method: bytes | None = None
        self.scheme: bytes | None = None
        self.authority: bytes | None = None
        self.path: bytes | None = None
        self.protocol: bytes | None = None

    def add(self, name: bytes, value: bytes) -> None:
        """Take one.

        :raises StreamFailure: it is unknown, or has come already.
        """
        if name == b":method" and self.method is None:
            self.method = value
        elif name == b":scheme" and self.scheme is None:
            self.scheme = value
        elif name == b":authority" and self.authority is None:
            self.authority = value
        elif name == b":path" and self.path is None:
            self.path = value
        elif name == b":protocol" and self.protocol is None:
            self.protocol = value
        else:
            raise malformed(f"more than one {name.decode()}" if name in _PSEUDO else "unknown pseudo-header field")

    def judge(self, knows_protocol: bool) -> None:  # noqa: FBT001
        """Look for those that must be there, or must not.

        :param knows_protocol: SETTINGS_ENABLE_CONNECT_PROTOCOL was sent (RFC 8441, 3).
        """
        if self.method is None:
            raise malformed("no :method")
        if self.protocol is not None and (not knows_protocol or self.method != b"CONNECT"):
            raise malformed(":protocol without SETTINGS_ENABLE_CONNECT_PROTOCOL, or without CONNECT")
        if self.method == b"CONNECT" and self.protocol is None:  # RFC 9113, 8.5
            if self.scheme is not None or self.path is not None or not self.authority:
                raise malformed("CONNECT with :scheme or :path, or without :authority")
            return
        if not self.scheme:
            raise malformed("no :scheme")
        if not self.path:
            raise malformed("no :path")


class JudgedSection:
    """A section that is valid, and what the codec has to know of it. Many requests may share one: it never changes."""

    __slots__ = ("authority", "expects", "incremental", "length", "section", "size", "urgency")

    def __init__(self, section: Section, authority: bytes, length: int) -> None:
        self.section = section
        self.authority = authority
        self.length = length
        """The Content-Length, or -1."""
        self.size = 0
        """Bytes, as HTTP/1 counts them."""
        self.expects = b"expect" in section
        self.urgency = DEFAULT_URGENCY
        self.incremental = True
        """Without a word of the client's, responses share their connection: a long one must not hold up the others."""


def judge_line(method: bytes, path: bytes) -> RequestLine:
    """Return a request line.

    :raises RefusedError: these are no method and no path of a target (RFC 9113, 8.3.1).
    """
    text = _METHODS.get(method)
    if text is None:
        if not TOKEN.fullmatch(method):
            raise malformed("invalid :method")
        text = method.decode()
    if not _is_path(path) and not (path == b"*" and method == b"OPTIONS"):
        raise RefusedError(400, "invalid request target")
    return RequestLine(text, path)


def judge_section(authority: bytes, fields: Fields) -> JudgedSection:
    """Return the section of a request.

    :param authority: the value of :authority, empty without one.
    :raises StreamFailure: the request is malformed.
    :raises RefusedError: it is refused as HTTP/1 refuses it.
    """
    headers: Fields = [(b"host", authority)] if authority else []
    hosts = cookies = size = 0
    for line in fields:
        name, value = line
        if name.startswith(b":"):
            raise malformed("a pseudo-header field behind others, or among the trailers")
        if name in OF_CONNECTION:
            raise malformed(f"the header {name.decode()} is of a connection")
        if name == b"te" and value.lower() != b"trailers":
            raise malformed("TE is not trailers")
        if name == b"host":
            hosts += 1
            if authority:
                if value.lower() != authority.lower():
                    raise malformed("Host is not :authority")
                continue
        cookies += name == b"cookie"
        headers.append(line)
    if not (authority or hosts):
        raise RefusedError(400, "neither :authority nor Host")
    if cookies > 1:
        headers = _with_one_cookie(headers)
    for name, value in headers:
        size += len(name) + len(value) + 4
    section = Section(headers, keep_alive=True)
    if not HOST.fullmatch(section.single(b"host") or b""):
        raise RefusedError(400, "invalid :authority or Host")
    length = section.single(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS):
        raise malformed("invalid Content-Length")
    judged = JudgedSection(section, authority, -1 if length is None else int(length))
    judged.size = size
    return judged


def judge_trailers(fields: Fields) -> None:
    """Refuse trailers that are malformed (RFC 9113, 8.1), or that frame the content (RFC 9110, 6.5.1)."""
    for name, _ in fields:
        if name.startswith(b":"):
            raise malformed("a pseudo-header field among the trailers")
        if name in OF_CONNECTION or name == b"content-length":
            raise malformed(f"the header {name.decode()} among the trailers")


def judge_all(fields: Fields) -> None:
    """Judge every name and value: one may come from an entry of the dynamic table that is malformed."""
    for name, value in fields:
        fault = fault_of(name, value)
        if fault is not None:
            raise malformed(fault)


def _with_one_cookie(headers: Fields) -> Fields:
    """Join the crumbs of a cookie (RFC 9113, 8.2.3)."""
    joined = b"; ".join(value for name, value in headers if name == b"cookie")
    kept: Fields = []
    is_placed = False
    for line in headers:
        if line[0] != b"cookie":
            kept.append(line)
        elif not is_placed:
            is_placed = True
            kept.append((b"cookie", joined))
    return kept
