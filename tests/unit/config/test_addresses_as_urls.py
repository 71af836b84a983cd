"""Addresses are written so that they can be used: a URL leads back to its address, an example to the listener."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool import Address, Endpoint
from corepool.plugins.listener import fill_in

if TYPE_CHECKING:
    import ipaddress


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=3, max_size=15)


zoned = st.builds(lambda host, name: f"fe80::{host:x}%{name}", st.integers(1, 2**16 - 1), names)


ips = st.one_of(st.ip_addresses().map(str), zoned)


ports = st.integers(0, 65535)


paths = st.binary(min_size=1, max_size=100).filter(lambda path: b"\0" not in path).map(os.fsdecode)


@given(ips, ports)
def test_the_url_of_an_ip_address_leads_back_to_it(host: str, port: int) -> None:
    endpoint = Endpoint.parse(Address(host, port).url)

    assert (endpoint.scheme, endpoint.host, endpoint.port, endpoint.path) == ("tcp", host, port, "")


@given(paths, st.sampled_from(["/", "@"]))
def test_the_url_of_a_path_or_name_leads_back_to_it(path: str, start: str) -> None:
    url = Address(start + path).url
    endpoint = Endpoint.parse(url)

    assert (endpoint.scheme, endpoint.host, endpoint.port, endpoint.path) == ("unix", "", None, start + path)
    assert url.isprintable()
    assert " " not in url, "a line of the log has its fields apart"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("192.0.2.1", 80), "tcp://192.0.2.1:80"),
        (Address("::1", 80), "tcp://[::1]:80"),
        (Address("::ffff:192.0.2.1", 80), "tcp://[::ffff:192.0.2.1]:80"),
        (Address("fe80::1%eth0", 80), "tcp://[fe80::1%25eth0]:80"),
        (Address("/run/a b?.sock"), "unix:///run/a%20b%3F.sock"),
        (Address("/run/größe.sock"), "unix:///run/größe.sock"),
        (Address("/run/\udcff.sock"), "unix:///run/%FF.sock"),
        (Address("@name"), "unix:@name"),
    ],
)
def test_urls_are_written_as_the_standards_have_them(address: Address, url: str) -> None:
    assert address.url == url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("tcp://[fe80::1%eth0]:80", "fe80::1%eth0"),
        ("tcp://[fe80::1%25eth0]:80", "fe80::1%eth0"),
        ("tcp://[FE80::1%25ETH0]:80", "fe80::1%ETH0"),
    ],
)
def test_an_interface_is_read_in_both_spellings(url: str, host: str) -> None:
    assert Endpoint.parse(url).host == host


def test_a_percent_sign_that_encodes_nothing_is_one() -> None:
    assert Endpoint.parse("unix:///run/100%.sock").path == "/run/100%.sock"


@pytest.mark.parametrize(
    ("url", "says"), [("tcp://::1:80", "in brackets, such as tcp://[::1]:8000"), ("unix:///a\nb", "a line break")]
)
def test_a_url_that_would_be_misread_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "curl http://127.0.0.1:80/ or nc 127.0.0.1 80"),
        ("0.0.0.0", "curl http://127.0.0.1:80/ or nc 127.0.0.1 80"),
        ("::", "curl http://[::1]:80/ or nc ::1 80"),
        ("fe80::1%eth0", "curl http://[fe80::1%25eth0]:80/ or nc fe80::1%eth0 80"),
    ],
)
def test_an_example_has_brackets_in_urls_only(host: str, shown: str) -> None:
    assert fill_in("curl http://{host}:{port}/ or nc {host} {port}", Address(host, 80).nearby) == shown


@given(st.ip_addresses(v=6))
def test_an_example_is_a_url_whatever_the_address(ip: ipaddress.IPv6Address) -> None:
    assert Endpoint.parse(fill_in("http://{host}:{port}/", Address(str(ip), 80))).host == str(ip)
