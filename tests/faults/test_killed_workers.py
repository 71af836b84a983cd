"""Workers are killed at any moment of their lives: others go on, successors come, and nothing of the dead one stays."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import probe
import pytest

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


def uptime(running: PoolProcess, pid: int) -> float:
    return next(each["uptime"] for each in running.status()["workers"] if each["pid"] == pid)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_successor_of_a_worker_that_has_served_does_not_wait(pool: Pools, workers: int) -> None:
    """The only one need not have served longer than it took to start, others a second."""
    running = pool(probe.config(workers=workers).replace('"1ms"', '"10m"'), files=probe.files())
    for _ in range(2):
        victim = running.workers()[0]
        since = uptime(running, victim)
        enough = 2 * since if workers == 1 else since + 1.1
        wait_until(lambda victim=victim, enough=enough: uptime(running, victim) >= enough)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: len(pids := running.workers()) == workers and victim not in pids)
