"""The count of the pool, without a pool: the clock is a number."""

from __future__ import annotations

from corepool_extensions.totals import PERIOD_NS, PoolCount


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
