"""The one-line ping in every style that corepool supports: the cost of each beside that of its counterpart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import plugins
from benchmarks.cases.ping import CONNECTIONS, PLUGIN, WARM_UP
from benchmarks.load import redis_benchmark
from benchmarks.results import Comparison, Sample, Target
from benchmarks.servers import corepool, protocol_server, stream_server
from benchmarks.turns import cpu_us_per_unit

if TYPE_CHECKING:
    from benchmarks.servers import Running
    from benchmarks.turns import Bench

REQUESTS, ROUNDS = 30_000, 7
QUICK_REQUESTS, QUICK_ROUNDS = 20_000, 3

DISPATCHER = "least-connections"
START_SERVER, THREADING_SERVER = "asyncio.start_server", "socketserver, threading"


def run(bench: Bench) -> list[Comparison]:
    """Compare callbacks, coroutines, threads and hosted servers with asyncio and socketserver by themselves."""
    requests, rounds = (QUICK_REQUESTS, QUICK_ROUNDS) if bench.quick else (REQUESTS, ROUNDS)
    metadata = bench.scratch / "styles_plugin"
    metadata.mkdir()
    path = plugins.expose(PLUGIN, metadata)
    threads = f"threads={CONNECTIONS + 2}"  # those of the load, and of the check of the answer before it

    def load(running: Running, count: int) -> int:
        redis_benchmark.ping(running.port, count, CONNECTIONS, bench.cores.load)
        return 0  # it would have raised

    def measure(running: Running) -> Sample:
        load(running, WARM_UP)
        return cpu_us_per_unit(running, requests, lambda: load(running, requests))

    def hosted(protocol: str, target: str, *options: str) -> tuple[str, tuple[str, ...]]:
        return protocol, (f"target=benchmarks.peers.{target}", *options)

    ways = {
        "callbacks": ("ping", ()),
        "StreamProtocol": ("ping-stream", ()),
        "BlockingProtocol": ("ping-thread", (threads,)),
        "hosted Protocol": hosted("asyncio", "protocol_server:Ping"),
        "hosted streams": hosted("asyncio", "stream_server:pong"),
        "hosted socketserver": hosted("socketserver", "stream_server:Pong", threads),
    }
    servers = [
        *(
            corepool(protocol, DISPATCHER, name=name, pythonpath=path, options=options)
            for name, (protocol, options) in ways.items()
        ),
        stream_server("asyncio", START_SERVER),
        protocol_server("asyncio", "ping"),
        stream_server("socketserver", THREADING_SERVER),
    ]
    return [
        bench.compare(
            name="styles",
            title=f"One-line ping, {CONNECTIONS} keep-alive connections, in several ways: CPU time per round trip",
            unit="µs",
            servers=servers,
            rounds=rounds,
            measure=measure,
            targets=(
                Target("callbacks", 1.1, peer="asyncio"),
                Target("StreamProtocol", 1.1, peer=START_SERVER),
                Target("BlockingProtocol", 2.2, peer=THREADING_SERVER),
                Target("hosted Protocol", 1.1, peer="asyncio"),
                Target("hosted streams", 1.1, peer=START_SERVER),
                Target("hosted socketserver", 2.2, peer=THREADING_SERVER),
            ),
        )
    ]
