"""Streams of replies are cut into single ones, however they arrive."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.remote.splitter import TOO_LONG, BadReplyError, ReplySplitter

LINE = st.binary(max_size=20).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b""))
SCALAR = st.one_of(
    st.tuples(st.sampled_from([b"+", b"-", b":", b",", b"#", b"(", b"_"]), LINE).map(lambda t: t[0] + t[1] + b"\r\n"),
    st.tuples(st.sampled_from([b"$", b"=", b"!"]), st.binary(max_size=40)).map(
        lambda t: b"%b%d\r\n%b\r\n" % (t[0], len(t[1]), t[1])
    ),
    st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"%0\r\n", b"$0\r\n\r\n"]),
)


def nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    arrays = st.tuples(st.sampled_from([b"*", b"~", b">"]), st.lists(inner, max_size=4)).map(
        lambda t: b"%b%d\r\n%b" % (t[0], len(t[1]), b"".join(t[1]))
    )
    maps = st.lists(st.tuples(inner, inner), max_size=3).map(
        lambda pairs: b"%%%d\r\n%b" % (len(pairs), b"".join([one + two for one, two in pairs]))
    )
    attributes = st.tuples(inner, inner, inner).map(lambda t: b"|1\r\n%b%b%b" % t)
    return st.one_of(arrays, maps, attributes)


REPLY = st.recursive(SCALAR, nested, max_leaves=12)


def fed(splitter: ReplySplitter, stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    replies: list[bytes] = []
    for begin, end in itertools.pairwise(places):
        replies += splitter.feed(stream[begin:end])
    return replies


@given(st.lists(REPLY, max_size=8), st.lists(st.integers(0, 10_000), max_size=30))
def test_replies_are_the_same_however_the_stream_is_cut(replies: list[bytes], cuts: list[int]) -> None:
    assert fed(ReplySplitter(1 << 20), b"".join(replies), cuts) == replies


@given(st.lists(REPLY, max_size=8))
def test_replies_come_with_their_last_byte(replies: list[bytes]) -> None:
    splitter = ReplySplitter(1 << 20)

    for reply in replies:
        assert [each for byte in reply for each in splitter.feed(bytes([byte]))] == [reply]


@given(st.lists(REPLY, max_size=8), st.lists(st.integers(0, 10_000), max_size=30), st.integers(0, 60))
def test_a_reply_that_is_too_long_costs_no_other_one(replies: list[bytes], cuts: list[int], bound: int) -> None:
    got = fed(ReplySplitter(bound), b"".join(replies), cuts)

    assert len(got) == len(replies)
    for sent, came in zip(replies, got, strict=True):
        assert came in (sent, TOO_LONG)
        assert came == sent or len(sent) > bound


def test_a_long_reply_is_not_kept() -> None:
    splitter = ReplySplitter(1000)
    splitter.feed(b"*3\r\n$100000000\r\n")
    for _ in range(1000):
        assert splitter.feed(b"x" * 100_000) == []
        assert len(splitter._rest) < 101_000, "at most what came last"  # noqa: SLF001

    assert splitter.feed(b"\r\n:1\r\n$2\r\nok\r\n+next\r\n") == [TOO_LONG, b"+next\r\n"]


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n", b"$abc\r\n", b"*1\r\n" * 100, b"+" + b"x" * 70_000])
def test_what_is_no_reply_is_told(data: bytes) -> None:
    with pytest.raises(BadReplyError):
        ReplySplitter(1 << 20).feed(data)
