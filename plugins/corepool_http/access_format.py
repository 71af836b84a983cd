"""The atoms of access logs: each is a part of a line, made of a response."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from corepool.files.lines import moment
from corepool_http.access_atoms import split
from corepool_http.responses import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool_http.access_atoms import Named
    from corepool_http.exchange import Exchange


class Response(NamedTuple):
    """A response that has ended, after so many seconds, of worker `slot`."""

    exchange: Exchange
    seconds: float
    slot: int


def compile_format(text: str) -> Callable[[Response], str]:
    """Return the function that writes a line, without its end.

    :raises ValueError: it is no format.
    """
    parts: list[str | Callable[[Response], str]] = []
    is_quoted = False
    for part in split(text):
        if isinstance(part, str):
            parts.append(part)
            is_quoted ^= part.count('"') % 2 == 1
        else:
            parts.append(_field(part, is_quoted=is_quoted))
    return lambda response: "".join(part if isinstance(part, str) else part(response) for part in parts)


def escaped(text: str) -> str:
    """Write a client's words so that they end neither their field nor the line: in hexadecimal, as nginx does."""
    if text.isprintable() and '"' not in text and "\\" not in text and text.isascii():
        return text
    return "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\x{ord(char):02X}" for char in text)


def first_line(exchange: Exchange) -> str:
    """Return the request's line, or - if it was refused before its method was known."""
    line, version = exchange.request.line, exchange.request.version
    if not line.method:
        return "-"
    return f"{line.method} {line.target.decode('latin-1')}{f' HTTP/{version}' if version else ''}"


def header(exchange: Exchange, name: bytes) -> str:
    """Return a header of the request; empty if it is not there."""
    return (exchange.request.section.joined(name) or b"").decode("latin-1")


def _field(named: Named, *, is_quoted: bool) -> Callable[[Response], str]:
    """Return the function that writes an atom. Outside of quotation marks a space would end the field of a client."""
    atom = _atom(named)
    if is_quoted or (named.name in _OF_SEVERAL_WORDS and not named.is_header):
        return lambda response: escaped(atom(response))
    return lambda response: escaped(atom(response)).replace(" ", "\\x20")


def _atom(named: Named) -> Callable[[Response], str]:
    if not named.is_header:
        return ATOMS[named.name]
    name = named.name.encode("latin-1", "replace")
    return lambda response: header(response.exchange, name) or "-"


def _target(response: Response) -> str:
    return response.exchange.request.line.target.decode("latin-1")


def _peer(response: Response) -> str:
    client = response.exchange.client
    return f"{client.host}:{client.port}" if client.host else ""


_OF_SEVERAL_WORDS = ("t", "r", "request_line", "status_code", "levelprefix", "asctime")
"""Their spaces are ours. The only words of a client are those of a request line, whose target has no space."""

ATOMS: Mapping[str, Callable[[Response], str]] = {
    # gunicorn's
    "h": lambda one: one.exchange.client.host or "-",
    "l": lambda _: "-",
    "u": lambda _: "-",
    "t": lambda _: time.strftime("[%d/%b/%Y:%H:%M:%S %z]"),
    "r": lambda one: first_line(one.exchange),
    "m": lambda one: one.exchange.request.line.method or "-",
    "U": lambda one: one.exchange.request.line.raw_path.decode("latin-1"),
    "q": lambda one: one.exchange.request.line.query.decode("latin-1"),
    "H": lambda one: f"HTTP/{one.exchange.request.version}",
    "s": lambda one: str(one.exchange.status),
    "B": lambda one: str(one.exchange.sent),
    "b": lambda one: str(one.exchange.sent or "-"),
    "f": lambda one: header(one.exchange, b"referer") or "-",
    "a": lambda one: header(one.exchange, b"user-agent") or "-",
    "T": lambda one: str(int(one.seconds)),
    "M": lambda one: str(int(one.seconds * 1e3)),
    "D": lambda one: str(int(one.seconds * 1e6)),
    "L": lambda one: f"{one.seconds:.6f}",
    "p": lambda _: f"<{os.getpid()}>",
    # uvicorn's
    "client_addr": _peer,
    "request_line": lambda one: first_line(one.exchange),
    "full_path": _target,
    "method": lambda one: one.exchange.request.line.method or "-",
    "http_version": lambda one: one.exchange.request.version,
    "status_code": lambda one: f"{one.exchange.status} {reason_of(one.exchange.status)}".rstrip(),
    "levelprefix": lambda _: "INFO:    ",
    "levelname": lambda _: "INFO",
    "asctime": lambda _: time.strftime("%Y-%m-%d %H:%M:%S"),
    "process": lambda _: str(os.getpid()),
    # our own
    "time": lambda _: moment(time.time()),
    "worker": lambda one: str(one.slot),
    "listener": lambda one: one.exchange.client.listener,
    "scheme": lambda one: one.exchange.client.scheme,
    "request_id": lambda one: header(one.exchange, b"x-request-id") or "-",
}
"""By name, as access_atoms.py lists them."""
