"""The atoms of access logs: each is a part of a line, made of a response."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from corepool.files.lines import moment
from corepool_http.access_atoms import split
from corepool_http.head import reason_of
from corepool_http.noting import NotingExchange

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
    pieces = split(text)
    for place, part in enumerate(pieces):
        if isinstance(part, str):
            parts.append(part)
            is_quoted ^= part.count('"') % 2 == 1
        elif is_quoted:
            parts.append(_field(part))
        else:
            is_alone = _ends_a_field(pieces[place - 1], -1, place == 1) and _ends_a_field(
                pieces[place + 1], 0, place == len(pieces) - 2
            )
            parts.append(_bare_field(part, "-" if is_alone else ""))
    return lambda response: "".join(part if isinstance(part, str) else part(response) for part in parts)


def escaped(text: str) -> str:
    """Write a client's words so that they end neither their field nor the line: in hexadecimal, as nginx does."""
    if text.isprintable() and '"' not in text and "\\" not in text and text.isascii():
        return text
    return "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\x{ord(char):02X}" for char in text)


def first_line(exchange: Exchange) -> str:
    """Return the request's line, or - if it was refused before its method was known."""
    line, protocol = exchange.request.line, exchange.request.protocol
    if not line.method:
        return "-"
    return f"{line.method} {line.target.decode('latin-1')} {protocol}".rstrip(" ")


def header(exchange: Exchange, name: bytes) -> str:
    """Return a header of the request; empty if it is not there."""
    return (exchange.request.section.joined(name) or b"").decode("latin-1")


def _ends_a_field(text: str | Named, place: int, is_edge: bool) -> bool:  # noqa: FBT001
    """Return whether a field of its own may stand beside a piece: there is a space, or the line's end."""
    return isinstance(text, str) and (text[place].isspace() if text else is_edge)


def _field(named: Named) -> Callable[[Response], str]:
    """Return the function that writes an atom between quotation marks."""
    atom = atom_of(named)
    if named.of:
        return lambda response: escaped(atom(response) or "-")
    return lambda response: escaped(atom(response))


def _bare_field(named: Named, empty: str) -> Callable[[Response], str]:
    """Return the function that writes an atom outside of them, where a space would end the field of a client.

    :param empty: stands for an atom without a value; a field that has nothing else would be none.
    """
    atom = atom_of(named)
    if named.of:
        empty = "-"
    elif named.name in _OF_SEVERAL_WORDS:
        return lambda response: escaped(atom(response))
    return lambda response: escaped(atom(response)).replace(" ", "\\x20") or empty


def atom_of(named: Named) -> Callable[[Response], str]:
    """Return the function that finds an atom's value; it may be empty."""
    name = named.name
    match named.of:
        case "i":
            data = name.encode("latin-1", "replace")
            return lambda response: header(response.exchange, data)
        case "o":
            return lambda response: _noting(response).response_header(name)
        case "e":
            return lambda response: _noting(response).variable(name)
        case _:
            return ATOMS[name]


def _noting(response: Response) -> NotingExchange:
    assert isinstance(response.exchange, NotingExchange)
    return response.exchange


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
    "H": lambda one: one.exchange.request.protocol or "HTTP/",
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
