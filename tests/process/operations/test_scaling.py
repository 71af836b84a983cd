"""The number of workers follows the load, slowly, and no client notices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from http_load import Load
from operated import CONFIG, corepool, start
from pydantic import ValidationError

from corepool import PoolLoad
from corepool.testing.waiting import wait_until
from corepool_scale import Busyness, Fixed

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

SLOW = """
import time

def app(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [])
    return [b"slow"]
"""


def decide(scaler: Busyness, workers: int, *samples: float, ready: int | None = None) -> list[int]:
    loads = [PoolLoad(workers, workers if ready is None else ready, busyness, 0, 1, 8, 1.0) for busyness in samples]
    return [scaler.decide(load) for load in loads]


def test_the_pool_follows_its_load(pool: Pools) -> None:
    running = start(
        pool,
        workers="{ min = 1, max = 3 }",
        lines='scaler = "busyness"\nscaler_options = { up_after = 1, down_after = 2 }',
        application=SLOW,
    )
    assert len(running.workers()) == 1
    # So many that requests always wait, on a busy machine as well: it delays the clients.
    with Load(running.urls()[0], clients=12) as load:
        wait_until(lambda: len(running.workers()) == 3)
    wait_until(lambda: len(running.status()["workers"]) == 1)
    assert load.failures == []
    decisions = re.findall(r"scaler_decided pool=main workers=(\d) was=(\d)", running.stderr)
    assert {("2", "1"), ("3", "2"), ("2", "3"), ("1", "2")} == set(decisions)
    assert running.status()["totals"]["restarts"] == 0


def test_it_waits_for_some_samples_in_a_row() -> None:
    scaler = Busyness(Busyness.Options(up_after=3, down_after=4))
    assert decide(scaler, 2, 0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.9) == [2, 2, 2, 2, 2, 3, 2]
    assert decide(scaler, 2, 0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1, 0.1) == [2] * 7 + [1]


def test_it_takes_none_away_that_would_be_missed() -> None:
    scaler = Busyness(Busyness.Options(down_after=1))
    assert decide(scaler, 2, 0.21) == [2], "one alone would be busy for 0.42 of its time"
    assert decide(scaler, 2, 0.19) == [1]
    assert decide(scaler, 1, 0.0) == [1]


def test_it_waits_for_those_that_start() -> None:
    scaler = Busyness(Busyness.Options(up_after=1))
    assert decide(scaler, 2, 1.0, 1.0, ready=1) == [2, 2]


def test_marks_that_would_swing_are_refused() -> None:
    with pytest.raises(ValidationError, match="the pool would swing"):
        Busyness.Options(low=0.7, high=0.7)
    assert Fixed().decide(PoolLoad(3, 3, 1.0, 0, 1, 8, 1.0)) == 3


@pytest.mark.parametrize(
    ("workers", "lines", "says"),
    [
        ("{ min = 3, max = 2 }", 'scaler = "busyness"', "more than pool.workers.max"),
        ("{ min = 1, max = 2 }", "", 'pool.scaler = "fixed": workers is a range'),
        ("2", 'scaler = "busyness"', "workers leaves no choice"),
        ("{ min = 1, max = 2 }", 'scaler = "busy"', "did you mean"),
        ("{ max = 2 }", 'scaler = "busyness"\nscaler_options = { low = 0.9 }', "the pool would swing"),
        ("{ min = 1 }", 'scaler = "busyness"', "max"),
    ],
)
def test_mistakes_are_told(pool: Pools, workers: str, lines: str, says: str) -> None:
    running = start(pool)
    (running.directory / "corepool.toml").write_text(CONFIG.format(workers=workers, dispatcher="kernel", pool=lines))
    done = corepool(running, "reload")
    assert done.returncode == 1
    assert says in done.stderr
