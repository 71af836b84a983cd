"""HPACK, the encoder: header blocks of responses (RFC 7541, 6.2.2 and 6.2.3).

They use the static table and the Huffman code, and never the dynamic table. So a block depends on nothing but its
headers, is encoded once for all connections of a worker, and costs no memory in any of them; nothing of a secret can be
learned from its length either (RFC 7541, 7.1). It has some 30 bytes more than with the table, in a packet that is sent
anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2 import huffman
from corepool_http.http2.fields import OF_CONNECTION
from corepool_http.http2.static_table import STATIC, STATIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECRET = frozenset((b"set-cookie", b"authorization", b"proxy-authorization"))
"""Not to be put into a table by an intermediary (RFC 7541, 7.1.3)."""

_INDEXED = {field: bytes((0x80 | index,)) for index, field in enumerate(STATIC) if index}
_STATUSES = {int(value): bytes((0x80 | index,)) for index, (name, value) in enumerate(STATIC) if name == b":status"}

NO_TABLE = b"\x20"
"""A size update to 0 (RFC 7541, 6.3): due when the client allows less than the encoder's table could have (4.2)."""


def encode_status(status: int) -> bytes:
    """Return the field :status (RFC 9113, 8.3.2)."""
    return _STATUSES.get(status) or b"\x08\x03%d" % status


def encode_length(length: int) -> bytes:
    """Return the field content-length: index 28, not for a table."""
    digits = b"%d" % length
    return b"\x0f\x0d%c%b" % (len(digits), digits)


def encode_lines(lines: bytes) -> bytes:
    """Return header lines, `Name: value` with CR LF behind each, as a part of a header block."""
    pairs = [line.partition(b": ") for line in lines.split(b"\r\n")[:-1]]
    return encode_fields([(name.lower(), value) for name, _, value in pairs])


def encode_fields(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return fields as a part of a header block.

    :param fields: their names are in lower case. Those of a connection are left out.
    """
    return b"".join([encode_field(name, value.strip(b" \t")) for name, value in fields if name not in OF_CONNECTION])


def encode_field(name: bytes, value: bytes) -> bytes:
    """Return one field."""
    indexed = _INDEXED.get((name, value))
    if indexed is not None:
        return indexed
    first = 0x10 if name in _SECRET else 0
    index = STATIC_NAMES.get(name)
    if index is None:
        return b"%c%b%b" % (first, encode_string(name), encode_string(value))
    return encode_integer(index, 4, first) + encode_string(value)


def encode_integer(value: int, bits: int, first: int) -> bytes:
    """Return an integer with a prefix of so many bits (RFC 7541, 5.1).

    :param first: the other bits of its first byte.
    """
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    encoded = bytearray((first | most,))
    value -= most
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_string(data: bytes) -> bytes:
    """Return a string, in whichever form is shorter (RFC 7541, 5.2)."""
    coded = huffman.encode(data)
    if len(coded) < len(data):
        return encode_integer(len(coded), 7, 0x80) + coded
    return encode_integer(len(data), 7, 0) + data
