"""Commands that are too large or have no end are refused where Redis refuses them, and however they are cut."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kv_client import encode
from resp_streams import outcome
from test_inline_same_as_redis import ODD, STREAM, WORDS

from corepool.testing.sockets import connect, receive_all
from corepool_kv.redis.options import KvOptions
from corepool_kv.redis.requests import ProtocolError, RequestReader

if TYPE_CHECKING:
    from conftest import Pair

LINE_BYTES = 65_536

ENDLESS = {
    "array": b"*" + b"1" * LINE_BYTES,
    "word": b"*1\r\n$" + b"1" * LINE_BYTES,
    "second word": b"*2\r\n$4\r\nECHO\r\n$" + b"1" * LINE_BYTES,
    "other type": b"*1\r\n+" + b"1" * LINE_BYTES,
    "line": b"x" * (LINE_BYTES + 1),
    "line with a NUL": b"\0\n" + b"x" * (LINE_BYTES - 1),
    "array with a NUL": b"*1\0\r\n" + b"x" * (LINE_BYTES - 4),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_header_or_a_line_without_an_end_is_refused_where_redis_refuses_it(pair: Pair, name: str) -> None:
    expected, got = pair.ask(ENDLESS[name])

    assert got == expected
    assert b"Protocol error: too big" in got
    assert pair.ask(ENDLESS[name][:-1]) == (b"", b"") or name == "second word"


@pytest.mark.parametrize("name", ENDLESS)
def test_it_is_refused_at_the_same_byte_when_each_comes_alone(name: str) -> None:
    reader = RequestReader(KvOptions())
    for byte in ENDLESS[name][:-1]:
        reader.feed(bytes((byte,)))
        assert reader.next() is None
    reader.feed(ENDLESS[name][-1:])
    with pytest.raises(ProtocolError, match="too big"):
        reader.next()


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"*2\r\n$4\r\nECHO\r\n$2000000000\r\n", b"invalid bulk length"),
        (b"*2\r\n$4\r\nECHO\r\n$67108865\r\n", b"request of more than 67108864 bytes"),
        (b"*3\r\n$3\r\nSET\r\n$40000000\r\n" + b"x" * 40_000_000 + b"\r\n$40000000\r\n", b"request of more than"),
        (b"*1048577\r\n", b"invalid multibulk length"),
        (b"*1000000000\r\n", b"invalid multibulk length"),
    ],
)
def test_an_announced_size_that_is_too_large_is_refused_at_once(pair: Pair, stream: bytes, words: bytes) -> None:
    with connect(pair.ours.urls()[0]) as sock:
        sock.sendall(stream)
        assert receive_all(sock).startswith(b"-ERR Protocol error: " + words)


PIECES = st.one_of(
    WORDS,
    ODD,
    STREAM,
    st.just(encode(("SET", "a", "+1"))),
    st.just(encode(("SET", "a", "\r\n+1\r\n*1\r\n"))),
    st.just(encode(("SET", "a", "\n=" * 4000))),
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 30_000), max_size=6))
@example(b"*1\r\n+PING\r\n", [])
@example(encode(("SET", "a", "+1")) * 3 + b"*1\r\n=8\r\ntxt:PING\r\n", [70])
def test_any_cut_gives_the_same_requests_and_the_same_error(stream: bytes, cuts: list[int]) -> None:
    options = KvOptions(max_request=10_000)
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in cuts)})
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(edges)]
    bytewise = outcome(RequestReader(options), [stream[place : place + 1] for place in range(len(stream))])

    assert outcome(RequestReader(options), chunks) == bytewise
    assert outcome(RequestReader(options), [stream]) == bytewise
