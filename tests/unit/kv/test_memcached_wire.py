"""Machine code and Python cut lines into the same words, and make the same replies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.memcached.wire import value_reply, value_reply_in_python, words_of, words_of_in_python

LINE = st.lists(st.sampled_from([b"get", b"a", b" ", b"  ", b"\r", b"\0", b"\xff"]), max_size=8).map(b"".join)


@given(LINE, LINE, LINE)
def test_words(before: bytes, line: bytes, behind: bytes) -> None:
    data, begin = before + line + b"\n" + behind, len(before)
    words = words_of(data, begin, begin + len(line))
    assert words == words_of_in_python(data, begin, begin + len(line))
    assert words == [word for word in line.removesuffix(b"\r").split(b" ") if word]


@given(st.binary(max_size=250), st.integers(0, 2**32 - 1), st.binary(max_size=300), st.sampled_from([b"", b"END\r\n"]))
def test_the_reply_that_has_an_item(key: bytes, flags: int, value: bytes, end: bytes) -> None:
    assert value_reply(key, flags, value, end) == value_reply_in_python(key, flags, value, end)
