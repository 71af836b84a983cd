"""The harness that the other tests rely on: it fails loudly and leaves no process behind."""

from __future__ import annotations

import pytest

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until


def test_pool_that_ends_before_it_is_ready_fails_the_test_with_its_stderr() -> None:
    pool = PoolProcess.serve("echo", wrapper=("sh", "-c", "echo it went wrong >&2; exit 3"))

    with pytest.raises(AssertionError, match="ended with status 3 before READY=1") as raised, pool:
        pass

    assert "it went wrong" in "".join(raised.value.__notes__)
    assert not pool.directory.exists()


def test_pool_that_is_never_ready_is_given_up_at_the_deadline() -> None:
    pool = PoolProcess.serve("echo", wrapper=("sh", "-c", "exec sleep 60"), wait=False)

    with pool, pytest.raises(AssertionError, match="no READY=1 within"):
        pool.wait_notified("READY=1", deadline_s=0.05)


def test_every_process_of_a_pool_is_ended_although_the_master_has_gone() -> None:
    pool = PoolProcess.serve("echo", wrapper=("sh", "-c", "sleep 60 & sleep 60 & exit 0"), wait=False)

    with pool:
        assert pool.wait() == 0
        assert len(pool.left_over()) == 2

    assert pool.left_over() == []


def test_waiting_names_the_condition_that_never_came() -> None:
    with pytest.raises(AssertionError, match=r"still not after 0\.05 s: the cows are home"):
        wait_until(lambda: False, 0.05, "the cows are home")
    with pytest.raises(AssertionError, match=r"test_harness\.py:\d+"):
        wait_until(lambda: False, 0.05)
