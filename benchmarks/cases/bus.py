"""The bus: a publisher and four subscribers, each a process, beside the same over Redis; latency, and a burst."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import plugins
from benchmarks.load import burning, paced
from benchmarks.processes import cpu_ns
from benchmarks.results import BenchError, Comparison, Figure, Sample, Target
from benchmarks.servers import Server, corepool_run
from benchmarks.turns import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.servers import Running
    from benchmarks.turns import Bench

PLUGIN = Path(__file__).parent.parent / "ping_plugin"
SUBSCRIBERS = 4
WARM_UP = 2_000
MESSAGES, ROUNDS = 40_000, 7
QUICK_MESSAGES, QUICK_ROUNDS = 20_000, 3
AT_ONCE = (1, 16)
BURST = 100_000
TIMED, QUICK_TIMED = 2_000, 500
PATIENCE_S = 120.0

POOLS = """
[[pool]]
name = "publisher"
workers = 1
[[pool]]
name = "subscribers"
workers = 4
[[listener]]
name = "publisher"
pool = "publisher"
bind = ["tcp://127.0.0.1:{port}"]
protocol = "fan-out"
[[listener]]
name = "subscribers"
pool = "subscribers"
bind = ["unix://{scratch}/work"]
protocol = "fan-out-subscriber"
dispatcher = "round-robin"
"""


def run(bench: Bench) -> list[Comparison]:
    """Compare the cost of a delivered message to Redis's, and measure latency under load, and a burst."""
    metadata = bench.scratch / "ping_plugin"
    metadata.mkdir()
    pools = corepool_run("corepool", POOLS, plugins.expose(PLUGIN, metadata))
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    count = QUICK_MESSAGES if bench.quick else MESSAGES

    def fan_out(at_once: int) -> Comparison:
        def measure(running: Running) -> Sample:
            _order(running, f"{WARM_UP} {at_once}")
            return _cost(running, count, at_once)

        each = "one at a time" if at_once == 1 else f"{at_once} at once"
        return bench.compare(
            name="bus" if at_once == 1 else f"bus, {at_once} at once",
            title=f"A message of 100 bytes from one process to {SUBSCRIBERS}, {each}: CPU time of all, per delivery",
            unit="µs",
            servers=[pools, _redis_fan_out()],
            rounds=rounds,
            measure=measure,
            targets=(Target("corepool", 0.5, peer="redis, redis-py"),),
        )

    return [*map(fan_out, AT_ONCE), *_latency(bench, pools, rounds), _burst(bench, pools, rounds)]


def _latency(bench: Bench, pools: Server, rounds: int) -> list[Comparison]:
    name = "bus, latency"
    timed = QUICK_TIMED if bench.quick else TIMED

    def measure(running: Running) -> Mapping[str, float]:
        work = Path(f"{running.scratch}/work")
        load = paced.running(str(work), bench.cores.load) if work.exists() else burning.running(bench.cores.server)
        with load:
            _order(running, "latency 100")
            answer = _order(running, f"latency {timed}")
        return {**answer, "lost": SUBSCRIBERS * timed - answer["got"]}

    measured = bench.take_turns([name], [pools, _redis_fan_out()], rounds, measure)
    figures = [
        Figure(
            which if server == pools.name else f"{which}, {server}",
            tuple(Sample(turn[which], int(turn["lost"]) if which == "p50" else 0) for turn in turns),
        )
        for server, turns in measured.items()
        for which in ("p50", "p99")
        if turns
    ]
    if not figures:
        return []
    return [
        Comparison(
            name=name,
            title=f"From publish to {SUBSCRIBERS} subscribers, whose core serves requests half of the time",
            unit="ms",
            figures=tuple(figures),
            targets=(Target("p50", 0.1), Target("p99", 1.0)),
        )
    ]


def _burst(bench: Bench, pools: Server, rounds: int) -> Comparison:
    return bench.compare(
        name="bus, burst",
        title=f"{BURST:,} messages in one batch to {SUBSCRIBERS} subscribers that read: CPU time per delivery",
        unit="µs",
        servers=[pools],
        rounds=rounds,
        measure=lambda running: _cost(running, BURST, BURST),
        targets=(),
    )


def _redis_fan_out() -> Server:
    command = (sys.executable, "-m", "benchmarks.peers.redis_fan_out", "{port}", "{scratch}")
    return Server("redis, redis-py", command, needs=("redis-server", "redis", "hiredis"))


def _cost(running: Running, count: int, at_once: int) -> Sample:
    before = cpu_ns(running.pid)
    got = int(_order(running, f"{count} {at_once}")["got"])
    deliveries = SUBSCRIBERS * count
    return Sample((cpu_ns(running.pid) - before) / deliveries / NS_PER_US, deliveries - got)


def _order(running: Running, order: str) -> Mapping[str, float]:
    """Have messages published, and return what the subscribers have told.

    :raises BenchError: they did not tell.
    """
    try:
        with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S) as client:
            client.sendall(order.encode() + b"\n")
            with client.makefile("rb") as lines:
                answer: dict[str, float] = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise BenchError(f"{order}: no answer: {error}") from None
    return answer
