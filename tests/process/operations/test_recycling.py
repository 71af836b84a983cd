"""Workers that have served long enough are replaced, and no client notices."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from http_client import get
from http_load import Load
from operated import APPLICATION, start, write

from corepool.config.settings import PoolSettings
from corepool.master.recycling import SAMPLES, Limits, Usage
from corepool.spec.sizes import parse_size
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

GROWS = """
kept = []

def app(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        kept.append(b"x" * 30_000_000)
    start_response("200 OK", [])
    return [b"%d" % len(kept)]
"""
IDLE = Usage(requests=0, connections=0, age_s=0, memory=0)


def recycled(running: PoolProcess) -> int:
    return running.stderr.count("cause=recycled ")


@pytest.mark.parametrize("limit", ["recycle_requests = 30", "recycle_connections = 10", 'recycle_age = "1s"'])
def test_workers_are_recycled_under_load(pool: Pools, limit: str) -> None:
    wanted = int(os.environ.get("TEST_RECYCLES", "8"))
    running = start(pool, workers=4, lines=f"surge = 4\n{limit}")
    first = set(running.workers())
    with Load(running.urls()[0]) as load:
        wait_until(lambda: recycled(running) >= wanted, DEADLINE_S + wanted)
        assert len(running.workers()) >= 4, "never fewer than there should be"
    assert load.failures == []
    assert not first & set(running.workers())
    assert running.status()["totals"]["restarts"] == 0
    wait_until(lambda: len(running.status()["workers"]) == 4)


def test_a_worker_that_grows_is_recycled(pool: Pools) -> None:
    running = start(pool, workers=1, lines='recycle_memory = "60MiB"', application=GROWS)
    [pid] = running.workers()
    with Load(running.urls()[0]) as load:
        assert get(running, "/grow").body == b"1"
        assert get(running, "/grow").body == b"2"
        wait_until(lambda: recycled(running) == 1)
    assert load.failures == []
    running.wait_logged(f'pid={pid} reason="', "MiB of memory")
    assert get(running, "/").body == b"0"


def test_a_worker_that_grows_beyond_all_bounds_is_killed(pool: Pools) -> None:
    running = start(pool, workers=1, lines='recycle_memory_hard = "60MiB"\nrespawn_delay = "1ms"', application=GROWS)
    get(running, "/grow")
    get(running, "/grow")
    running.wait_logged('cause="too much memory"')
    wait_until(lambda: running.workers() and get(running, "/").body == b"0")


def test_a_worker_whose_replacement_cannot_start_goes_on(pool: Pools) -> None:
    running = start(pool, workers=1, lines="recycle_requests = 3")
    pids = running.workers()
    write(running, "1 // 0\n")
    for _ in range(5):
        get(running, "/")
    running.wait_logged("replacement_boot_failed slot=0")
    assert running.workers() == pids
    assert get(running, "/").body == b"one"
    write(running, APPLICATION % "two")


def test_limits_differ_by_their_jitter() -> None:
    pool = PoolSettings(recycle_requests=100, recycle_age=10, recycle_jitter=0.5)
    assert Limits(pool, 0).reason(IDLE._replace(requests=100)) == "100 requests"
    assert Limits(pool, 1).reason(IDLE._replace(requests=149)) == ""
    assert Limits(pool, 1).reason(IDLE._replace(requests=150)) == "150 requests"
    assert Limits(pool, 0.5).reason(IDLE._replace(age_s=12.4)) == ""
    assert Limits(pool, 0.5).reason(IDLE._replace(age_s=12.5)) == "12 s old"
    assert Limits(PoolSettings(), 0).reason(Usage(10**9, 10**9, 10**9, 10**12)) == ""


def test_memory_counts_when_it_stays_high() -> None:
    limits = Limits(PoolSettings(recycle_memory=100), 0)
    high = IDLE._replace(memory=101)
    assert [limits.reason(high) for _ in range(SAMPLES - 1)] == [""] * (SAMPLES - 1)
    assert limits.reason(IDLE) == ""
    assert [bool(limits.reason(high)) for _ in range(SAMPLES)] == [False] * (SAMPLES - 1) + [True]


def test_sizes() -> None:
    assert [parse_size(text) for text in ("0", "64KiB", "512 MiB", "2GiB", 7)] == [0, 2**16, 2**29, 2**31, 7]
    for text in ("", "MiB", "1MB", "-1", "1.5GiB", True, None, 1.0):
        with pytest.raises(ValueError, match="expected a size"):
            parse_size(text)
