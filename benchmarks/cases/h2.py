"""HTTP/2 by prior knowledge: requests that differ, a file, idle connections, and small requests beside large ones."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.cases.http import CONNECTIONS, FILE_BYTES, QUICK_ROUNDS, ROUNDS
from benchmarks.h2_servers import granian_h2, hypercorn_h2, nginx_h2
from benchmarks.load import beside, h2load
from benchmarks.load.h2_raw import DATA, END_STREAM, HEADERS, RawClient, request
from benchmarks.processes import cpu_ns, peak_rss_bytes, process_tree, raise_descriptor_limit, rss_bytes
from benchmarks.results import BenchError, Comparison, Sample, Target
from benchmarks.servers import corepool_http
from benchmarks.turns import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.load.h2_raw import Frame
    from benchmarks.servers import Running, Server
    from benchmarks.turns import Bench

REQUESTS, QUICK_REQUESTS = 50_000, 10_000
FILE_REQUESTS, QUICK_FILE_REQUESTS = 20_000, 4_000
STREAMS = (1, 10)
TARGETS = 1000
"""Different ones, in turn; h2load's other headers are the same in each request."""
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

IDLE, WARM_UP = 1000, 200
SPARE_DESCRIPTORS = 100
KIB, MIB = 1024, 1 << 20
LARGE, QUICK_LARGE = 200_000_000, 40_000_000


def run(bench: Bench) -> list[Comparison]:
    """Compare ASGI, WSGI and a file with 1 and 10 streams, memory of idle connections, and small beside large."""
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    small, files = bench.scratch / "small", bench.scratch / "files"
    small.write_text("".join(f"/item/{number}?page={number % 7}\n" for number in range(TARGETS)))
    files.write_text("".join(f"/file?v={number}\n" for number in range(TARGETS)))
    (bench.scratch / "file").write_bytes(bytes(FILE_BYTES))
    root = str(bench.scratch)
    raise_descriptor_limit(2 * (IDLE + WARM_UP) + SPARE_DESCRIPTORS)

    def compare(
        name: str, title: str, servers: Sequence[Server], targets: Sequence[Target], count: int, streams: int
    ) -> Comparison:
        def measure(running: Running) -> Sample:
            load = {"connections": CONNECTIONS, "streams": streams}
            uris = files if name.startswith("h2, file") else small
            h2load.run(running.port, uris, count // 10, bench.cores.load, **load, headers=BROWSER)
            before = cpu_ns(running.pid)
            lost = h2load.run(running.port, uris, count, bench.cores.load, **load, headers=BROWSER)
            return Sample((cpu_ns(running.pid) - before) / count / NS_PER_US, lost)

        each = "a stream" if streams == 1 else f"{streams} streams"
        return bench.compare(
            name=name,
            title=f"{title} over HTTP/2, {CONNECTIONS} connections, {each} each: CPU time per request",
            unit="µs",
            servers=servers,
            rounds=rounds,
            measure=measure,
            targets=tuple(targets),
        )

    asgi = [corepool_http("asgi"), granian_h2("asgi"), hypercorn_h2("asgi")]
    asgi_targets = [Target("corepool", 1.0, peer="granian"), Target("corepool", 0.4, peer="hypercorn")]
    wsgi = [corepool_http("wsgi"), granian_h2("wsgi")]
    file = [corepool_http("files", root=root), nginx_h2(root)]
    count, file_count = (QUICK_REQUESTS, QUICK_FILE_REQUESTS) if bench.quick else (REQUESTS, FILE_REQUESTS)
    comparisons = []
    for streams in STREAMS:
        wanted = [Target("corepool", 1.0, peer="granian")]
        comparisons += [
            compare(f"h2, asgi, {streams}", "ASGI, hello", asgi, asgi_targets, count, streams),
            compare(f"h2, wsgi, {streams}", "WSGI, hello", wsgi, wanted, count, streams),
            compare(
                f"h2, file, {streams}",
                "A file of 100 KiB",
                file,
                [Target("corepool", 1.5, peer="nginx")],
                file_count,
                streams,
            ),
        ]
    comparisons.append(
        bench.compare(
            name="h2, idle",
            title=f"{IDLE:,} idle connections of HTTP/2: RSS of each beyond one of HTTP/1",
            unit="KiB",
            servers=[corepool_http("asgi")],
            rounds=rounds,
            measure=_growth,
            targets=(Target("corepool", 6.0),),
        )
    )
    return comparisons + _transfers(bench, rounds)


def _transfers(bench: Bench, rounds: int) -> list[Comparison]:
    size = QUICK_LARGE if bench.quick else LARGE
    servers = [corepool_http("bulk"), granian_h2("bulk"), hypercorn_h2("bulk")]

    def delay(*, up: bool) -> Callable[[Running], Sample]:
        return lambda running: Sample(*beside.run(running.port, size, bench.cores.load, up=up))

    def memory(running: Running) -> Sample:
        serving = process_tree(running.pid)[-1]
        beside.run(running.port, size // 100, bench.cores.load, up=True)
        before = peak_rss_bytes(serving)
        lost = sum(beside.run(running.port, size, bench.cores.load, up=up)[1] for up in (True, False))
        return Sample((peak_rss_bytes(serving) - before) / MIB, lost)

    def compare(name: str, title: str, unit: str, measure: Callable[[Running], Sample], at_most: float) -> Comparison:
        its = (Target("corepool", at_most),)
        return bench.compare(
            name=name, title=title, unit=unit, servers=servers, rounds=rounds, measure=measure, targets=its
        )

    what = f"of {size // 1_000_000} MB on a stream: the slowest of {beside.SMALL} small answers on its connection"
    both = f"An upload, then a download, of {size // 1_000_000} MB: growth of the serving process's peak RSS"
    return [
        compare("h2, beside an upload", f"An upload {what}", "ms", delay(up=True), 50),
        compare("h2, beside a download", f"A download {what}", "ms", delay(up=False), 50),
        compare("h2, transfers", both, "MiB", memory, 16),
    ]


def _growth(running: Running) -> Sample:
    """Measure what an idle connection of HTTP/2 takes more than one of HTTP/1; each was served once."""
    serving = process_tree(running.pid)[-1]
    costs = []
    with ExitStack() as opened:
        for connect in (_over_http1, _over_http2):
            for _ in range(WARM_UP):
                opened.enter_context(connect(running.port))
            before = rss_bytes(serving)
            for _ in range(IDLE):
                opened.enter_context(connect(running.port))
            costs.append((rss_bytes(serving) - before) / IDLE / KIB)
    http1, http2 = costs
    return Sample(http2 - http1)


def _over_http1(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if not client.recv(4096).startswith(b"HTTP/1.1 200"):
        raise BenchError(f"127.0.0.1:{port} didn't serve a connection")
    return client


def _over_http2(port: int) -> socket.socket:
    client = RawClient(port)
    client.socket.sendall(request(1, "/"))
    ended: list[int] = []

    def meet(found: Frame) -> None:
        kind, flags, stream, _ = found
        if kind in {HEADERS, DATA} and flags & END_STREAM:
            ended.append(stream)

    while not ended:
        client.receive(meet)
    return client.socket
