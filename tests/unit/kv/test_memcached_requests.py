"""Requests of memcached's protocol come out the same however the input is cut, and what they keep is bounded."""

from __future__ import annotations

import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.memcached.requests import BinaryError, LineTooLongError, RequestReader

MAX_LINE, MAX_ITEM = 100, 20

LINE = st.sampled_from(
    [
        b"get a b\r\n",
        b"get a\n",
        b"\r\n",
        b"mn\r\n",
        b"set a 0 0 3\r\nabc\r\n",
        b"set  a 0  0 3 noreply\r\n\r\n\0\r\n",
        b"set a 0 0 0\r\n\r\n",
        b"ms a 2 c k\r\nab\r\n",
        b"ms a S2\r\n",
        b"set a 0 0 -1\r\n",
        b"set a 0 0 99999999999\r\n",
        b"set a 0 0 21\r\n" + b"x" * 21 + b"\r\n",
        b"add a 0 0 500\r\n" + b"mn\r\n" * 125 + b"\r\n",
        b"set a 0 0 3\r\nabcd\r\n",
        b"add a 0 0 30\r\n" + b"x" * 31 + b"\r\n",
        b"quit \r\n",
    ]
)


class Read(NamedTuple):
    words: list[bytes]
    value: bytes | None = None
    is_too_large: bool = False
    is_broken: bool = False


def read_all(reader: RequestReader, data: bytes) -> list[Read]:
    reader.feed(data)
    requests = iter(reader.next, None)
    return [Read(each.words, each.value, each.is_too_large, each.is_broken) for each in requests]


@given(st.lists(LINE, max_size=8).map(b"".join), st.data())
def test_any_cut_gives_the_same_requests(stream: bytes, data: st.DataObject) -> None:
    whole = read_all(RequestReader(MAX_LINE, MAX_ITEM), stream)
    reader = RequestReader(MAX_LINE, MAX_ITEM)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    parts = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert [request for part in parts for request in read_all(reader, part)] == whole


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_requests_or_one_of_two_errors(parts: list[bytes]) -> None:
    reader = RequestReader(MAX_LINE, MAX_ITEM)
    try:
        for part in parts:
            read_all(reader, part)
    except (LineTooLongError, BinaryError):
        pass


def test_values() -> None:
    reader = RequestReader(MAX_LINE, MAX_ITEM)
    requests = read_all(
        reader, b"set a 1 2 3\r\nabc\r\ncas b 0 0 1 7\r\nxyz\r\nadd c 0 0 21\r\n" + b"x" * 21 + b"\r\nmn\n"
    )

    assert requests == [
        Read([b"set", b"a", b"1", b"2", b"3"], b"abc"),
        Read([b"cas", b"b", b"0", b"0", b"1", b"7"], is_broken=True),
        Read([]),  # bytes behind a value that ends elsewhere are a line, as in memcached
        Read([b"add", b"c", b"0", b"0", b"21"], is_too_large=True),
        Read([b"mn"]),
    ]
    assert reader.is_empty


def test_a_refused_line_takes_its_value_with_it() -> None:
    long = b"k" * 60
    assert [
        each.words[0]
        for each in read_all(RequestReader(MAX_LINE, MAX_ITEM), b"set %b 0 0 9\r\nflush_all\r\nmn\r\n" % long)
    ] == [
        b"set",
        b"mn",
    ]


@pytest.mark.parametrize("line", [b"get " + b"a" * 97 + b"\r\n", b"get " + b"a" * 97, b" " * 101])
def test_a_line_that_is_too_long_is_refused_as_soon_as_it_is(line: bytes) -> None:
    reader = RequestReader(MAX_LINE, MAX_ITEM)
    assert read_all(reader, line[:MAX_LINE]) == []
    with pytest.raises(LineTooLongError):
        read_all(reader, line[MAX_LINE:])


def test_a_value_that_is_dropped_is_not_kept() -> None:
    reader = RequestReader(MAX_LINE, MAX_ITEM)
    assert read_all(reader, b"set a 0 0 1000000000\r\n") == []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            assert read_all(reader, b"x" * 10_000) == []
        assert tracemalloc.get_traced_memory()[0] < before + 8000
    finally:
        tracemalloc.stop()


def test_the_binary_protocol_is_told_by_its_first_byte() -> None:
    header = b"\x80\x00\x00\x01" + bytes(20)
    with pytest.raises(BinaryError) as caught:
        read_all(RequestReader(MAX_LINE, MAX_ITEM), header + b"a")
    assert caught.value.header == header
    assert read_all(RequestReader(MAX_LINE, MAX_ITEM), b"get \x80\r\n\x80\r\n") == [
        Read([b"get", b"\x80"]),
        Read([b"\x80"]),
    ]
