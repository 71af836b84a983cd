"""Strings packed into one are taken apart again; a part of them is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.engine.packing import join, split


@given(st.lists(st.binary(max_size=20)))
def test_joined_strings_are_split(parts: list[bytes]) -> None:
    assert split(join(parts)) == parts


@given(st.lists(st.binary(max_size=20), max_size=4), st.binary(max_size=20), st.data())
def test_strings_that_are_cut_off_are_refused(parts: list[bytes], last: bytes, data: st.DataObject) -> None:
    whole, kept = join([*parts, last]), join(parts)
    size = data.draw(st.integers(len(kept) + 1, len(whole) - 1))
    with pytest.raises(ValueError, match="packed bytes"):
        split(whole[:size])
