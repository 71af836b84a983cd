"""One-line ping over connections that stay open: what a round trip costs when nothing else is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import plugins
from benchmarks.load import redis_benchmark
from benchmarks.results import Comparison, Sample, Target
from benchmarks.servers import bare_epoll, corepool, protocol_server, redis
from benchmarks.turns import cpu_us_per_unit

if TYPE_CHECKING:
    from benchmarks.servers import Running
    from benchmarks.turns import Bench

PLUGIN = Path(__file__).parent.parent / "ping_plugin"

CONNECTIONS = 50  # redis-benchmark's own default
WARM_UP = 5_000  # every connection a hundred times: caches are filled, lazy imports done
# Half a second of CPU a turn. Many short rounds rather than few long ones: what disturbs a machine lasts
# for seconds, and the median throws away the rounds that it fell into.
REQUESTS, ROUNDS = 60_000, 9
QUICK_REQUESTS, QUICK_ROUNDS = 30_000, 3


def run(bench: Bench) -> list[Comparison]:
    """Compare corepool, with a plugin of one line, to redis's PING and to Protocols of one line."""
    requests, rounds = (QUICK_REQUESTS, QUICK_ROUNDS) if bench.quick else (REQUESTS, ROUNDS)
    metadata = bench.scratch / "ping_plugin"
    metadata.mkdir()

    def load(running: Running, count: int) -> int:
        redis_benchmark.ping(running.port, count, CONNECTIONS, bench.cores.load)
        return 0  # it would have raised

    def measure(running: Running) -> Sample:
        load(running, WARM_UP)
        return cpu_us_per_unit(running, requests, lambda: load(running, requests))

    servers = [
        corepool("ping", "least-connections", pythonpath=plugins.expose(PLUGIN, metadata)),
        redis(),
        bare_epoll(),
        protocol_server("uvloop", "ping"),
        protocol_server("asyncio", "ping"),
    ]
    return [
        bench.compare(
            name="ping",
            title=f"One-line ping, {CONNECTIONS} keep-alive connections: CPU time per round trip",
            unit="µs",
            servers=servers,
            rounds=rounds,
            measure=measure,
            targets=(Target("corepool", 1.00, peer="redis"),),
        )
    ]
