"""The watchdog's timer, in a process of its own; test_supervision.py has what it is for."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUSY = """
import asyncio, time
from corepool.worker.watchdog import Watchdog
loop = asyncio.new_event_loop()
watchdog = Watchdog(loop, 0.01, 0.01)
{before}
began = time.thread_time()
while time.thread_time() < began + 2.3:
    pass
loop.close()
"""


@pytest.mark.parametrize(("before", "status"), [("", -9), ("watchdog.disarm()", 0)])
def test_it_ends_a_worker_that_is_busy_and_does_not_turn_until_it_is_disarmed(before: str, status: int) -> None:
    code = BUSY.format(before=before)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == status  # noqa: S603 - our own words
