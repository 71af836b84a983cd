"""TLS 1.3: requests, handshakes, a file and idle connections, beside the servers of the field that do the same."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.cases.http import CONNECTIONS, FILE_BYTES, QUICK_ROUNDS, QUICK_SECONDS, ROUNDS, SECONDS
from benchmarks.load import s_time, wrk
from benchmarks.processes import cpu_ns, process_tree, raise_descriptor_limit, rss_bytes
from benchmarks.results import BenchError, Comparison, Sample, Target
from benchmarks.tls_servers import corepool_tls, granian_tls, make_certificate, nginx_tls, uvicorn_tls
from benchmarks.turns import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.servers import Running, Server
    from benchmarks.turns import Bench

IDLE, WARM_UP = 1000, 200
SPARE_DESCRIPTORS = 100
KIB = 1024


def run(bench: Bench) -> list[Comparison]:
    """Compare WSGI, ASGI, a file, full handshakes and resumed ones, and the memory of idle connections."""
    seconds, rounds = (QUICK_SECONDS, QUICK_ROUNDS) if bench.quick else (SECONDS, ROUNDS)
    folder, root = bench.scratch, str(bench.scratch)
    make_certificate(folder, bench.cores.load)
    (folder / "file").write_bytes(bytes(FILE_BYTES))
    raise_descriptor_limit(IDLE + WARM_UP + SPARE_DESCRIPTORS)

    def by_wrk(path: str, *headers: str) -> Callable[[Running], Sample]:
        def measure(running: Running) -> Sample:
            load = (running.port, path, CONNECTIONS)
            wrk.run(*load, 1, bench.cores.load, headers, scheme="https")
            before = cpu_ns(running.pid)
            requests, lost = wrk.run(*load, seconds, bench.cores.load, headers, scheme="https")
            return Sample((cpu_ns(running.pid) - before) / requests / NS_PER_US, lost)

        return measure

    def by_resumption(running: Running) -> Sample:
        s_time.run(running.port, 1, bench.cores.load, resumed=True)
        before = cpu_ns(running.pid)
        count = s_time.run(running.port, seconds, bench.cores.load, resumed=True)
        return Sample((cpu_ns(running.pid) - before) / count / NS_PER_US, 0)

    def compare(
        name: str,
        title: str,
        servers: Sequence[Server],
        measure: Callable[[Running], Sample],
        *targets: tuple[float, str],
        unit: str = "µs",
    ) -> Comparison:
        its = [Target("corepool", at_most, peer=peer) for at_most, peer in targets]
        return bench.compare(
            name=name, title=title, unit=unit, servers=servers, rounds=rounds, measure=measure, targets=its
        )

    wsgi, asgi = corepool_tls(folder, "wsgi"), corepool_tls(folder, "asgi")
    files = [corepool_tls(folder, "files", root=root), nginx_tls(folder, root)]
    once = [corepool_tls(folder, "wsgi", dispatcher="kernel"), nginx_tls(folder, root)]
    keep_alive = f"{CONNECTIONS} connections: CPU time per request"
    return [
        compare(
            "tls, wsgi",
            f"WSGI over TLS, hello, {keep_alive}",
            [wsgi, granian_tls(folder, "wsgi")],
            by_wrk("/"),
            (1.0, "granian"),
        ),
        compare(
            "tls, asgi",
            f"ASGI over TLS, hello, {keep_alive}",
            [asgi, granian_tls(folder, "asgi"), uvicorn_tls(folder)],
            by_wrk("/"),
            (1.0, "granian"),
            (0.6, "uvicorn"),
        ),
        compare("tls, file", f"A file of 100 KiB over TLS, {keep_alive}", files, by_wrk("/file"), (1.5, "nginx")),
        compare(
            "tls, handshakes",
            "Full handshakes, ECDSA P-256, a request each: CPU time per connection",
            once,
            by_wrk("/", "Connection: close"),
            (1.3, "nginx"),
        ),
        compare(
            "tls, resumed",
            "Resumed handshakes, a request each: CPU time per connection",
            once,
            by_resumption,
            (1.3, "nginx"),
        ),
        compare(
            "tls, idle",
            f"{IDLE:,} idle connections with TLS: growth of the serving process's RSS per connection",
            [wsgi, nginx_tls(folder, root)],
            _growth,
            (1.2, "nginx"),
            unit="KiB",
        ),
    ]


def _growth(running: Running) -> Sample:
    serving = process_tree(running.pid)[-1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # of a server of ours, for its memory
    with ExitStack() as opened:
        for _ in range(WARM_UP):
            opened.enter_context(_connect(running.port, context))
        before = rss_bytes(serving)
        idle = [opened.enter_context(_connect(running.port, context)) for _ in range(IDLE)]
        growth = rss_bytes(serving) - before
        lost = sum(client.fileno() < 0 for client in idle)
    return Sample(growth / IDLE / KIB, lost)


def _connect(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Open a connection that was served once."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    client = context.wrap_socket(plain)
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if not client.recv(4096).startswith(b"HTTP/1.1 200"):
        raise BenchError(f"127.0.0.1:{port} didn't serve a connection")
    return client
