"""The buckets by themselves: time is a number here."""

from __future__ import annotations

import pytest

from corepool_pace.buckets import Buckets


def test_a_burst_is_free_and_bytes_beyond_it_have_to_wait() -> None:
    buckets = Buckets(rate=100, burst=50, most=10)

    assert buckets.spend("a", 50, now=0) == 0
    assert buckets.spend("a", 100, now=0) == pytest.approx(1)


def test_a_debt_is_paid_by_waiting_and_no_more_than_a_burst_is_saved() -> None:
    buckets = Buckets(rate=100, burst=50, most=10)
    buckets.spend("a", 250, now=0)

    assert buckets.spend("a", 0, now=1) == pytest.approx(1)
    assert buckets.spend("a", 0, now=2) == 0
    assert buckets.spend("a", 51, now=1000) == pytest.approx(0.01)


def test_clients_pay_for_themselves() -> None:
    buckets = Buckets(rate=100, burst=0, most=10)
    buckets.spend("a", 1000, now=0)

    assert buckets.spend("b", 0, now=0) == 0


def test_the_buckets_are_bounded_and_shrink() -> None:
    buckets = Buckets(rate=1, burst=0, most=10)
    for number in range(100):
        buckets.spend(number, 1000, now=0)
    assert len(buckets) == 10

    for number in range(100, 110):
        buckets.spend(number, 0, now=10_000)
    assert len(buckets) == 1


def test_of_too_many_clients_that_is_forgotten_which_came_longest_ago() -> None:
    buckets = Buckets(rate=1, burst=0, most=3)
    for client in ("a", "b", "a", "c", "d"):
        buckets.spend(client, 1000, now=0)

    assert buckets.spend("a", 0, now=0) == pytest.approx(2000)
