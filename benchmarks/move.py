"""`python -m benchmarks.move`: how long 10,000 idle connections take to move, and what the others notice of it.

A pool of two workers holds them; beside them a few connections ask without a pause. Then the pool is told to reload.
The slowest answer is compared with that of the same time before, on the same connections.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.processes import Cores, pinned
from corepool.testing.pool import PoolProcess

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE, ASKING = 10_000, 4
BEFORE_S, AFTER_S = 2.0, 2.0
TOML = '[pool]\nworkers = 2\n[[listener]]\nname = "echo"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'


@dataclass
class Answers:
    """Moments and latencies in seconds."""

    moments: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def slowest(self, since: float, until: float) -> float:
        """Give the longest latency of what was asked in a time."""
        return max(each for at, each in zip(self.moments, self.latencies, strict=True) if since <= at < until)


async def ask(port: int, answers: Answers, stop: asyncio.Event) -> None:
    """Ask, and ask again when the answer is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not stop.is_set():
        asked = time.monotonic()
        writer.write(b"x" * 16)
        await reader.readexactly(16)
        answers.moments.append(asked)
        answers.latencies.append(time.monotonic() - asked)
        await asyncio.sleep(0.001)
    writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nothing announces, while others ask."""
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def measure(pool: PoolProcess) -> dict[str, float]:
    """Move them once."""
    port = int(pool.urls()[0].rpartition(":")[2])
    idle = []
    for _ in range(IDLE):
        idle.append(socket.create_connection(("127.0.0.1", port)))
        await asyncio.sleep(0)
    await until(lambda: pool.status()["totals"]["accepted"] >= IDLE)
    answers, stop = Answers(), asyncio.Event()
    askers = [asyncio.create_task(ask(port, answers, stop)) for _ in range(ASKING)]
    began = time.monotonic()
    await asyncio.sleep(BEFORE_S)
    reloaded = time.monotonic()
    pool.send_signal(signal.SIGHUP)
    await until(lambda: pool.status()["totals"]["moved"] >= IDLE + ASKING)
    took_s = time.monotonic() - reloaded
    await asyncio.sleep(AFTER_S)
    stop.set()
    await asyncio.gather(*askers)
    for sock in idle:
        sock.sendall(b"alive")
        assert sock.recv(5) == b"alive"
        sock.close()
    return {
        "connections": IDLE,
        "took_s": round(took_s, 3),
        "slowest_before_ms": round(answers.slowest(began, reloaded) * 1000, 1),
        "slowest_meanwhile_ms": round(answers.slowest(reloaded, reloaded + took_s) * 1000, 1),
    }


def main() -> None:
    """Measure, and print."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, IDLE * 3)), hard))
    cores = Cores.pick()
    with pinned(cores.server):
        pool = PoolProcess.run(TOML).__enter__()
    try:
        with pinned(cores.load):
            sys.stdout.write(json.dumps(asyncio.run(measure(pool)), indent=2) + "\n")
        pool.stop()
    finally:
        pool.__exit__(None, None, None)


if __name__ == "__main__":
    main()
