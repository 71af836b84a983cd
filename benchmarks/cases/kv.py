"""A key-value store that real clients speak to: GET and SET beside redis, one at a time and in pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load import redis_benchmark
from benchmarks.needs import is_there
from benchmarks.results import Sample, Target
from benchmarks.servers import corepool, redis, redis_proxy
from benchmarks.turns import cpu_us_per_unit

if TYPE_CHECKING:
    from benchmarks.results import Comparison
    from benchmarks.servers import Running
    from benchmarks.turns import Bench

CONNECTIONS = 50
WARM_UP = 20_000
PIPELINED = 16
REQUESTS, ROUNDS = 60_000, 7
QUICK_REQUESTS, QUICK_ROUNDS = 30_000, 3

WANTED = {("get", 1): 1.10, ("set", 1): 1.10, ("get", PIPELINED): 2.0, ("set", PIPELINED): 2.0}


def run(bench: Bench) -> list[Comparison]:
    """Compare kv on lmdb, durability everysec, with redis: with a file that it syncs every second, and without one."""
    requests, rounds = (QUICK_REQUESTS, QUICK_ROUNDS) if bench.quick else (REQUESTS, ROUNDS)

    def compare(command: str, pipeline: int, wanted: float) -> Comparison:
        def load(running: Running, count: int) -> int:
            redis_benchmark.run(running.port, command, count, CONNECTIONS, pipeline, bench.cores.load)
            return 0

        def measure(running: Running) -> Sample:
            redis_benchmark.fill(running.port)
            load(running, WARM_UP)
            return cpu_us_per_unit(running, requests * pipeline, lambda: load(running, requests * pipeline))

        peers = [redis(append=True), redis()]
        return bench.compare(
            name=f"kv {command}" + (f", {pipeline} at once" if pipeline > 1 else ""),
            title=f"{command.upper()}, 64 bytes, 100,000 keys, {CONNECTIONS} connections, pipelines of {pipeline}: "
            "CPU time per command",
            unit="µs",
            servers=[corepool("kv", "least-connections"), *peers],
            rounds=rounds,
            measure=measure,
            targets=[Target("corepool", wanted, peer=peer.name) for peer in peers],
        )

    rows = [compare(command, pipeline, wanted) for (command, pipeline), wanted in WANTED.items()]
    return [*rows, *_forwarded(bench, requests, rounds)]


def _forwarded(bench: Bench, requests: int, rounds: int) -> list[Comparison]:
    """Compare a GET that is forwarded to a redis, whose time is not counted, with a local one and a plain proxy's."""
    if not is_there("redis-server"):
        return []
    with redis().running(bench.cores.load) as upstream:
        redis_benchmark.fill(upstream.port)

        def load(running: Running, count: int) -> int:
            redis_benchmark.run(running.port, "get", count, CONNECTIONS, 1, bench.cores.load)
            return 0

        def measure(running: Running) -> Sample:
            redis_benchmark.fill(running.port)
            load(running, WARM_UP)
            return cpu_us_per_unit(running, requests, lambda: load(running, requests))

        local = corepool("kv", "least-connections")
        forwarded = corepool(
            "kv",
            "least-connections",
            name="corepool, forwarded",
            options=[f"store=redis://127.0.0.1:{upstream.port}"],
        )
        proxy = redis_proxy(upstream.port)
        return [
            bench.compare(
                name="kv get, forwarded",
                title=f"GET, 64 bytes, {CONNECTIONS} connections, forwarded: CPU time per command, redis's aside",
                unit="µs",
                servers=[forwarded, local, proxy],
                rounds=rounds,
                measure=measure,
                targets=[
                    Target(forwarded.name, 2.2, peer=local.name),
                    Target(forwarded.name, 0.8, peer=proxy.name),
                ],
            )
        ]
