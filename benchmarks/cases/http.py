"""HTTP: applications and files, beside the servers of the field that do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load import tail, wrk
from benchmarks.processes import cpu_ns
from benchmarks.results import Comparison, Sample, Target
from benchmarks.servers import bjoern, corepool_http, granian, gunicorn, nginx, uvicorn
from benchmarks.turns import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.servers import Running, Server
    from benchmarks.turns import Bench

CONNECTIONS = 50
SECONDS, ROUNDS = 2, 7
QUICK_SECONDS, QUICK_ROUNDS = 1, 3
FILE_BYTES = 100 * 1024

BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: none",
    "Priority: u=0, i",
    "Cookie: session=0123456789abcdef",
)

ANOTHER_TARGET = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "/item/" .. number .. "?page=" .. number)
end
"""
THREADS = 4


def run(bench: Bench) -> list[Comparison]:
    """Compare WSGI, ASGI, a file, a connection for each request, and quick requests beside slow ones."""
    seconds, rounds = (QUICK_SECONDS, QUICK_ROUNDS) if bench.quick else (SECONDS, ROUNDS)
    (bench.scratch / "file").write_bytes(bytes(FILE_BYTES))

    def compare(
        name: str,
        title: str,
        servers: Sequence[Server],
        targets: Sequence[Target],
        path: str = "/",
        headers: Sequence[str] = (),
        script: Path | None = None,
    ) -> Comparison:
        def measure(running: Running) -> Sample:
            wrk.run(running.port, path, CONNECTIONS, 1, bench.cores.load, headers, script)
            before = cpu_ns(running.pid)
            requests, lost = wrk.run(running.port, path, CONNECTIONS, seconds, bench.cores.load, headers, script)
            return Sample((cpu_ns(running.pid) - before) / requests / NS_PER_US, lost)

        title = f"{title}, {CONNECTIONS} connections: CPU time per request"
        figures = bench.compare(servers, rounds, measure)
        return Comparison(name=name, title=title, unit="µs", figures=figures, targets=tuple(targets))

    def measure_tail(running: Running) -> Sample:
        return Sample(*tail.run(running.port, 2 * seconds, bench.cores.load))

    another_target = bench.scratch / "another_target.lua"
    another_target.write_text(ANOTHER_TARGET)
    threaded = [corepool_http("mixed", threads=THREADS), gunicorn("mixed", THREADS)]
    wsgi = [corepool_http("wsgi"), bjoern(), granian("wsgi")]
    wsgi_targets = [Target("corepool", 1.2, peer="bjoern"), Target("corepool", 1 / 1.4, peer="granian")]
    asgi = [corepool_http("asgi"), granian("asgi"), uvicorn()]
    asgi_targets = [Target("corepool", 0.65, peer="granian"), Target("corepool", 0.55, peer="uvicorn")]
    root = str(bench.scratch)
    once = [
        corepool_http("wsgi", dispatcher="kernel", name="corepool, kernel"),
        corepool_http("wsgi", dispatcher="least-connections", name="corepool, least-connections"),
        nginx(root),
        granian("wsgi"),
    ]
    once_targets = [
        Target("corepool, kernel", 1.6, peer="nginx"),
        Target("corepool, least-connections", 1.0, peer="granian"),
    ]
    return [
        compare("wsgi", "WSGI, hello", wsgi, wsgi_targets),
        compare("wsgi, browser", "WSGI, hello, a browser's headers", wsgi, wsgi_targets, headers=BROWSER),
        compare(
            "wsgi, new targets",
            "WSGI, a target never seen before",
            wsgi,
            wsgi_targets,
            headers=BROWSER,
            script=another_target,
        ),
        compare("asgi", "ASGI, hello", asgi, asgi_targets),
        compare("asgi, browser", "ASGI, hello, a browser's headers", asgi, asgi_targets, headers=BROWSER),
        compare(
            "file",
            "A file of 100 KiB",
            [corepool_http("files", root=root), nginx(root)],
            [Target("corepool", 1.3, peer="nginx")],
            path="/file",
        ),
        compare("http, churn", "A connection for each request", once, once_targets, headers=["Connection: close"]),
        Comparison(
            name="slow beside quick",
            title=f"WSGI in {THREADS} threads, 1 % of the requests take 50 ms: p99 of the others",
            unit="ms",
            figures=bench.compare(threaded, rounds, measure_tail),
            targets=(Target("corepool", 1.0, peer="gunicorn"),),
        ),
    ]
