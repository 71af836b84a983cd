"""The examples of RFC 7541, Appendix C: each is decoded as the RFC says, in the order of its section."""

from __future__ import annotations

import pytest

from corepool_http.http2.errors import Failure
from corepool_http.http2.hpack import Decoder, integer, string
from corepool_http.http2.response_blocks import encode_field, encode_integer, encode_string

REQUESTS = [
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
    [
        *[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
        ("cache-control", "no-cache"),
    ],
    [
        *[(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), (":authority", "www.example.com")],
        ("custom-key", "custom-value"),
    ],
]
FIRST_DATE, SECOND_DATE = "Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT"
LOCATION = ("location", "https://www.example.com")
RESPONSES = [
    [(":status", "302"), ("cache-control", "private"), ("date", FIRST_DATE), LOCATION],
    [(":status", "307"), ("cache-control", "private"), ("date", FIRST_DATE), LOCATION],
    [
        *[
            (":status", "200"),
            ("cache-control", "private"),
            ("date", SECOND_DATE),
            LOCATION,
            ("content-encoding", "gzip"),
        ],
        ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
    ],
]
SIZE_256 = "3fe101"

VECTORS = {
    "C.2.1": (["400a637573746f6d2d6b65790d637573746f6d2d686561646572"], [[("custom-key", "custom-header")]]),
    "C.2.2": (["040c2f73616d706c652f70617468"], [[(":path", "/sample/path")]]),
    "C.2.3": (["100870617373776f726406736563726574"], [[("password", "secret")]]),
    "C.2.4": (["82"], [[(":method", "GET")]]),
    "C.3": (
        [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ],
        REQUESTS,
    ),
    "C.4": (
        [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ],
        REQUESTS,
    ),
    "C.5": (
        [
            SIZE_256 + "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
            "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            (
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a"
                "4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31"
            ),
        ],
        RESPONSES,
    ),
    "C.6": (
        [
            SIZE_256 + "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97"
            "c8e9ae82ae43d3",
            "4883640effc1c0bf",
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5"
                "af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"
            ),
        ],
        RESPONSES,
    ),
}


@pytest.mark.parametrize("section", VECTORS)
def test_blocks_are_decoded_as_in(section: str) -> None:
    decoder = Decoder()
    blocks, lists = VECTORS[section]
    for block, expected in zip(blocks, lists, strict=True):
        data, fields = bytes.fromhex(block), []
        decoder.begin()
        assert decoder.decode(data, 0, fields, 65_536, False) == len(data)
        assert [(name.decode(), value.decode()) for name, value in fields] == expected
        assert decoder.fault is None


@pytest.mark.parametrize(
    ("value", "bits", "encoded"), [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")], ids=["C.1.1", "C.1.2", "C.1.3"]
)
def test_integers_are_encoded_as_in(value: int, bits: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode_integer(value, bits, 0) == data
    prefix = (1 << bits) - 1
    assert data[0] == value or integer(data, 1, prefix) == (value, len(data))


@pytest.mark.parametrize("bits", [4, 5, 6, 7])
@pytest.mark.parametrize("more", [0, 1, 127, 128, 2**14, 2**28 + 5, 2**31 - 1, 2**31, 2**32, 2**32 + 3, 2**35 - 1])
def test_large_integers_are_read_as_they_are(bits: int, more: int) -> None:
    """In machine code, too, where a number has so many bits: 2^32 + 3 must not be 3, of which a proxy knows nothing."""
    prefix = (1 << bits) - 1
    data = encode_integer(prefix + more, bits, 0)
    assert integer(data, 1, prefix) == (prefix + more, len(data))


@pytest.mark.parametrize("size", [2**28, 2**32 + 3, 2**35])
def test_a_string_that_claims_gigabytes_is_refused(size: int) -> None:
    with pytest.raises(Failure):
        string(encode_integer(size, 7, 0) + b"abc", 0)
    with pytest.raises(Failure):
        Decoder().decode(encode_integer(size, 7, 0x80), 0, [], 1000, False)
    with pytest.raises(Failure):
        Decoder().decode(encode_integer(size, 5, 0x20), 0, [], 1000, False)


def test_strings_and_fields_are_encoded_in_their_shortest_form() -> None:
    assert encode_string(b"www.example.com") == bytes.fromhex("8cf1e3c2e5f23a6ba0ab90f4ff")  # C.4.1
    assert encode_string(b"\x00\xff") == b"\x02\x00\xff"
    assert encode_field(b":status", b"200") == b"\x88"
    assert encode_field(b"set-cookie", b"a")[0] & 0xF0 == 0x10, "a cookie is never indexed (7.1.3)"
