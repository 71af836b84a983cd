"""What it costs that connections outlive a crash of their worker: the pings and the churn, with and without."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import plugins
from benchmarks.cases import churn, ping
from benchmarks.load import redis_benchmark
from benchmarks.load.churn import Churn
from benchmarks.processes import descriptors
from benchmarks.results import BenchError, Comparison, Sample, Target
from benchmarks.servers import corepool, corepool_kept
from benchmarks.turns import cpu_us_per_unit

if TYPE_CHECKING:
    from benchmarks.servers import Running
    from benchmarks.turns import Bench

PLAIN, KEPT = "corepool", "keep_on_crash"

# Enough that the master holds as many copies as it ever does: it closes them every 0.1 s. All turns together stay below
# the kernel's limit of TIME_WAIT sockets, as in churn.py.
CHURN_CONNECTIONS, CHURN_ROUNDS, QUICK_CHURN_ROUNDS = 10_000, 5, 3

CLOSED_TIMEOUT_S = 10.0
"""How long the copies of connections may be open after the last of these has ended."""


def run(bench: Bench) -> list[Comparison]:
    """Compare listeners that say keep_on_crash = true with those that don't."""
    metadata = bench.scratch / "kept_ping_plugin"
    metadata.mkdir()
    pythonpath = plugins.expose(ping.PLUGIN, metadata)
    compiled = Churn.compile(bench.scratch)
    requests, rounds = (ping.QUICK_REQUESTS, ping.QUICK_ROUNDS) if bench.quick else (ping.REQUESTS, ping.ROUNDS)

    def pings(running: Running) -> Sample:
        redis_benchmark.ping(running.port, ping.WARM_UP, ping.CONNECTIONS, bench.cores.load)

        def load() -> int:
            redis_benchmark.ping(running.port, requests, ping.CONNECTIONS, bench.cores.load)
            return 0  # it would have raised

        return cpu_us_per_unit(running, requests, load)

    def connections(running: Running) -> Sample:
        open_before = descriptors(running.pid)

        def load(count: int) -> int:
            lost = compiled.run(running.port, count, churn.CONCURRENCY, bench.cores.load)
            _await_closed(running, open_before)
            return lost

        lost = load(churn.WARM_UP)
        sample = cpu_us_per_unit(running, CHURN_CONNECTIONS, lambda: load(CHURN_CONNECTIONS))
        return Sample(sample.cost, sample.lost + lost)

    return [
        bench.compare(
            name="kept ping",
            title=f"One-line ping, {ping.CONNECTIONS} connections that would outlive a crash: CPU time per round trip",
            unit="µs",
            servers=[
                corepool("ping", "least-connections", name=PLAIN, pythonpath=pythonpath),
                corepool_kept("ping", name=KEPT, pythonpath=pythonpath),
            ],
            rounds=rounds,
            measure=pings,
            targets=(Target(KEPT, 1.10, peer=PLAIN),),
        ),
        bench.compare(
            name="kept churn",
            title=f"Connect, one round trip, close; {churn.CONCURRENCY} at a time, that would outlive a crash: "
            "CPU time per connection, until the master has closed its copy",
            unit="µs",
            servers=[corepool("echo", "least-connections", name=PLAIN), corepool_kept("echo", name=KEPT)],
            rounds=QUICK_CHURN_ROUNDS if bench.quick else CHURN_ROUNDS,
            measure=connections,
            targets=(Target(KEPT, 1.25, peer=PLAIN),),
        ),
    ]


def _await_closed(running: Running, count: int) -> None:
    """Wait until the server has at most `count` descriptors: a copy that is closed after a turn is in no figure."""
    due = time.monotonic() + CLOSED_TIMEOUT_S
    while descriptors(running.pid) > count:
        if time.monotonic() > due:
            raise BenchError(f"{running.pid} holds connections {CLOSED_TIMEOUT_S:.0f} s after their end")
        time.sleep(0.01)
