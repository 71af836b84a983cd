"""Networks as an operator writes them, and a set of them that finds an address quickly."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError, ip_network
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from corepool_extensions.peers import IpPeer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_extensions.peers import Peer

_MAPPED_PREFIX = 96  # bits of ::ffff:0:0/96, whose addresses are IPv4's
_MAPPED_NUMBER = 0xFFFF


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
