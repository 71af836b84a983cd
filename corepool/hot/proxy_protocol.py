"""The PROXY protocol, versions 1 and 2: how long a header is, and what it says. Pure.

Source: "The PROXY protocol", Willy Tarreau, HAProxy's doc/proxy-protocol.txt of 2020/03/05; sections are numbered as it
does. Anything that doesn't follow it to the letter is refused: a proxy that is trusted has no reason to send it.
"""

from __future__ import annotations

import re
import struct
from functools import cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING

from corepool.spec.proxy_header import ProxyHeader, ProxyTls
from corepool.spec.types import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_HEADER_BYTES = 4096
"""Of version 2, all included; the format allows 65,551. HAProxy's own take some 600 with every option, but for a
client's certificate."""

_V1 = b"PROXY "
_MAX_V1_BYTES = 107  # section 2.1, the worst case
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = struct.Struct("!12sBBH")

_LOCAL, _PROXY = 0x20, 0x21
_UNSPEC = 0
_IPS = {1: (AF_INET, struct.Struct("!4s4sHH")), 2: (AF_INET6, struct.Struct("!16s16sHH"))}
_UNIX, _UNIX_PAIR = 3, struct.Struct("!108s108s")
_MAX_TRANSPORT = 2  # stream, datagram

_V1_FAMILIES = {"TCP4": AF_INET, "TCP6": AF_INET6}
_PORT = re.compile("0|[1-9][0-9]{0,4}", re.ASCII)

_TLV = struct.Struct("!BH")
_ALPN, _AUTHORITY, _CRC32C, _UNIQUE_ID, _SSL = 0x01, 0x02, 0x03, 0x05, 0x20
_ONCE = frozenset({_ALPN, _AUTHORITY, _CRC32C, _UNIQUE_ID, _SSL})
_MAX_UNIQUE_ID = 128
_SSL_HEAD = struct.Struct("!BI")
_SSL_VERSION, _SSL_CN, _SSL_CIPHER = 0x21, 0x22, 0x23
_CLIENT_SSL, _CLIENT_CERTIFICATE = 0x01, 0x02 | 0x04


class ProxyHeaderError(ValueError):
    """Bytes that are no PROXY header; says in words why."""


def length_of(data: bytes) -> int:
    """Return how many bytes the header has that `data` begins with; 0: more bytes are needed to know.

    As long as it is 0, all of `data` belongs to the header. So does, of an unfinished one, everything that is there.

    :raises ProxyHeaderError: there is none.
    """
    if data.startswith(_V2):
        if len(data) < _V2_HEAD.size:
            return 0
        length = _V2_HEAD.size + _V2_HEAD.unpack_from(data)[3]
        if length > MAX_HEADER_BYTES:
            raise ProxyHeaderError(f"a header of {length} bytes; at most {MAX_HEADER_BYTES} are read")
        return int(length)
    if data.startswith(_V1):
        end = data.find(b"\n", 0, _MAX_V1_BYTES)
        if end >= 0:
            return end + 1
        if len(data) >= _MAX_V1_BYTES:
            raise ProxyHeaderError(f"a line of version 1 does not end within {_MAX_V1_BYTES} bytes")
        return 0
    if _V1.startswith(data) or _V2.startswith(data):
        return 0
    raise ProxyHeaderError(f"no PROXY header; it begins with {data[:16]!r}")


def parse(header: bytes) -> ProxyHeader:
    """Read a header that is whole, as `length_of` has found.

    :raises ProxyHeaderError: it is malformed.
    """
    return _parse_v1(header) if header.startswith(_V1) else _parse_v2(header)


# --- version 1, section 2.1


def _parse_v1(line: bytes) -> ProxyHeader:
    if not line.endswith(b"\r\n"):
        raise ProxyHeaderError("a line of version 1 does not end with CR LF")
    if line[:-2].split(b" ", 2)[1] == b"UNKNOWN":  # whatever follows is to be ignored
        return ProxyHeader(1, raw=line)
    try:
        words = line[:-2].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise ProxyHeaderError("a line of version 1 that is not ASCII") from None
    family = _V1_FAMILIES.get(words[1])
    if family is None or len(words) != 6:
        raise ProxyHeaderError(f"expected PROXY, TCP4 or TCP6, two addresses and two ports; got {line[:-2]!r}")
    source, destination, source_port, destination_port = words[2:]
    return ProxyHeader(
        1, _written(family, source, source_port), _written(family, destination, destination_port), raw=line
    )


def _written(family: int, host: str, port: str) -> Address:
    try:
        packed = inet_pton(family, host)
    except (OSError, ValueError):  # ValueError: a NUL
        raise ProxyHeaderError(f"{host!r} is no address of the family that the line names") from None
    if not _PORT.fullmatch(port) or int(port) > 65_535:
        raise ProxyHeaderError(f"{port!r} is no port")
    return Address(inet_ntop(family, packed), int(port))


# --- version 2, section 2.2


