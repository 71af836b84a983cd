"""Networks as an operator writes them, and a set of them that finds an address quickly.

An IPv4 client is one whichever way it comes: ::ffff:192.0.2.1 of a dual-stack socket is 192.0.2.1 here, so that no rule
for IPv4 can be bypassed over IPv6.
"""

from __future__ import annotations

import socket
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError, ip_network
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from corepool.spec.fields import BeforeValidator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.spec.types import Address

_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, 2.5.5.2
_MAPPED_PREFIX = 96  # bits of ::ffff:0:0/96, whose addresses are IPv4's
_MAPPED_NUMBER = 0xFFFF


class IpPeer(NamedTuple):
    """An IP address as a number of `bits` bits: 32 or 128."""

    bits: int
    number: int


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


def parse_rule(value: object) -> IPv4Network | IPv6Network | Literal["unix"]:
    """Read "10.0.0.0/8", "2001:db8::1" or "unix".

    :raises ValueError: with the mistake in words, for an operator.
    """
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if value == "unix":
        return "unix"
    if not isinstance(value, str):
        raise ValueError('expected a network such as "10.0.0.0/8" or "2001:db8::/32", or "unix"')  # noqa: TRY004
    try:
        network = ip_network(value)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise ValueError(_what_is_wrong(value)) from None
    number = int(network.network_address)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_PREFIX and number >> 32 == _MAPPED_NUMBER:
        return IPv4Network((number & 0xFFFFFFFF, network.prefixlen - _MAPPED_PREFIX))
    return network


def _what_is_wrong(value: str) -> str:
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        return 'expected a network such as "10.0.0.0/8" or "2001:db8::/32", or "unix"'
    # A slip of the prefix opens or shuts more than was meant: not to be guessed.
    return f'bits are set beyond the prefix; the network is "{meant}"'


Rule = Annotated[
    IPv4Network | IPv6Network | Literal["unix"],
    BeforeValidator(parse_rule, json_schema_input_type=str),
]


class Networks:
    """A set of rules. Looking an address up takes one probe for each different prefix length, however many rules."""

    def __init__(self, rules: Iterable[IPv4Network | IPv6Network | Literal["unix"]]) -> None:
        self._has_unix = False
        self._prefixes: dict[int, list[tuple[int, set[int]]]] = {32: [], 128: []}
        found: dict[tuple[int, int], set[int]] = {}
        for rule in rules:
            if rule == "unix":
                self._has_unix = True
            else:
                shift = rule.max_prefixlen - rule.prefixlen
                found.setdefault((rule.max_prefixlen, shift), set()).add(int(rule.network_address) >> shift)
        for (bits, shift), numbers in found.items():
            self._prefixes[bits].append((shift, numbers))

    def __contains__(self, peer: Peer) -> bool:
        """Return whether a rule covers the peer; no rule covers an unknown one."""
        if isinstance(peer, IpPeer):
            number = peer.number
            return any(number >> shift in numbers for shift, numbers in self._prefixes[peer.bits])
        return peer == "unix" and self._has_unix
