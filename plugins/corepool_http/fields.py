"""Header lines outside of heads: trailers of a response, and links of early hints. Checked as heads are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.header_kinds import KINDS
from corepool_http.rules import TOKEN
from corepool_http.values import ResponseError, as_bytes, bytes_pair, listed, shown, text_pair

if TYPE_CHECKING:
    from corepool_http.message import Fields, Request

_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

_NEVER_TRAILERS = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"host",
        b"set-cookie",
        b"www-authenticate",
    )
)
"""Fields that mean something only before the content (RFC 9110, 6.5.1), besides those of `KINDS`."""

_MAX_TRAILERS = 65_536
_MAX_LINKS = 65_536


def takes_trailers(request: Request) -> bool:
    """Report whether the client asked for trailers (RFC 9110, 10.1.4). Others may drop them, or merge them wrongly."""
    codings = request.section.tokens(b"te")
    return any(each.partition(b";")[0].rstrip(b" \t") == b"trailers" for each in codings)


def add_trailers(found: Fields, headers: object) -> None:
    """Add an application's trailers, with their names in lower case.

    :param found: those that came before.
    :param headers: an iterable of pairs of bytes, or None.
    :raises ResponseError: they are none, or fields that no trailer may be.
    """
    for name, value in (bytes_pair(pair) for pair in listed(() if headers is None else headers)):
        lower = name.lower()
        if not TOKEN.fullmatch(name):
            raise ResponseError(f"invalid name of a trailer: {shown(name)}")
        if lower in KINDS or lower in _NEVER_TRAILERS:
            raise ResponseError(f"{name.decode()} can't be a trailer: it has to come before the content")
        found.append((lower, _checked(value, "a trailer")))
    if sum(len(name) + len(value) + 4 for name, value in found) > _MAX_TRAILERS:
        raise ResponseError(f"more than {_MAX_TRAILERS} bytes of trailers")


def link_lines(links: object) -> bytes:
    """Return the header lines of 103 (Early Hints, RFC 8297): a `Link` for each.

    :param links: the application's, an iterable of values of Link (RFC 8288) as bytes.
    :raises ResponseError: they are none.
    """
    try:
        values = [] if isinstance(links, str | bytes) else list(links)  # type: ignore[call-overload]
    except TypeError:
        values = []
    if not values:
        raise ResponseError(f"'links' is {shown(links)}: a list of the values of Link headers is expected")
    lines = b"".join(b"Link: %b\r\n" % _checked(as_bytes(value, "a link"), "a link") for value in values)
    if len(lines) > _MAX_LINKS:
        raise ResponseError(f"more than {_MAX_LINKS} bytes of links")
    return lines


def hint_lines(headers: object) -> bytes:
    """Return the header lines of 103 (Early Hints) that a WSGI application asks for.

    :param headers: an iterable of pairs of text.
    :raises ResponseError: they are none, or headers that mean something to one response or one connection.
    """
    lines = b""
    for name, value in (text_pair(pair) for pair in listed(headers)):
        key = name.encode("latin-1")
        if not TOKEN.fullmatch(key):
            raise ResponseError(f"invalid name of a header in early hints: {shown(name)}")
        if key.lower() in KINDS:
            raise ResponseError(f"{name} can't be an early hint: it is a header of the response, or of its connection")
        lines += b"%b: %b\r\n" % (key, _checked(value.encode("latin-1"), "an early hint"))
        if len(lines) > _MAX_LINKS:
            raise ResponseError(f"more than {_MAX_LINKS} bytes of early hints")
    return lines


def _checked(value: bytes, name: str) -> bytes:
    if not _VALUE.fullmatch(value):
        raise ResponseError(f"line break or control character in {name}: {shown(value)}")
    return value.strip(b" \t")
