"""The part of a WebSocket's handshake that only HTTP/1 has: the key and its answer (RFC 6455, 4.2)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from corepool_http.message import RefusedError

if TYPE_CHECKING:
    from corepool_http.message import Section

_KEY_BYTES = 16
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def check_key(section: Section) -> None:
    """Refuse a handshake without the key of 16 bytes that its answer is made of.

    :raises RefusedError: it is missing or malformed.
    """
    key = section.single(b"sec-websocket-key") or b""
    try:
        is_valid = len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        is_valid = False
    if not is_valid:
        raise RefusedError(400, f"Sec-WebSocket-Key: {key!r}")


def accept_of(section: Section) -> bytes:
    """Return the value of Sec-WebSocket-Accept."""
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, for WebSockets alone

    key = section.single(b"sec-websocket-key") or b""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
