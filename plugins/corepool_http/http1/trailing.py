"""103 (Early Hints), which comes before the head of a response, and trailers, which come behind its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool_http.message import Fields


def encode_hints(lines: bytes) -> bytes:
    """Return a 103 (Early Hints, RFC 8297) with these header lines."""
    return b"HTTP/1.1 103 Early Hints\r\n%b\r\n" % lines


def encode_trailers(trailers: Fields) -> bytes:
    """Return the last chunk, with trailers behind it (RFC 9112, 7.1.2)."""
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % field for field in trailers])


def decode_trailers(section: bytes) -> Fields:
    """Return the fields of a trailer section that is known to be well-formed, with their names in lower case."""
    pairs = (line.partition(b":") for line in section.split(b"\r\n") if line)
    return [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]
