"""A peer's address as rules see it: an IP address, a UNIX socket, or nothing known.

An IPv4 client is one whichever way it comes: ::ffff:192.0.2.1 of a dual-stack socket is 192.0.2.1
here, so that no rule for IPv4 can be bypassed over IPv6.
"""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from corepool import Address

_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, 2.5.5.2


class IpPeer(NamedTuple):
    """An IP address as a number of `bits` bits: 32 or 128."""

    bits: int
    number: int


_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")  # printable ASCII that ends no field: not blank, ", = or backslash

Peer = IpPeer | Literal["unix"] | None
"""None: not known, since the client has gone already, or since its transport gives no IP addresses."""


def peer_of(address: Address) -> Peer:
    """Classify the address of a connection's peer."""
    if address.port is None:
        # By the port and not by the host: a UNIX client chooses its own name, which may be "10.0.0.1".
        return None if address.host == "unknown" else "unix"
    host = address.host
    try:
        if ":" not in host:
            return IpPeer(32, int.from_bytes(socket.inet_pton(socket.AF_INET, host)))
        # A link-local address comes with its interface: fe80::1%eth0.
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):  # ValueError: a NUL, or a character beyond ASCII
        return None
    if packed.startswith(_MAPPED):
        return IpPeer(32, int.from_bytes(packed[12:]))
    return IpPeer(128, int.from_bytes(packed))


def spell(address: Address) -> str:
    """Write an address into a line, so that a UNIX client's name, its own choice, ends neither field nor line."""
    text = str(address)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
