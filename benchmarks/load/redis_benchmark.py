"""redis's own load generator."""

from __future__ import annotations

import socket

from benchmarks.load import program
from benchmarks.needs import require
from benchmarks.results import BenchError

ANSWER = b"+PONG\r\n"

KEYS, VALUE_BYTES = 100_000, 64

_SET_AT_ONCE = 500

_WORDS = {"xadd": ["xadd", "stream", "*", "field", "x" * VALUE_BYTES]}
"""Requests of commands of which redis-benchmark has no test."""


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
    """Send `requests` of a command, with values of 64 bytes; `fill` sets the keys of GET and SET.

    The keys of GET and SET, the fields of HSET and the members of ZADD are chosen from 100,000; LPUSH and RPOP have one
    list, and RPOP one that was filled before; XADD has one stream.

    :raises BenchError: a connection was lost, or what came was no answer.
    """
    _check_answer(port)
    arguments = ["-h", "127.0.0.1", "-p", str(port), "-n", str(requests), "-c", str(connections), "-P", str(pipeline)]
    arguments += ["-d", str(VALUE_BYTES), "-r", str(KEYS), "--csv", *_WORDS.get(command, ["-t", command])]
    output = program.run([require("redis-benchmark"), *arguments], core)
    if not any(line.lower().startswith(f'"{command}') for line in output.splitlines()):
        raise BenchError(f"redis-benchmark reported no result for {command}, but: {output!r}")


def fill(port: int) -> None:
    """Set every key that `run` chooses from: a GET of a key that is not there is another, cheaper thing.

    :raises BenchError: a SET was refused, or the connection was lost.
    """
    value = b"$%d\r\n%b\r\n" % (VALUE_BYTES, b"x" * VALUE_BYTES)
    expected = b"+OK\r\n" * _SET_AT_ONCE
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client, client.makefile("rb") as answers:
            for first in range(0, KEYS, _SET_AT_ONCE):
                numbers = range(first, first + _SET_AT_ONCE)
                client.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n%b" % (n, value) for n in numbers))
                answer = answers.read(len(expected))
                if answer != expected:
                    raise BenchError(f"127.0.0.1:{port} answered {answer[:80]!r} to {_SET_AT_ONCE} SETs")
    except OSError as error:
        raise BenchError(f"127.0.0.1:{port} didn't take {KEYS} keys: {error}") from None


def _check_answer(port: int) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"PING\r\n")
            answer = client.recv(len(ANSWER), socket.MSG_WAITALL)
    except OSError as error:
        raise BenchError(f"127.0.0.1:{port} didn't answer a PING: {error}") from None
    if answer != ANSWER:
        raise BenchError(f"127.0.0.1:{port} answered {answer!r} to PING; expected {ANSWER!r}")
