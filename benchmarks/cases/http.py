"""HTTP: applications and files, beside the servers of the field that do the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.load import tail, wrk
from benchmarks.processes import cpu_ns
from benchmarks.results import Comparison, Sample, Target
from benchmarks.servers import bjoern, corepool_http, granian, gunicorn, nginx, uvicorn
from benchmarks.turns import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.servers import Running, Server
    from benchmarks.turns import Bench

CONNECTIONS = 50
SECONDS, ROUNDS = 2, 7
QUICK_SECONDS, QUICK_ROUNDS = 1, 3
FILE_BYTES = 100 * 1024
THREADS = 4
FEW_WORKERS, MANY_WORKERS = 1, 32

DIFFERING = Path(wrk.__file__).with_name("differing.lua")
GREETING, BROWSER = "greeting", "browser"
"""Its kinds of requests."""


def run(bench: Bench) -> list[Comparison]:
    """Compare WSGI and ASGI, requests that differ first; a file, a connection for each request, slow beside quick."""
    seconds, rounds = (QUICK_SECONDS, QUICK_ROUNDS) if bench.quick else (SECONDS, ROUNDS)
    (bench.scratch / "file").write_bytes(bytes(FILE_BYTES))
    root = str(bench.scratch)

    def compare(
        name: str,
        title: str,
        servers: Sequence[Server],
        targets: Sequence[Target],
        *,
        kind: str = "",
        path: str = "/",
        headers: Sequence[str] = (),
    ) -> Comparison:
        def load(running: Running, seconds: int) -> tuple[int, int]:
            script = (str(DIFFERING), kind, _unused_number()) if kind else ()
            return wrk.run(running.port, path, CONNECTIONS, seconds, bench.cores.load, headers, script)

        def measure(running: Running) -> Sample:
            _, lost_before = load(running, 1)
            before = cpu_ns(running.pid)
            requests, lost = load(running, seconds)
            return Sample((cpu_ns(running.pid) - before) / requests / NS_PER_US, lost + lost_before)

        title = f"{title}, {CONNECTIONS} connections: CPU time per request"
        return bench.compare(
            name=name, title=title, unit="µs", servers=servers, rounds=rounds, measure=measure, targets=targets
        )

    def by_workers(name: str, what: str) -> Comparison:
        counts = (FEW_WORKERS, MANY_WORKERS)
        few, many = (corepool_http(what, workers=each, name=_workers(each)) for each in counts)
        title = f"{what.upper()}, path and a header differ each time, more workers on the one core"
        # How much of the difference comes from processes that take turns on a core, whatever they run.
        peers = [nginx(root, workers=each, name=f"nginx, {_workers(each)}") for each in counts]
        return compare(name, title, [few, many, *peers], [Target(many.name, 1.15, peer=few.name)], kind=GREETING)

    wsgi = [corepool_http("wsgi"), bjoern(), granian("wsgi"), nginx(root)]
    wsgi_targets = [Target("corepool", 1.10, peer="bjoern"), Target("corepool", 0.67, peer="granian")]
    same_targets = [Target("corepool", 1.00, peer="bjoern"), Target("corepool", 0.67, peer="granian")]
    asgi = [corepool_http("asgi"), granian("asgi"), uvicorn(), nginx(root)]
    asgi_targets = [Target("corepool", 0.55, peer="granian"), Target("corepool", 0.55, peer="uvicorn")]
    once = [
        corepool_http("wsgi", dispatcher="kernel", name="corepool, kernel"),
        corepool_http("wsgi", dispatcher="least-connections", name="corepool, least-connections"),
        nginx(root),
        granian("wsgi"),
    ]
    once_targets = [
        Target("corepool, kernel", 1.35, peer="nginx"),
        Target("corepool, least-connections", 1.00, peer="granian"),
    ]
    differ = "path and a header differ each time"
    browser = "a browser's headers, of which path, cookie and request id differ each time"
    files = [corepool_http("files", root=root), nginx(root)]
    return [
        compare("wsgi, differing", f"WSGI, {differ}", wsgi, wsgi_targets, kind=GREETING),
        compare("asgi, differing", f"ASGI, {differ}", asgi, asgi_targets, kind=GREETING),
        compare("wsgi, browser", f"WSGI, {browser}", wsgi, wsgi_targets, kind=BROWSER),
        compare("asgi, browser", f"ASGI, {browser}", asgi, asgi_targets, kind=BROWSER),
        compare("wsgi", "WSGI, the same bytes each time", wsgi, same_targets),
        compare("asgi", "ASGI, the same bytes each time", asgi, asgi_targets),
        by_workers("wsgi by workers", "wsgi"),
        by_workers("asgi by workers", "asgi"),
        compare("file", "A file of 100 KiB", files, [Target("corepool", 1.3, peer="nginx")], path="/file"),
        compare("http, churn", "A connection for each request", once, once_targets, headers=["Connection: close"]),
        bench.compare(
            name="slow beside quick",
            title=f"WSGI in {THREADS} threads, 1 % of the requests take 50 ms: p99 of the others",
            unit="ms",
            servers=[corepool_http("mixed", threads=THREADS), gunicorn("mixed", THREADS)],
            rounds=rounds,
            measure=lambda running: Sample(*tail.run(running.port, 2 * seconds, bench.cores.load)),
            targets=[Target("corepool", 1.0, peer="gunicorn")],
        ),
    ]


def _unused_number() -> str:
    """Return one that no request of an earlier run has had: none makes a thousand of them in a millisecond."""
    return str(time.time_ns() // 1_000)


def _workers(count: int) -> str:
    return f"{count} worker" + "s" * (count > 1)
