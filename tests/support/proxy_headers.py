"""PROXY headers as proxies write them: by the letter of the specification, and with no help of our parser."""

from __future__ import annotations

import socket
import struct

SIGNATURE = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, UDP4, TCP6, UDP6, UNIX, UNIX_DATAGRAM = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL, NETNS, AWS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30, 0xEA
SSL_VERSION, SSL_CN, SSL_CIPHER = 0x21, 0x22, 0x23


def v1(peer: tuple[str, int], local: tuple[str, int]) -> bytes:
    family = "TCP6" if ":" in peer[0] else "TCP4"
    return f"PROXY {family} {peer[0]} {local[0]} {peer[1]} {local[1]}\r\n".encode()


def v2(command: int, family: int, rest: bytes = b"") -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


def ips(peer: tuple[str, int], local: tuple[str, int]) -> bytes:
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    hosts = b"".join(socket.inet_pton(family, host) for host, _ in (peer, local))
    return hosts + struct.pack("!HH", peer[1], local[1])


def paths(peer: bytes, local: bytes) -> bytes:
    return struct.pack("108s108s", peer, local)


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def tls(client: int, verify: int, *values: tuple[int, bytes]) -> bytes:
    return tlv(SSL, struct.pack("!BI", client, verify) + b"".join(tlv(*each) for each in values))


def crc32c(data: bytes) -> int:
    """Divide bit by bit (RFC 4960, appendix B)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = (rest >> 1) ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def checked(family: int, rest: bytes) -> bytes:
    """Return a header that ends with its own checksum."""
    header = v2(PROXY, family, rest + tlv(CRC32C, bytes(4)))
    return header[:-4] + struct.pack("!I", crc32c(header))
