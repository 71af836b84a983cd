"""Requests that llhttp reads, and that are refused nevertheless: judged by RFC 9110 and RFC 9112."""

from __future__ import annotations

import re
from http import HTTPMethod
from typing import TYPE_CHECKING

import httptools

from corepool_http import rules
from corepool_http.http1.plain import IN_CHUNKS
from corepool_http.message import Body, RefusedError
from corepool_http.rules import HOST

if TYPE_CHECKING:
    from corepool_http.message import Request, Section
    from corepool_http.options import ServerOptions

_ABSOLUTE = re.compile(rb"https?://([^/?#]+)([^#]*)", re.IGNORECASE)

_METHOD = re.compile(rb"(?:\A|\n)([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: |\Z)")
_METHODS = frozenset(method.encode() for method in HTTPMethod)
_VERSION_ERRORS = frozenset(("Invalid HTTP version", "Pause on PRI/Upgrade"))
"""How llhttp words that a version is one, but none that it reads."""


def origin_form(method: bytes, target: bytes, section: Section) -> tuple[bytes, Section]:
    """Return the origin-form of a target (RFC 9112, 3.2), and the section with the Host that it names."""
    if target == b"*" and method == b"OPTIONS":
        return target, section
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1][:1] == b":" or not HOST.fullmatch(absolute[1]):
        raise RefusedError(501 if method == b"CONNECT" else 400, "invalid request target")
    # It replaces the Host that was sent beside it (RFC 9112, 3.2.2).
    target = absolute[2] if absolute[2][:1] == b"/" else b"/" + absolute[2]
    return target, section.with_host(absolute[1])


def judge_host(host: bytes | None, version: str) -> None:
    """Refuse a Host that is missing, from HTTP/1.1 on, or malformed (RFC 9112, 3.2)."""
    if host is None:
        if version == "1.1":
            raise RefusedError(400, "missing Host header")
    elif not HOST.fullmatch(host):
        raise RefusedError(400, "invalid Host header")


def ambiguous() -> RefusedError:
    """Return the refusal of a head whose end llhttp sees elsewhere."""
    return RefusedError(400, "a header section without a clear end")


def judge_codings(section: Section, version: str) -> None:
    """Refuse every transfer coding but "chunked", once and exactly: others may read another length out of it."""
    if version == "1.1" and (section.joined(b"transfer-encoding") or b"").strip().lower() == b"chunked":
        return
    codings = section.tokens(b"transfer-encoding")
    # Only where chunked is the last is the length known, and a coding all that is wrong (RFC 9112, 6.1 and 6.3).
    if version == "1.1" and len(codings) > 1 and codings[-1] == b"chunked" and codings.count(b"chunked") == 1:
        raise RefusedError(501, "unsupported transfer coding")
    raise RefusedError(400, "invalid transfer coding")


def judge_content(request: Request, max_body: int) -> int:
    """Return the length of a request's content, or IN_CHUNKS; the request gets a body if it has any.

    :raises RefusedError: it is too long, or coded, or an expectation is not supported.
    """
    section = request.section
    if b"transfer-encoding" in section:
        judge_codings(section, request.version)
    announced = section.single(b"content-length")
    length = IN_CHUNKS if announced is None else int(announced)
    if length > max_body:
        raise rules.too_large(max_body)
    if announced != b"0" and (announced is not None or b"transfer-encoding" in section):
        request.body = Body()
    else:
        length = 0
    if request.version == "1.1" and b"expect" in section:
        request.expects_continue = rules.expects_continue(section) and request.body is not None
    return length


def wants_websocket(request: Request) -> bool:
    """Report whether a request asks for a WebSocket, in the form of RFC 6455, 4.1."""
    return (
        b"websocket" in request.section.tokens(b"upgrade")
        and request.line.method == "GET"
        and request.version == "1.1"
        and request.body is None
    )


def refusal_of(error: httptools.HttpParserError, data: bytes) -> RefusedError:
    """Return the refusal of bytes that llhttp does not take.

    :param data: the bytes at which it stopped.
    """
    if str(error) in _VERSION_ERRORS:
        return RefusedError(505, "the version of HTTP is neither 1.0 nor 1.1")
    if isinstance(error, httptools.HttpParserInvalidMethodError) and any(
        method not in _METHODS for method in _METHOD.findall(data)
    ):
        return RefusedError(501, "unknown method")  # RFC 9110, 9.1
    return RefusedError(400, str(error))


def excess_of_nothing(size: int, options: ServerOptions) -> RefusedError | None:
    """Return the refusal of more empty lines, in bytes, than a client may send before a request."""
    most = options.max_head
    return RefusedError(400, f"more than {most} bytes of empty lines") if size > most else None
