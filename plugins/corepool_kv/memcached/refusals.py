"""Clients of other protocols: what they get instead of an answer that they could take for data."""

from __future__ import annotations

from struct import Struct

from corepool_kv.memcached.requests import BINARY_HEADER_BYTES

_HEADER = Struct(">BBHBBHIIQ")
_RESPONSE_MAGIC = 0x81
_UNKNOWN_COMMAND = 0x81
_TEXT = b"the binary protocol is not served: use memcached's text or meta commands"


def binary_refusal(header: bytes) -> bytes:
    """Return the response of the binary protocol to its first request: an error with a text.

    :param header: of the request, or the beginning of it.
    """
    _, opcode, _, _, _, _, _, opaque, _ = _HEADER.unpack(header.ljust(BINARY_HEADER_BYTES, b"\0"))
    return _HEADER.pack(_RESPONSE_MAGIC, opcode, 0, 0, 0, _UNKNOWN_COMMAND, len(_TEXT), opaque, 0) + _TEXT


def is_http(words: list[bytes]) -> bool:
    """Report whether a line is the first of a request of HTTP, or its header Host."""
    first = words[0].lower()
    return first in (b"post", b"host:") or words[-1].startswith(b"HTTP/")
