"""The PROXY protocol, bytes to facts: the examples of its specification, and any bytes."""

from __future__ import annotations

import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxy_headers import (
    ALPN,
    AUTHORITY,
    AWS,
    CRC32C,
    LOCAL,
    NETNS,
    NOOP,
    PROXY,
    SIGNATURE,
    SSL,
    SSL_CIPHER,
    SSL_CN,
    SSL_VERSION,
    TCP4,
    TCP6,
    UDP4,
    UDP6,
    UNIQUE_ID,
    UNIX,
    UNIX_DATAGRAM,
    UNSPEC,
    checked,
    ips,
    paths,
    tls,
    tlv,
    v1,
    v2,
)

from corepool.hot.proxy_protocol import MAX_HEADER_BYTES, ProxyHeaderError, crc32c, length_of, parse
from corepool.spec.proxy_header import ProxyHeader, ProxyTls
from corepool.spec.types import Address

PEER, SERVER = ("192.168.0.1", 56324), ("192.168.0.11", 443)
PAIR = ips(PEER, SERVER)
HEADER = v2(PROXY, TCP4, PAIR)
LONGEST = b":".join([b"ffff"] * 8)
BOTH = (Address(*PEER), Address(*SERVER))


def both(data: bytes) -> tuple[Address | None, Address | None]:
    assert length_of(data + b"what follows") == len(data)
    header = parse(data)
    assert header.raw == data
    return header.peer, header.local


def test_the_example_of_version_1_in_the_specification() -> None:
    header = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
    request = header + b"GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n"

    assert length_of(request) == len(header)
    assert parse(header) == ProxyHeader(1, *BOTH, raw=header)


@pytest.mark.parametrize(
    ("line", "length"),
    [
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", 56),
        (b"PROXY TCP6 %b %b 65535 65535\r\n" % (LONGEST, LONGEST), 104),
        (b"PROXY UNKNOWN\r\n", 15),
        (b"PROXY UNKNOWN \xff\0 \xc3\xa9\r\n", 21),
        (b"PROXY UNKNOWN %b %b 65535 65535\r\n" % (LONGEST, LONGEST), 107),
    ],
)
def test_the_longest_lines_of_the_specification_are_read(line: bytes, length: int) -> None:
    assert length_of(line) == len(line) == length
    assert (parse(line).peer is None) == (b"UNKNOWN" in line)


