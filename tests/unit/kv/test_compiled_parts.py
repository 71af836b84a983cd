"""Small parts of the kv store that exist in Python and in machine code do the same."""

from __future__ import annotations

import time

import pytest

from corepool_kv.engine import clock
from corepool_kv.redis.replies import bulk_string, bulk_string_in_python


@pytest.mark.parametrize("size", [0, 1, 9, 10, 99, 100, 65_535, 1_000_000])
def test_a_bulk_string(size: int) -> None:
    value = bytes(index & 0xFF for index in range(size))
    assert bulk_string(value) == bulk_string_in_python(value) == b"$%d\r\n%b\r\n" % (size, value)


@pytest.mark.parametrize("milliseconds", [clock.milliseconds, clock.milliseconds_in_python])
def test_milliseconds_since_the_epoch(milliseconds: object) -> None:
    assert callable(milliseconds)
    before = time.time_ns() // 1_000_000
    assert before <= milliseconds() <= time.time_ns() // 1_000_000


def test_seconds_of_the_clock_that_is_never_set() -> None:
    before = time.monotonic_ns() // 1000
    assert before <= int(clock.seconds() * 1e6) + 1
    assert int(clock.seconds() * 1e6) <= time.monotonic_ns() // 1000 + 1
