"""How long a server takes from its start until it has answered a request, as at a deployment, or in a test."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from benchmarks.results import BenchError, Comparison, Sample, Target
from benchmarks.servers import START_TIMEOUT_S, Server, corepool_http, granian, gunicorn, uvicorn

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from benchmarks.servers import Running
    from benchmarks.turns import Bench

ROUNDS, QUICK_ROUNDS = 15, 3
WORKERS = "2"
LOOK_S = 0.001
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
MS = 1000


class Cold(Server):
    """A server that counts as running as soon as its process is there."""

    __slots__ = ()

    def _await_ready(self, process: subprocess.Popen[bytes], notify: socket.socket, scratch: Path) -> None:
        pass

    def _await_listening(self, process: subprocess.Popen[bytes], port: int, scratch: Path) -> None:
        pass


def run(bench: Bench) -> list[Comparison]:
    """Compare the first answers of pools of two workers."""
    servers = [_cold(each) for each in (corepool_http("wsgi"), gunicorn("wsgi", 1), granian("wsgi"), uvicorn())]
    figures = bench.compare(servers, QUICK_ROUNDS if bench.quick else ROUNDS, _first_answer)
    return [
        Comparison(
            name="cold start",
            title=f"From the start of {WORKERS} workers to the first answer, all processes on one core",
            unit="ms",
            figures=figures,
            targets=(Target("corepool", 1.2, "gunicorn"),),
        )
    ]


def _cold(server: Server) -> Server:
    command = list(server.command)
    flag = next((each for each in ("-w", "--workers") if each in command), None)
    if flag is None:
        command += ["--workers", WORKERS]
    else:
        command[command.index(flag) + 1] = WORKERS
    return Cold(server.name, tuple(command), server.environment, server.says_ready, server.needs)


def _first_answer(running: Running) -> Sample:
    began = time.monotonic()
    while time.monotonic() - began < START_TIMEOUT_S:
        try:
            with socket.create_connection(("127.0.0.1", running.port), timeout=START_TIMEOUT_S) as client:
                client.sendall(REQUEST)
                if client.recv(4096).startswith(b"HTTP/1.1 200"):
                    return Sample((time.monotonic() - began) * MS)
        except OSError:  # nothing listens there yet
            pass
        time.sleep(LOOK_S)
    log = (running.scratch / "log").read_text(errors="replace")[-2000:]
    raise BenchError(f"no answer within {START_TIMEOUT_S:.0f} s; the end of its log:\n{log}")
