"""Processes that keep a core busy half of the time: the load of `paced`, for servers that answer no requests.

`... burning`, until it is ended. Each of four burns as long as four requests of 0.1 ms take, and pauses seven times as
long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.processes import pinned
from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSES = 4
BURN_S = 0.0004


@contextmanager
def running(core: int) -> Iterator[None]:
    """Have a core burn meanwhile.

    :raises BenchError: the load ended by itself.
    """
    with pinned(core):
        processes = [subprocess.Popen([sys.executable, "-m", __name__]) for _ in range(PROCESSES)]  # noqa: S603
    try:
        yield
        if any(process.poll() is not None for process in processes):
            raise BenchError(f"{__name__}: ended by itself")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _burn() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        began, ends = time.monotonic(), time.thread_time() + BURN_S
        while time.thread_time() < ends:
            pass
        time.sleep((2 * PROCESSES - 1) * (time.monotonic() - began))


if __name__ == "__main__":
    _burn()
