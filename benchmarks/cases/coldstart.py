"""What a server takes from its start until it has answered a request, as at a deployment, or in a test.

Time, and CPU time of all its processes until then: on a machine that does other things, only the latter says much.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.processes import cpu_ns
from benchmarks.results import BenchError, Comparison, Figure, Sample, Target
from benchmarks.servers import START_TIMEOUT_S, Server, corepool_http, granian, gunicorn, uvicorn

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.servers import Running
    from benchmarks.turns import Bench

ROUNDS, QUICK_ROUNDS = 15, 3
WORKERS = "2"
ROWS = ("cold start", "cold start, CPU")
LOOK_S = 0.001
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
MS, NS_PER_MS = 1000, 1_000_000
BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Variables with which some servers would compile their modules at each start, and others not."""


class Cold(Server):
    """A server that counts as running as soon as its process is there."""

    __slots__ = ()

    def _await_ready(self, process: subprocess.Popen[bytes], notify: socket.socket, scratch: Path) -> None:
        pass

    def _await_listening(self, process: subprocess.Popen[bytes], port: int, scratch: Path) -> None:
        pass


class Start(NamedTuple):
    """A start until the first answer."""

    elapsed_ms: float
    cpu_ms: float


def run(bench: Bench) -> list[Comparison]:
    """Compare the first answers of pools of two workers."""
    servers = [_cold(each) for each in (corepool_http("wsgi"), gunicorn("wsgi", 1), granian("wsgi"), uvicorn())]
    bench.take_turns(ROWS, servers, 1, _first_answer)  # not counted: it compiles the modules
    starts = bench.take_turns(ROWS, servers, QUICK_ROUNDS if bench.quick else ROUNDS, _first_answer)

    def compare(name: str, title: str, part: Callable[[Start], float]) -> Comparison:
        figures = (Figure(server, tuple(Sample(part(each)) for each in its)) for server, its in starts.items() if its)
        return Comparison(name, title, "ms", tuple(figures), (Target("corepool", 1.2, "gunicorn"),))

    until = f"From the start of {WORKERS} workers to the first answer, all processes on one core"
    return [
        compare(ROWS[0], until, lambda each: each.elapsed_ms),
        compare(ROWS[1], f"{until}: CPU time, user and system", lambda each: each.cpu_ms),
    ]


def _cold(server: Server) -> Server:
    command = list(server.command)
    flag = next((each for each in ("-w", "--workers") if each in command), None)
    if flag is None:
        command += ["--workers", WORKERS]
    else:
        command[command.index(flag) + 1] = WORKERS
    warm = ("env", *(f"--unset={each}" for each in BYTECODE), *command)
    return Cold(server.name, warm, server.environment, needs=server.needs)


def _first_answer(running: Running) -> Start:
    began = time.monotonic()
    while time.monotonic() - began < START_TIMEOUT_S:
        try:
            with socket.create_connection(("127.0.0.1", running.port), timeout=START_TIMEOUT_S) as client:
                client.sendall(REQUEST)
                if client.recv(4096).startswith(b"HTTP/1.1 200"):
                    elapsed_ms = (time.monotonic() - began) * MS
                    return Start(elapsed_ms, cpu_ns(running.pid) / NS_PER_MS)
        except OSError:  # nothing listens there yet
            pass
        time.sleep(LOOK_S)
    log = (running.scratch / "log").read_text(errors="replace")[-2000:]
    raise BenchError(f"no answer within {START_TIMEOUT_S:.0f} s; the end of its log:\n{log}")
