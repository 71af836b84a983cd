"""redis's own load generator."""

from __future__ import annotations

import socket

from benchmarks.load import program
from benchmarks.needs import require
from benchmarks.results import BenchError

ANSWER = b"+PONG\r\n"


def ping(port: int, requests: int, connections: int, core: int) -> None:
    """Send `requests` inline PINGs over `connections` kept open, each waiting for its answer.

    redis-benchmark fails at the first connection that breaks or answer that isn't one, but takes an error
    for an answer; so the answer is checked once here.

    :raises BenchError: a connection or an answer was lost.
    """
    _check_answer(port)
    command = [require("redis-benchmark"), "-h", "127.0.0.1", "-p", str(port), "-t", "ping_inline"]
    output = program.run([*command, "-n", str(requests), "-c", str(connections), "--csv"], core)
    if not any(line.startswith('"PING_INLINE"') for line in output.splitlines()):
        raise BenchError(f"redis-benchmark reported no result for PING_INLINE, but: {output!r}")


def run(port: int, command: str, requests: int, connections: int, pipeline: int, core: int) -> None:
    """Send `requests` GETs or SETs of 64 bytes, keys chosen from 100,000.

    :raises BenchError: a connection was lost, or what came was no answer.
    """
    _check_answer(port)
    arguments = ["-h", "127.0.0.1", "-p", str(port), "-t", command, "-n", str(requests), "-c", str(connections)]
    arguments += ["-P", str(pipeline), "-d", "64", "-r", "100000", "--csv"]
    output = program.run([require("redis-benchmark"), *arguments], core)
    if not any(line.startswith(f'"{command.upper()}"') for line in output.splitlines()):
        raise BenchError(f"redis-benchmark reported no result for {command}, but: {output!r}")


def _check_answer(port: int) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"PING\r\n")
            answer = client.recv(len(ANSWER), socket.MSG_WAITALL)
    except OSError as error:
        raise BenchError(f"127.0.0.1:{port} didn't answer a PING: {error}") from None
    if answer != ANSWER:
        raise BenchError(f"127.0.0.1:{port} answered {answer!r} to PING; expected {ANSWER!r}")