def test_addresses_of_version_1_are_spelt_as_the_kernel_spells_them() -> None:
    assert both(b"PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::FFFF:192.0.2.1 1 0\r\n") == (
        Address("2001:db8::1", 1),
        Address("::ffff:192.0.2.1", 0),
    )


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
        b"PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY\tTCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY TCP4 192.168.0.01 192.168.0.11 56324 443\r\n",
        b"PROXY TCP4 192.168.1 192.168.0.11 56324 443\r\n",
        b"PROXY TCP4 ::1 ::1 56324 443\r\n",
        b"PROXY TCP6 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY TCP6 fe80::1%lo ::1 56324 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 -1 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 +1 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 1_0 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n",
        b"PROXY TCP4 192.168.0.1\0 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 5632٤ 443\r\n".encode(),  # a digit, to str.isdigit
        b"PROXY UDP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY tcp4 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY unknown\r\n",
        b"PROXY \r\n",
        b"PROXY \n",
    ],
)
def test_a_line_that_does_not_follow_version_1_to_the_letter_is_refused(line: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse(line[: length_of(line)])


@pytest.mark.parametrize(
    "data", [b"PROXY UNKNOWN " + b"x" * 93, b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", b"PROXY " * 50]
)
def test_a_line_that_does_not_end_in_time_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError, match="107"):
        length_of(data)


@pytest.mark.parametrize(
    ("family", "rest", "expected"),
    [
        (TCP4, PAIR, BOTH),
        (UDP4, PAIR, BOTH),
        (TCP6, ips(("2001:db8::1", 1), ("::", 0)), (Address("2001:db8::1", 1), Address("::", 0))),
        (UDP6, ips(("2001:db8::1", 1), ("::", 0)), (Address("2001:db8::1", 1), Address("::", 0))),
        (UNIX, paths(b"/run/a.sock", b"\0an-abstract-name"), (Address("/run/a.sock"), Address("@an-abstract-name"))),
        (UNIX_DATAGRAM, paths(b"", b"x" * 108), (Address("unix"), Address("x" * 108))),
        (UNIX, paths(b"/run/a.sock\0garbage", b"\0"), (Address("/run/a.sock"), Address("unix"))),
        (UNSPEC, b"", (None, None)),
        (UNSPEC, b"whatever", (None, None)),
        (0x10, PAIR, (None, None)),
    ],
)
def test_each_family_of_version_2(family: int, rest: bytes, expected: tuple[Address | None, Address | None]) -> None:
    assert both(v2(PROXY, family, rest)) == expected


@pytest.mark.parametrize("rest", [b"", PAIR, b"\xff" * 100])
@pytest.mark.parametrize("family", [UNSPEC, TCP4, UNIX])
def test_a_proxy_that_speaks_for_itself_has_no_client_whatever_it_adds(family: int, rest: bytes) -> None:
    assert both(v2(LOCAL, family, rest)) == (None, None)


def test_every_value_that_a_proxy_adds_is_a_fact() -> None:
    values = (
        (AUTHORITY, b"shop.example"),
        (ALPN, b"h2"),
        (UNIQUE_ID, b"\0\1" * 64),
        (NOOP, b""),
        (NETNS, b"blue"),
        (AWS, b"\1vpce-08d2bf15fac5001c9"),
    )
    header = parse(v2(PROXY, TCP4, PAIR + b"".join(tlv(*each) for each in values)))

    assert (header.authority, header.alpn, header.unique_id, header.tls) == ("shop.example", "h2", b"\0\1" * 64, None)
    assert header.tlvs == values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (tls(0, 1), None),
        (tls(1, 1), ProxyTls()),
        (
            tls(1, 1, (SSL_VERSION, b"TLSv1.3"), (SSL_CIPHER, b"TLS_AES_128_GCM_SHA256")),
            ProxyTls("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
        ),
        (tls(7, 0, (SSL_CN, b"anna")), ProxyTls(client_name="anna", has_client_certificate=True, verified=True)),
        (tls(5, 0), ProxyTls(has_client_certificate=True, verified=True)),
        (tls(3, 18), ProxyTls(has_client_certificate=True)),
        (tls(1, 0), ProxyTls()),  # "zero if the client presented a certificate": it has not
    ],
)
def test_tls_between_client_and_proxy(value: bytes, expected: ProxyTls | None) -> None:
    assert parse(v2(PROXY, TCP4, PAIR + value)).tls == expected


def test_the_checksum_is_that_of_the_specification() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    header = checked(TCP4, PAIR + tlv(AUTHORITY, b"shop.example"))

    assert parse(header).authority == "shop.example"
    for place in (20, len(header) - 10, len(header) - 1):
        wrong = bytearray(header)
        wrong[place] ^= 1
        with pytest.raises(ProxyHeaderError, match="checksum"):
            parse(bytes(wrong))


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (v2(0x22, TCP4, PAIR), "command"),
        (v2(0x11, TCP4, PAIR), "command"),
        (v2(PROXY, 0x13, PAIR), "family"),
        (v2(PROXY, 0x41, PAIR), "family"),
        (v2(PROXY, TCP4, PAIR[:-1]), "addresses"),
        (v2(PROXY, UNIX, PAIR), "addresses"),
        (v2(PROXY, TCP4, PAIR + b"\1"), "cut short"),
        (v2(PROXY, TCP4, PAIR + b"\1\0\5abcd"), "cut short"),
        (v2(PROXY, TCP4, PAIR + tlv(SSL, b"\1\0\0\0")), "cut short"),
        (v2(PROXY, TCP4, PAIR + tlv(SSL, b"\1\0\0\0\0\x21\0\5abcd")), "cut short"),
        (v2(PROXY, TCP4, PAIR + tlv(CRC32C, b"abc")), "checksum"),
        (v2(PROXY, TCP4, PAIR + tlv(AUTHORITY, b"\xff")), "UTF-8"),
        (v2(PROXY, TCP4, PAIR + tlv(UNIQUE_ID, bytes(129))), "unique id"),
        (v2(PROXY, TCP4, PAIR + tlv(AUTHORITY, b"a") + tlv(AUTHORITY, b"b")), "several"),
    ],
)
def test_a_malformed_header_of_version_2_is_refused_in_words(header: bytes, complaint: str) -> None:
    assert length_of(header) == len(header)
    with pytest.raises(ProxyHeaderError, match=complaint):
        parse(header)


