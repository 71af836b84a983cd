"""Connections on their way to another process, as bytes: a round trip, and records that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.ipc.frozen import (
    MAX_FROZEN,
    Frozen,
    State,
    crash_slot_of,
    header_of,
    lost,
    restamped,
    with_crash_slot,
)

TIMES = st.floats(min_value=0, allow_infinity=False)
COUNTS = st.integers(0, 2**64 - 1)
STATES = st.builds(State, st.text(max_size=20), st.integers(0, 65_535), st.binary(max_size=100))
FROZEN = st.builds(
    Frozen,
    st.integers(0, 2**32 - 1),
    TIMES,
    TIMES,
    TIMES,
    COUNTS,
    COUNTS,
    st.booleans(),
    st.booleans(),
    st.text(max_size=20),
    st.lists(STATES, max_size=4).map(tuple),
    st.binary(max_size=4096),
)


@given(FROZEN, st.integers(0, 2**32 - 1))
def test_a_connection_arrives_as_it_left(frozen: Frozen, crash_slot: int) -> None:
    record = frozen.encode()

    assert Frozen.decode(record) == frozen
    assert crash_slot_of(record) == frozen.crash_slot
    assert Frozen.decode(with_crash_slot(record, crash_slot)) == frozen._replace(crash_slot=crash_slot)
    assert header_of(record) == header_of(restamped(record, 1.0, 2)) == frozen.header
    known = Frozen.decode(lost(record))
    assert (known.header, known.protocol, known.is_lost) == (frozen.header, frozen.protocol, True)


@given(FROZEN, st.data())
def test_a_record_that_is_cut_short_is_refused(frozen: Frozen, data: st.DataObject) -> None:
    record = frozen.encode()
    part = record[: data.draw(st.integers(0, len(record) - 1))]

    with pytest.raises(ValueError):  # noqa: PT011  # of no frozen connection, or of its UTF-8
        Frozen.decode(part)
    assert header_of(part) == b""


@given(st.binary(max_size=300))
def test_any_bytes_are_a_connection_or_a_value_error(record: bytes) -> None:
    try:
        assert len(Frozen.decode(record).encode()) == len(record)
    except ValueError:
        assert header_of(record) == b""


def test_too_long_a_header_is_refused_as_too_long_a_state_is() -> None:
    frozen = Frozen.decode(lost(b""))._replace(header=bytes(MAX_FROZEN))
    with pytest.raises(ValueError, match="at most"):
        frozen.encode()
