"""Field lines of HTTP/2: the names and values that are valid (RFC 9113, 8.2.1)."""

from __future__ import annotations

_NAME = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
"""Those of a token (RFC 9110, 5.6.2) in lower case."""
_VALUE = bytes(byte for byte in range(256) if byte == 0x09 or (byte >= 0x20 and byte != 0x7F))
OF_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
"""Headers of HTTP/1 for a single connection: malformed in a request, and not sent in a response (RFC 9113, 8.2.2)."""

_WHITES = b" \t"


def fault_of(name: bytes, value: bytes) -> str | None:
    """Return why a field line is malformed; None if it is not.

    More is refused than the RFC demands: all but tokens, and every control character, as HTTP/1 does.
    """
    rest = (name[1:] if name.startswith(b":") else name).translate(None, _NAME)
    if rest or not name:
        return "upper case in a field name" if rest.isalpha() and rest.isupper() else "invalid field name"
    return fault_of_value(value)


def fault_of_value(value: bytes) -> str | None:
    """Return why a field value is malformed; None if it is not."""
    if value.translate(None, _VALUE):
        return "control character in a field value"
    if value and (value[0] in _WHITES or value[-1] in _WHITES):
        return "white space around a field value"
    return None
