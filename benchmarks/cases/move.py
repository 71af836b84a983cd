"""How long 10,000 idle connections take to move at a reload, and what the others notice of it.

A pool of two workers holds them; beside them a few connections ask without a pause. Then the pool is told to reload.
The slowest answer is compared with that of the time before, on the same connections.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.processes import pinned, raise_descriptor_limit
from benchmarks.results import BenchError, Comparison, Figure, Sample, Target
from benchmarks.servers import corepool
from corepool.cli.client import ask as ask_pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.servers import Running
    from benchmarks.turns import Bench

ROWS = ("moving", "beside moving")
IDLE, ASKING = 10_000, 4
SPARE_DESCRIPTORS = 1_000
ROUNDS, QUICK_ROUNDS = 3, 1
BEFORE_S, AFTER_S = 2.0, 2.0
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Moved:
    """The observations of one reload; times in seconds."""

    took_s: float
    slowest_before_s: float
    slowest_meanwhile_s: float


def run(bench: Bench) -> list[Comparison]:
    """Move them, and tell how long that took, and how long the slowest answers took."""
    raise_descriptor_limit(IDLE + SPARE_DESCRIPTORS)
    pool = corepool("echo", "least-connections", workers=2)

    def measure(running: Running) -> Moved:
        with pinned(bench.cores.load):
            return asyncio.run(_move(running))

    (moves,) = bench.take_turns(ROWS, [pool], QUICK_ROUNDS if bench.quick else ROUNDS, measure).values() or ([],)
    if not moves:
        return []

    def figure(name: str, values: list[float]) -> Figure:
        return Figure(name, tuple(map(Sample, values)))

    return [
        Comparison(
            name=ROWS[0],
            title=f"{IDLE:,} idle connections go to other workers at a reload: the time until the last has",
            unit="s",
            figures=(figure("corepool", [each.took_s for each in moves]),),
            targets=(Target("corepool", 3.0),),
        ),
        Comparison(
            name=ROWS[1],
            title="The slowest answer on other connections, before that reload and meanwhile",
            unit="ms",
            figures=(
                figure("meanwhile", [each.slowest_meanwhile_s * 1000 for each in moves]),
                figure("before", [each.slowest_before_s * 1000 for each in moves]),
            ),
            targets=(Target("meanwhile", 20.0),),
        ),
    ]


@dataclass
class _Answers:
    """Moments and latencies in seconds."""

    moments: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def slowest(self, since: float, until: float) -> float:
        """Return the longest latency among the requests sent within a period."""
        return max(each for at, each in zip(self.moments, self.latencies, strict=True) if since <= at < until)


async def _ask(port: int, answers: _Answers, stop: asyncio.Event) -> None:
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


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for something that nothing announces, while others ask.

    :raises BenchError: it never comes.
    """
    give_up = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(condition):
        if time.monotonic() > give_up:
            raise BenchError(f"the connections had not moved after {PATIENCE_S:.0f} s")
        await asyncio.sleep(0.01)


async def _move(running: Running) -> Moved:
    def total(name: str) -> int:
        totals: Any = ask_pool(running.scratch / "control", "status").result["totals"]
        return int(totals[name])

    idle = []
    for _ in range(IDLE):
        idle.append(socket.create_connection(("127.0.0.1", running.port)))
        await asyncio.sleep(0)
    await _until(lambda: total("accepted") >= IDLE)
    answers, stop = _Answers(), asyncio.Event()
    askers = [asyncio.create_task(_ask(running.port, answers, stop)) for _ in range(ASKING)]
    began = time.monotonic()
    await asyncio.sleep(BEFORE_S)
    reloaded = time.monotonic()
    os.kill(running.pid, signal.SIGHUP)
    await _until(lambda: total("moved") >= IDLE + ASKING)
    moved = time.monotonic()
    await asyncio.sleep(AFTER_S)
    stop.set()
    await asyncio.gather(*askers)
    for sock in idle:
        sock.sendall(b"alive")
        if sock.recv(5) != b"alive":
            raise BenchError("a connection that had moved did not answer")
        sock.close()
    return Moved(moved - reloaded, answers.slowest(began, reloaded), answers.slowest(reloaded, moved))
