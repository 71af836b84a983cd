"""Which connections are memcached's, wherever the network cuts their first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.memcached.recognition import is_memcached

OURS = [
    b"get a\r\n",
    b"set key 0 0 5\r\nhello\r\n",
    b"version\r\n",
    b"quit\n",
    b"mn\r\n",
    b"mg k v\r\n",
    b"\x80\x0b\0\0",
    b"gat 10 a\r\n",
    b"get " + b"k" * 2000,
]
OTHERS = [
    b"GET / HTTP/1.1\r\n",
    b"get / HTTP/1.1\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"PING\r\n",
    b"getx\r\n",
    b"\r\n",
    b"ms-sql\r\n",
    b"\0" * 1024,
]


@pytest.mark.parametrize(("data", "expected"), [(each, True) for each in OURS] + [(each, False) for each in OTHERS])
def test_first_bytes(data: bytes, expected: bool) -> None:  # noqa: FBT001
    assert is_memcached(data) is expected


@given(st.sampled_from(OURS + OTHERS), st.data())
def test_more_bytes_change_no_answer(data: bytes, draw: st.DataObject) -> None:
    begin = data[: draw.draw(st.integers(1, len(data)))]
    assert is_memcached(begin) in (None, is_memcached(data))
