"""The values that an application hands over: taken as far as Python lets it, and named in words where it doesn't.

Bytes may be anything with a buffer, of any shape; headers any iterable, which is read once; strings of derived classes
are what they hold, not what their methods make of it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

_MAX_SHOWN = 80


class ResponseError(Exception):
    """The application's response can't be sent; `str()` names the mistake."""


def shown(value: object) -> str:
    """Return a value as it may stand in the log: with its type, and not endless."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # the application's code, called for the sake of a message
        text = "?"
    if len(text) > _MAX_SHOWN:
        text = f"{text[:_MAX_SHOWN]}..."
    return f"{type(value).__name__} {text}" if value is not None else "None"


def as_bytes(value: object, name: str) -> bytes:
    """Copy anything with a buffer.

    :param name: of the value, for the error.
    :raises ResponseError: it has none.
    """
    try:
        # Not bytes(value): 5 would be a size. A ValueError: a memoryview that was released.
        return bytes(memoryview(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        raise ResponseError(f"{name} is {shown(value)}: bytes are expected") from None


def as_text(value: object, name: str) -> str:
    """Return a string of which HTTP can send every character (PEP 3333, "Unicode Issues").

    :raises ResponseError: it is none.
    """
    if not isinstance(value, str):
        raise ResponseError(f"{name} is {shown(value)}: a str is expected")
    text = str.__str__(value)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ResponseError(f"{name} is {shown(text)}: characters of ISO-8859-1 are expected") from None
    return text


def as_integer(value: object, name: str) -> int:
    """Return a plain integer.

    :raises ResponseError: it is none.
    """
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ResponseError(f"{name} is {shown(value)}: an int is expected") from None


def listed(headers: object) -> list[Any]:
    """Read headers, once: they may be an iterator.

    :raises ResponseError: they are no iterable of pairs.
    """
    if isinstance(headers, Mapping):
        raise ResponseError("'headers' are a mapping: a list of pairs is expected, since a name may come twice")
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise ResponseError(f"'headers' are {shown(headers)}: a list of pairs is expected")
    return list(headers)


def text_pair(pair: object) -> tuple[str, str]:
    """Return one of WSGI's headers.

    :raises ResponseError: it is none.
    """
    name, value = _pair(pair, "strings")
    try:
        return as_text(name, "the name"), as_text(value, "the value")
    except ResponseError as error:
        raise ResponseError(f"in the header {shown(pair)}, {error}") from None


def bytes_pair(pair: object) -> tuple[bytes, bytes]:
    """Return one of ASGI's headers.

    :raises ResponseError: it is none.
    """
    name, value = _pair(pair, "bytes")
    try:
        return as_bytes(name, "the name"), as_bytes(value, "the value")
    except ResponseError as error:
        raise ResponseError(f"in the header {shown(pair)}, {error}") from None


def _pair(pair: object, of: str) -> tuple[object, object]:
    if isinstance(pair, Iterable) and not isinstance(pair, str | bytes | Mapping):
        items = tuple(pair)
        if len(items) == 2:
            return items
    raise ResponseError(f"a header is {shown(pair)}: a pair of {of} is expected")
