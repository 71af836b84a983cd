"""Peers and networks: what `access` decides by. Checked against the slow and plain way."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool import Address
from corepool.spec.networks import IpPeer, Networks, parse_rule, peer_of
from corepool_extensions.peers import spell


def ipv4_networks() -> st.SearchStrategy[IPv4Network]:
    # Few different bits, so that addresses do meet networks.
    numbers = st.integers(0, 15).map(lambda low: 0x0A000000 | low)
    return st.builds(lambda number, prefix: IPv4Network((number, prefix), strict=False), numbers, st.integers(0, 32))


def ipv6_networks() -> st.SearchStrategy[IPv6Network]:
    numbers = st.integers(0, 15).map(lambda low: 0x20010DB8 << 96 | low)
    return st.builds(lambda number, prefix: IPv6Network((number, prefix), strict=False), numbers, st.integers(0, 128))


ipv4_hosts = st.integers(0, 31).map(lambda low: IPv4Address(0x0A000000 | low)) | st.ip_addresses(v=4)
ipv6_hosts = st.integers(0, 31).map(lambda low: IPv6Address(0x20010DB8 << 96 | low)) | st.ip_addresses(v=6)


@given(
    st.lists(ipv4_networks() | ipv6_networks(), max_size=12),
    ipv4_hosts | ipv6_hosts.filter(lambda a: not a.ipv4_mapped),
)
def test_an_address_is_found_in_the_networks_that_hold_it(
    networks: list[IPv4Network | IPv6Network], host: IPv4Address | IPv6Address
) -> None:
    expected = any(host.version == network.version and host in network for network in networks)

    assert (peer_of(Address(str(host), 1)) in Networks(networks)) is expected


@given(ipv4_hosts, ipv4_networks())
def test_an_ipv4_client_is_one_over_ipv6_too(host: IPv4Address, network: IPv4Network) -> None:
    mapped = peer_of(Address(f"::ffff:{host}", 1))

    assert mapped == peer_of(Address(str(host), 1))
    assert (mapped in Networks([network])) is (host in network)
    assert parse_rule(f"::ffff:{network.network_address}/{96 + network.prefixlen}") == network


def test_networks_of_ipv6_hold_no_ipv4_client() -> None:
    assert peer_of(Address("::ffff:10.0.0.1", 1)) not in Networks([ip_network("::/0")])
    assert peer_of(Address("10.0.0.1", 1)) not in Networks([ip_network("::/0")])


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (Address("unix"), "unix"),
        (Address("/run/client"), "unix"),
        (Address("10.0.0.1"), "unix"),  # a UNIX client's own choice
        (Address("unknown"), None),
        (Address("what is this", 1), None),
        (Address("10.0.0.1\0", 1), None),
        (Address("1.2.3", 1), None),
        (Address("10.0.0.1", 1), IpPeer(32, 0x0A000001)),
        (Address("fe80::1%eth0", 1), IpPeer(128, 0xFE80 << 112 | 1)),
    ],
)
def test_what_an_address_means(address: Address, peer: object) -> None:
    assert peer_of(address) == peer


@given(st.text(st.characters(codec=None), min_size=1))
def test_whatever_a_client_calls_itself_is_one_field_of_one_line(name: str) -> None:
    text = spell(Address(name))

    assert text.isascii()
    assert text.isprintable()
    assert text == name or json.loads(text) == name
    assert '"' not in text.strip('"').replace('\\"', "") or text.startswith('"')
    assert " " not in text or text.startswith('"')
    assert text.startswith('"') or "=" not in text
