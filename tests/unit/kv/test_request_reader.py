"""Requests are read the same however they are cut: in machine code, by hiredis, and by their careful stand-in."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resp_streams import PIECES, SOUND, UNSOUND, outcome

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.options import KvOptions
from corepool_kv.redis.requests import CarefulReader, HiredisReader, ProtocolError, RequestLimits, RequestReader

READERS = pytest.mark.parametrize("reader_class", sorted({RequestReader, HiredisReader}, key=repr))
REQUESTS = st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=4), min_size=1, max_size=6)


@READERS
@given(requests=REQUESTS, data=st.data())
def test_requests_are_the_same_however_they_are_cut(
    reader_class: type[RequestReader], requests: list[list[bytes]], data: st.DataObject
) -> None:
    stream = b"".join(
        b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
        for words in requests
    )
    reader = reader_class(KvOptions())
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:size])
        stream = stream[size:]
        while (request := reader.next()) is not None:
            found.append(request)

    assert found == requests


def careful() -> CarefulReader:
    return CarefulReader(RequestLimits.of(KvOptions(), is_trusted=True))


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in cuts)})
    return [stream[begin:end] for begin, end in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(0, 200_000), max_size=5)


@READERS
@given(pieces=st.lists(SOUND, max_size=30), end=st.one_of(st.just(b""), UNSOUND), cuts=CUTS)
def test_a_reader_and_its_careful_stand_in_agree(
    reader_class: type[RequestReader], pieces: list[bytes], end: bytes, cuts: list[int]
) -> None:
    chunks = cut(b"".join(pieces) + end, cuts)

    assert outcome(reader_class(KvOptions()), chunks) == outcome(careful(), chunks)


@READERS
@given(pieces=st.lists(PIECES, max_size=30), cuts=CUTS)
def test_a_reader_makes_no_request_of_other_bytes(
    reader_class: type[RequestReader], pieces: list[bytes], cuts: list[int]
) -> None:
    chunks = cut(b"".join(pieces), cuts)
    found, _ = outcome(reader_class(KvOptions()), chunks)
    expected, _ = outcome(careful(), chunks)

    assert found == expected[: len(found)]


@READERS
def test_a_long_stream_that_is_never_cut_where_requests_end_is_not_kept(reader_class: type[RequestReader]) -> None:
    request = b"*2\r\n$4\r\nECHO\r\n$300\r\n" + b"\r\n*" * 100 + b"\r\n"
    stream = memoryview(request * 20_000)
    reader = reader_class(KvOptions())
    tracemalloc.start()
    try:
        found = 0
        for begin in range(0, len(stream), 65_521):
            reader.feed(bytes(stream[begin : begin + 65_521]))
            while reader.next() is not None:
                found += 1
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == 20_000
    assert most < 4_000_000


@READERS
@given(chunks=st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_raise_anything_but_a_protocol_error(reader_class: type[RequestReader], chunks: list[bytes]) -> None:
    reader = reader_class(KvOptions())
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (request := reader.next()) is not None:
                assert request
                assert all(type(word) is bytes for word in request)
    except ProtocolError:
        return


@READERS
@given(pieces=st.lists(SOUND.filter(lambda piece: len(piece) < 16_384), max_size=30), cuts=CUTS)
def test_a_stranger_is_read_as_others_are(
    reader_class: type[RequestReader], pieces: list[bytes], cuts: list[int]
) -> None:
    chunks = cut(b"".join(pieces), cuts)

    assert outcome(reader_class(KvOptions(), is_trusted=False), chunks) == outcome(careful(), chunks)


def test_a_pattern_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        glob = Glob(b"[\x01-\xfe]" * 13_107)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 10_000_000
    assert glob.matches(b"a" * 13_107)
    assert not glob.matches(b"a" * 13_106 + b"\xff")