def test_a_header_of_the_greatest_length_is_read_and_a_longer_one_is_refused_before_it_has_come() -> None:
    rest = PAIR + tlv(AWS, bytes(MAX_HEADER_BYTES - 16 - len(PAIR) - 3))
    header = v2(PROXY, TCP4, rest)
    assert len(header) == length_of(header) == MAX_HEADER_BYTES
    assert parse(header).peer == Address(*PEER)

    with pytest.raises(ProxyHeaderError, match=str(MAX_HEADER_BYTES)):
        length_of(v2(PROXY, TCP4, rest + b"x")[:16])


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\r\n\r\n\0\r\nQUIT\r", b"PROXX", b"P ", b"\x16\x03\x01", b"\0"]
)
def test_other_bytes_are_refused_at_the_first_that_differs(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError, match="no PROXY header"):
        length_of(data)


ADDRESSES = st.sampled_from(["0.0.0.0", "255.255.255.255"]) | st.ip_addresses(v=4).map(str)
ADDRESSES_6 = st.binary(min_size=16, max_size=16).map(lambda packed: socket.inet_ntop(socket.AF_INET6, packed))
PORTS = st.integers(0, 65535)
ENDS = st.tuples(ADDRESSES, PORTS, ADDRESSES, PORTS) | st.tuples(ADDRESSES_6, PORTS, ADDRESSES_6, PORTS)
TLVS = st.lists(st.tuples(st.integers(0xE0, 0xFF), st.binary(max_size=40)), max_size=5)


@given(ENDS, TLVS, st.booleans())
def test_what_is_written_is_read(ends: tuple[str, int, str, int], tlvs: list[tuple[int, bytes]], is_v1: bool) -> None:  # noqa: FBT001
    peer, local = ends[:2], ends[2:]
    written = v1(peer, local)
    if not is_v1:
        family = TCP6 if ":" in peer[0] else TCP4
        written = checked(family, ips(peer, local) + b"".join(tlv(*each) for each in tlvs))
    assert both(written) == (Address(*peer), Address(*local))
    assert is_v1 or list(parse(written).tlvs[:-1]) == tlvs


@given(ENDS, st.booleans(), st.data())
def test_a_header_that_is_cut_anywhere_asks_for_more(
    ends: tuple[str, int, str, int],
    is_v1: bool,  # noqa: FBT001
    data: st.DataObject,
) -> None:
    peer, local = ends[:2], ends[2:]
    written = v1(peer, local) if is_v1 else v2(PROXY, TCP6 if ":" in peer[0] else TCP4, ips(peer, local))
    part = written[: data.draw(st.integers(0, len(written) - 1))]

    assert length_of(part) in (0, len(written))


@pytest.mark.parametrize("seed", range(4))
def test_random_headers_raise_nothing_but_the_one_error(seed: int) -> None:
    """100,000 in all: bytes changed in headers that are right, behind either signature, and any bytes."""
    made_up = random.Random(seed)  # noqa: S311
    right = [
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        checked(TCP4, PAIR + tlv(AUTHORITY, b"shop.example") + tls(7, 0, (SSL_CN, b"anna"), (SSL_VERSION, b"TLSv1.3"))),
        v2(PROXY, UNIX, paths(b"/run/a.sock", b"\0name") + tlv(UNIQUE_ID, b"id")),
        v2(PROXY, TCP6, ips(("::1", 1), ("::2", 2)) + tlv(ALPN, b"h2")),
    ]
    parsed = refused = 0
    for number in range(25_000):
        if number % 3 == 0:
            data = bytearray(made_up.choice(right))
            for _ in range(made_up.randint(0, 3)):
                data[made_up.randrange(len(data))] = made_up.getrandbits(8)
        else:
            rest = made_up.randbytes(made_up.choice((0, 1, 12, 40, 300)))
            sized = v2(made_up.choice((LOCAL, PROXY, PROXY)), made_up.choice((TCP4, TCP6, UNIX, 0)), rest)
            data = bytearray(made_up.choice((sized, SIGNATURE + rest, b"PROXY " + rest, b"PROXY TCP4 " + rest, rest)))
        try:
            length = length_of(bytes(data))
            assert 0 <= length <= MAX_HEADER_BYTES
            if 0 < length <= len(data):
                header = parse(bytes(data[:length]))
                assert header.raw == data[:length]
                parsed += 1
        except ProxyHeaderError as error:
            assert len(str(error)) < 1000  # noqa: PT017  # the line of a log
            refused += 1
    assert parsed > 1000
    assert refused > 1000
