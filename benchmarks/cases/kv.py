"""A key-value store that real clients speak to, beside redis: strings, collections, pipelines; and beside memcached."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from benchmarks.load import redis_benchmark
from benchmarks.load.memcached import MemcachedLoad
from benchmarks.needs import is_there
from benchmarks.processes import cpu_ns, process_tree
from benchmarks.results import Sample, Target
from benchmarks.servers import corepool, corepool_run, memcached, redis, redis_proxy
from benchmarks.turns import NS_PER_US, cpu_us_per_unit

if TYPE_CHECKING:
    from benchmarks.results import Comparison
    from benchmarks.servers import Running, Server
    from benchmarks.turns import Bench

CONNECTIONS = 50
WARM_UP = 20_000
PIPELINED = 16
REQUESTS, ROUNDS = 60_000, 7
QUICK_REQUESTS, QUICK_ROUNDS = 30_000, 3

WANTED = {("get", 1): 1.10, ("set", 1): 1.10, ("get", PIPELINED): 2.0, ("set", PIPELINED): 2.0}
WANTED_OF_COLLECTIONS = {"lpush": 2.0, "rpop": 2.0, "hset": 2.0, "zadd": 2.0, "xadd": 2.0}
WANTED_OF_MEMCACHED = {"get": 1.3, "set": 1.3}
WANTED_OF_FORWARDED = {"get": 2.2, "set": 2.2}

_OF = {
    "lpush": "one list",
    "rpop": "one list",
    "hset": "a hash of 100,000",
    "zadd": "a sorted set of 100,000",
    "xadd": "one stream",
}
_FILLED_BY = {"rpop": "lpush"}

_TWO_WORKERS = """
pool = {{{{ workers = 2, dispatcher = "least-connections" }}}}
process = {{{{ affinity = [{cores}] }}}}
listener = [{{{{ name = "kv", bind = ["tcp://127.0.0.1:{{port}}"], protocol = "kv" }}}}]
"""


def run(bench: Bench) -> list[Comparison]:
    """Compare kv on lmdb, durability everysec, with redis: with a file that it syncs every second, and without one."""
    requests, rounds = (QUICK_REQUESTS, QUICK_ROUNDS) if bench.quick else (REQUESTS, ROUNDS)

    def compare(command: str, pipeline: int, wanted: float) -> Comparison:
        def load(running: Running, count: int) -> int:
            redis_benchmark.run(running.port, command, count, CONNECTIONS, pipeline, bench.cores.load)
            return 0

        def measure(running: Running) -> Sample:
            if command in WANTED_OF_COLLECTIONS:
                filled_by, count = _FILLED_BY.get(command, command), requests + WARM_UP
                redis_benchmark.run(running.port, filled_by, count, CONNECTIONS, PIPELINED, bench.cores.load)
            else:
                redis_benchmark.fill(running.port)
            load(running, WARM_UP)
            return cpu_us_per_unit(running, requests * pipeline, lambda: load(running, requests * pipeline))

        peers = [redis(append=True), redis()]
        return bench.compare(
            name=f"kv {command}" + (f", {pipeline} at once" if pipeline > 1 else ""),
            title=f"{command.upper()}, 64 bytes, {_OF.get(command, '100,000 keys')}, {CONNECTIONS} connections, "
            f"pipelines of {pipeline}: CPU time per command",
            unit="µs",
            servers=[corepool("kv", "least-connections"), *peers],
            rounds=rounds,
            measure=measure,
            targets=[Target("corepool", wanted, peer=peer.name) for peer in peers],
        )

    rows = [compare(command, pipeline, wanted) for (command, pipeline), wanted in WANTED.items()]
    rows += [compare(command, 1, wanted) for command, wanted in WANTED_OF_COLLECTIONS.items()]
    rows += [*_on_two_cores(bench, requests, rounds), *_forwarded(bench, requests, rounds)]
    return [*rows, *_of_memcached(bench, requests, rounds)]


def _on_two_cores(bench: Bench, requests: int, rounds: int) -> list[Comparison]:
    """Compare how many GETs two workers on two cores have time for with those of one redis.

    The load is on one of the two cores, so no rate is measured but the CPU time of the busiest process: a server whose
    busiest process needs a microsecond for each command serves a million of them a second.
    """
    cores = (bench.cores.server, bench.cores.load)
    toml = _TWO_WORKERS.format(cores=", ".join(map(str, cores)))
    two = dataclasses.replace(corepool_run("corepool, two workers", toml), cores=cores)
    peer = redis()

    def measure(running: Running) -> Sample:
        redis_benchmark.fill(running.port)
        redis_benchmark.run(running.port, "get", WARM_UP, CONNECTIONS, 1, bench.cores.load)
        before = {pid: cpu_ns(pid) for pid in process_tree(running.pid)[1:] or [running.pid]}
        redis_benchmark.run(running.port, "get", 2 * requests, CONNECTIONS, 1, bench.cores.load)
        busiest = max(cpu_ns(pid) - at_begin for pid, at_begin in before.items())
        return Sample(busiest / (2 * requests) / NS_PER_US, 0)

    return [
        bench.compare(
            name="kv get, two cores",
            title=f"GET, 64 bytes, {CONNECTIONS} connections: CPU time of the busiest process, per command of all",
            unit="µs",
            servers=[two, peer],
            rounds=rounds,
            measure=measure,
            targets=[Target(two.name, 1.0, peer=peer.name)],
        )
    ]


def _of_memcached(bench: Bench, requests: int, rounds: int) -> list[Comparison]:
    """Compare memcached's commands on a store of this machine, and on a redis whose time is not counted."""
    load = MemcachedLoad.compile(bench.scratch)
    local, peer = corepool("memcached", "least-connections"), memcached()

    def compare(command: str, name: str, title: str, servers: list[Server], targets: list[Target]) -> Comparison:
        def measure(running: Running) -> Sample:
            load.fill(running.port, bench.cores.load)
            load.run(running.port, command, WARM_UP, CONNECTIONS, bench.cores.load)
            return cpu_us_per_unit(
                running, requests, lambda: load.run(running.port, command, requests, CONNECTIONS, bench.cores.load)
            )

        return bench.compare(
            name=f"memcached {command}{name}",
            title=f"memcached's {command}, 64 bytes, 100,000 keys, {CONNECTIONS} connections{title}",
            unit="µs",
            servers=servers,
            rounds=rounds,
            measure=measure,
            targets=targets,
        )

    rows = [
        compare(command, "", ": CPU time per command", [local, peer], [Target(local.name, wanted, peer=peer.name)])
        for command, wanted in WANTED_OF_MEMCACHED.items()
    ]
    if not is_there("redis-server"):
        return rows
    with redis().running(bench.cores.load) as upstream:
        forwarded = corepool(
            "memcached",
            "least-connections",
            name="corepool, forwarded",
            options=[f"store=redis://127.0.0.1:{upstream.port}"],
        )
        title = ", forwarded: CPU time per command, redis's aside"
        return rows + [
            compare(
                command,
                ", forwarded",
                title,
                [forwarded, local],
                [Target(forwarded.name, wanted, peer=local.name)],
            )
            for command, wanted in WANTED_OF_FORWARDED.items()
        ]


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
