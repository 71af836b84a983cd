"""Pieces of a stream to a kv server: requests, near misses, and anything; and the requests that a reader finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from corepool_kv.redis.requests import ProtocolError

if TYPE_CHECKING:
    from corepool_kv.redis.requests import CarefulReader, RequestReader

SOUND = st.one_of(
    st.sampled_from(
        [b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nECHO\r\n$9\r\n*9999999\n\r\n", b"PING a\r\n", b"\r\n", b"*0\r\n"]
    ),
    st.builds(lambda size: b"*1\r\n$%d\r\n%b\r\n" % (size, b"*" * size), st.integers(0, 40_000)),
)

UNSOUND = st.one_of(
    st.sampled_from([b"*10000000\r\n", b"*1\r\n:1\r\n", b"*1\r\n*10000000\r\n", b"'a\n", b"*1\r\n$-1\r\n", b"*x\r\n"]),
    st.sampled_from([b">10000000\r\n", b"*1\r\n>10000000\r\n", b"*2\r\n$1\r\na\r\n\r\n"]),
)

PIECES = st.one_of(
    SOUND, UNSOUND, st.sampled_from([b"*", b"$", b">", b"1", b"\r\n", b"*1\r\n", b"$4\r\n"]), st.binary(max_size=8)
)


def outcome(reader: RequestReader | CarefulReader, chunks: list[bytes]) -> tuple[list[list[bytes]], str]:
    """Return the requests in the chunks, and the error at the end."""
    found = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (request := reader.next()) is not None:
                found.append(request)
    except ProtocolError as error:
        return found, str(error)
    return found, ""
