"""Rates and totals, without a pool: the clock is a number."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from corepool_extensions.buckets import Buckets
from corepool_extensions.totals import PERIOD_NS, PoolCount

SECOND = 1_000_000_000


class PlainBucket:
    """Tokens and a refill, as the textbooks have it, in exact arithmetic."""

    def __init__(self, rate: int, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = Fraction(burst), 0

    def take(self, now_ns: int) -> bool:
        self._tokens = min(Fraction(self._burst), self._tokens + Fraction((now_ns - self._at) * self._rate, SECOND))
        self._at = now_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@given(
    st.sampled_from([1, 2, 5, 10, 1000]),  # whose intervals are whole nanoseconds
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * SECOND))),
)
def test_buckets_give_what_plain_buckets_give(rate: int, burst: int, steps: list[tuple[str, int]]) -> None:
    buckets, plain, now = Buckets(rate, burst, 100), {key: PlainBucket(rate, burst) for key in "abc"}, 0
    for key, passed in steps:
        now += passed

        assert buckets.take(key, now) is plain[key].take(now)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, SECOND)), max_size=200), st.integers(1, 10))
def test_the_table_never_outgrows_its_bound(steps: list[tuple[int, int]], most: int) -> None:
    buckets, now = Buckets(1, 2, most), 0
    for key, passed in steps:
        now += passed
        buckets.take(key, now)

        assert len(buckets) <= most


def test_after_a_flood_the_table_shrinks_again() -> None:
    buckets = Buckets(10, 10, 1000)
    for key in range(1000):
        buckets.take(key, 0)
    for key in range(1000, 2100):
        buckets.take(key, 10 * SECOND + key * SECOND)

    assert len(buckets) <= 2


def test_one_that_is_still_refused_is_forgotten_after_those_that_gave_before_it() -> None:
    buckets = Buckets(1, 1, 3)
    assert [buckets.take(key, 0) for key in "abcb"] == [True, True, True, False]
    buckets.take("d", 1)

    assert [buckets.take(key, 2) for key in "bcd"] == [False, False, False]
    assert buckets.take("a", 3)


def test_the_pool_is_asked_seldom_and_what_happened_here_is_known_at_once() -> None:
    published = [10]
    reads: list[int] = []

    def read() -> int:
        reads.append(published[0])
        return published[0]

    count = PoolCount(read)
    assert [count.begin(0), count.held] == [True, 11]
    published[0] = 11
    count.read_again()
    assert count.held == 11
    assert [count.begin(PERIOD_NS - 1), count.held] == [False, 12]
    count.end()
    count.end()
    assert count.held == 10
    published[0] = 50
    assert [count.begin(PERIOD_NS), count.held] == [True, 51]
    assert len(reads) == 3


def test_of_too_many_the_one_that_gave_longest_ago_is_forgotten() -> None:
    buckets = Buckets(1, 2, 2)
    assert [buckets.take(key, 0) for key in "abac"] == [True] * 4

    assert not buckets.take("a", 0)
