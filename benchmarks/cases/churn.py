"""Connect, one round trip, close: what a connection costs, master and worker together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load.churn import Churn
from benchmarks.results import Comparison, Sample, Target
from benchmarks.servers import corepool, protocol_server
from benchmarks.turns import cpu_us_per_unit

if TYPE_CHECKING:
    from benchmarks.servers import Running
    from benchmarks.turns import Bench

HANDED_OVER = "least-connections"
ACCEPTED_BY_WORKER = "kernel"

CONCURRENCY = 50
WARM_UP = 400
# A tenth of a second of CPU a turn, which the CPU clock resolves easily. All turns together must stay below
# the kernel's limit of TIME_WAIT sockets (net.ipv4.tcp_max_tw_buckets, 131,072 by default with much memory;
# each is kept for 60 s): making them is charged to the server, and beyond the limit none are made.
CONNECTIONS, ROUNDS = 3_000, 9

WORKERS = (1, 8, 32)
MAX_GROWTH = 1.15
"""The most that a connection should cost with more workers, in times of its cost with one. Not met with 32 on one core,
where each connection wakes a process with cold caches: docs/explanation/dispatch.md has the floor."""

QUICK_CONNECTIONS, QUICK_ROUNDS = 3_000, 3


def run(bench: Bench) -> list[Comparison]:
    """Compare both ways of getting a connection to a worker with processes that accept for themselves."""
    connections, rounds = (QUICK_CONNECTIONS, QUICK_ROUNDS) if bench.quick else (CONNECTIONS, ROUNDS)
    churn = Churn.compile(bench.scratch)

    def load(running: Running, count: int) -> int:
        return churn.run(running.port, count, CONCURRENCY, bench.cores.load)

    def measure(running: Running) -> Sample:
        warm_up_lost = load(running, WARM_UP)
        sample = cpu_us_per_unit(running, connections, lambda: load(running, connections))
        return Sample(sample.cost, sample.lost + warm_up_lost)

    servers = [
        corepool("echo", HANDED_OVER, name=HANDED_OVER),
        corepool("echo", ACCEPTED_BY_WORKER, name=ACCEPTED_BY_WORKER),
        protocol_server("uvloop", "echo"),
        protocol_server("asyncio", "echo"),
    ]
    grown = [corepool("echo", HANDED_OVER, workers=each, name=_workers(each)) for each in WORKERS]
    return [
        bench.compare(
            name="churn by workers",
            title=f"Connect, one round trip, close, with {HANDED_OVER} and more workers on the one core",
            unit="µs",
            servers=grown,
            rounds=rounds,
            measure=measure,
            targets=tuple(Target(_workers(each), MAX_GROWTH, peer=_workers(WORKERS[0])) for each in WORKERS[1:]),
        ),
        bench.compare(
            name="churn",
            title=f"Connect, one round trip, close; {CONCURRENCY} at a time: CPU time per connection",
            unit="µs",
            servers=servers,
            rounds=rounds,
            measure=measure,
            targets=(
                Target(HANDED_OVER, 1.25, peer="uvloop"),
                Target(HANDED_OVER, 0.50, peer="asyncio"),
                Target(ACCEPTED_BY_WORKER, 0.85, peer="uvloop"),
                Target(ACCEPTED_BY_WORKER, 0.35, peer="asyncio"),
            ),
        ),
    ]


def _workers(count: int) -> str:
    return f"{count} worker" + "s" * (count > 1)
