"""The headers of a response that mean something to this server."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """The meaning of a header to this server."""

    PLAIN = 0
    LENGTH = 1
    CONNECTION = 2
    CODING = 3  # Transfer-Encoding: how a response is delimited is our choice
    HOP = 4  # for a single connection, hence not the application's (PEP 3333, "Other HTTP Features")
    UPGRADE = 5
    CHALLENGE = 6  # a proxy's
    DATE = 7
    SERVER = 8


KINDS = {
    b"content-length": Kind.LENGTH,
    b"connection": Kind.CONNECTION,
    b"transfer-encoding": Kind.CODING,
    b"keep-alive": Kind.HOP,
    b"proxy-connection": Kind.HOP,
    b"proxy-authorization": Kind.HOP,
    b"te": Kind.HOP,
    b"trailer": Kind.HOP,
    b"trailers": Kind.HOP,
    b"upgrade": Kind.UPGRADE,
    b"proxy-authenticate": Kind.CHALLENGE,
    b"date": Kind.DATE,
    b"server": Kind.SERVER,
}

NEEDED = {Kind.UPGRADE: 426, Kind.CHALLENGE: 407}
"""Headers for a single connection that a response of one status must have (RFC 9110, 15.5.22 and 15.5.8)."""

VISIBLE = bytes(byte for byte in range(256) if byte == 0x09 or (byte >= 0x20 and byte != 0x7F))
"""Bytes of which header values are made (RFC 9110, 5.5)."""

MAX_LENGTH_DIGITS = 18
"""Of a Content-Length: more fit into no counter."""