def _parse_v2(header: bytes) -> ProxyHeader:
    if len(header) < _V2_HEAD.size or not header.startswith(_V2):
        raise ProxyHeaderError("no PROXY header")
    _, command, kind, length = _V2_HEAD.unpack_from(header)
    if len(header) != _V2_HEAD.size + length:
        raise ProxyHeaderError(f"a header of {len(header)} bytes that claims {_V2_HEAD.size + length}")
    if command == _LOCAL:  # the rest is to be skipped
        return ProxyHeader(2, raw=header)
    if command != _PROXY:
        raise ProxyHeaderError(f"version and command {command:#04x}; expected 0x20 or 0x21")
    family, transport = kind >> 4, kind & 15
    if family > _UNIX or transport > _MAX_TRANSPORT:
        raise ProxyHeaderError(f"unknown family and transport {kind:#04x}")
    if _UNSPEC in (family, transport):  # addresses are to be ignored, and nothing says where they end
        return ProxyHeader(2, raw=header)
    (peer, local), rest = _addresses(family, header)
    tlvs = tuple(_tlvs(header, rest))
    kinds = [each for each, _, _ in tlvs]
    for each in _ONCE.intersection(kinds):
        if kinds.count(each) > 1:
            raise ProxyHeaderError(f"there are several values of type {each:#04x}")
    values = {each: value for each, value, _ in tlvs}
    for each, value, place in tlvs:
        if each == _CRC32C:
            _check(header, value, place)
    if len(values.get(_UNIQUE_ID, b"")) > _MAX_UNIQUE_ID:
        raise ProxyHeaderError(f"a unique id of {len(values[_UNIQUE_ID])} bytes; at most {_MAX_UNIQUE_ID} are allowed")
    return ProxyHeader(
        2,
        peer,
        local,
        authority=_text(values[_AUTHORITY]) if _AUTHORITY in values else None,
        alpn=_text(values[_ALPN]) if _ALPN in values else None,
        unique_id=values.get(_UNIQUE_ID),
        tls=_tls(values[_SSL]) if _SSL in values else None,
        tlvs=tuple((each, value) for each, value, _ in tlvs),
        raw=header,
    )


def _addresses(family: int, header: bytes) -> tuple[Sequence[Address], int]:
    """Return source and destination, and the offset of what follows them."""
    layout = _UNIX_PAIR if family == _UNIX else _IPS[family][1]
    end = _V2_HEAD.size + layout.size
    if len(header) < end:
        raise ProxyHeaderError(f"{len(header) - _V2_HEAD.size} bytes for addresses that take {layout.size}")
    fields = layout.unpack_from(header, _V2_HEAD.size)
    if family == _UNIX:
        return [Address.of_sockaddr(_path(field)) for field in fields], end
    source, destination, *ports = fields
    return [
        Address(inet_ntop(_IPS[family][0], host), port) for host, port in zip((source, destination), ports, strict=True)
    ], end


def _path(field: bytes) -> bytes:
    """Return the path in a sun_path; an abstract name begins with a zero byte (unix(7))."""
    return field.rstrip(b"\0") if field.startswith(b"\0") else field.partition(b"\0")[0]


def _tlvs(data: bytes, offset: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield type and value of each, and where the value begins."""
    while offset < len(data):
        begin = offset + _TLV.size
        if begin > len(data):
            raise ProxyHeaderError("a type-length-value is cut short")
        kind, length = _TLV.unpack_from(data, offset)
        offset = begin + length
        if offset > len(data):
            raise ProxyHeaderError(f"a value of type {kind:#04x} is cut short")
        yield kind, data[begin:offset], begin


def _tls(value: bytes) -> ProxyTls | None:
    if len(value) < _SSL_HEAD.size:
        raise ProxyHeaderError("the value about TLS is cut short")
    client, verify = _SSL_HEAD.unpack_from(value)
    texts = {kind: text for kind, text, _ in _tlvs(value, _SSL_HEAD.size)}
    if not client & _CLIENT_SSL:
        return None
    has_certificate = bool(client & _CLIENT_CERTIFICATE)
    return ProxyTls(
        version=_text(texts.get(_SSL_VERSION, b"")),
        cipher=_text(texts.get(_SSL_CIPHER, b"")),
        client_name=_text(texts.get(_SSL_CN, b"")),
        has_client_certificate=has_certificate,
        verified=has_certificate and not verify,
    )


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ProxyHeaderError(f"{value[:64]!r} is not UTF-8") from None


def _check(header: bytes, checksum: bytes, place: int) -> None:
    if len(checksum) != 4:
        raise ProxyHeaderError(f"a checksum of {len(checksum)} bytes; it has 4")
    if crc32c(header[:place] + bytes(4) + header[place + 4 :]) != int.from_bytes(checksum):
        raise ProxyHeaderError("the checksum is wrong")


def crc32c(data: bytes) -> int:
    """Return the CRC of RFC 4960, appendix B (Castagnoli)."""
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@cache
def _crc_table() -> Sequence[int]:
    """Return the remainder of each byte; made when the first checksum comes."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table
