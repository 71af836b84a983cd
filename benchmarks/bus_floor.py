"""The least latency that the row `bus, latency` can have, by programs without corepool: four processes on one core.

    python -m benchmarks.bus_floor [--real-time]

Each gets a packet from a fifth one every 2 ms, over a socket pair of its own, and burns CPU time beside, an eighth of
the core: all four half of it. `bare`: a loop around epoll. `asyncio`: a reader of the loop wakes a coroutine, as a
subscription of the bus does. With --real-time all are in SCHED_RR (as root), so other work of the machine waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import sys
import time
from collections import deque
from statistics import quantiles
from typing import TYPE_CHECKING, TextIO

from benchmarks.processes import Cores, pinned

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSES = 4
MESSAGES = 1_000
PAUSE_S = 0.002
PACKET = 65_536


class Burning:
    """The requests of a process: at each due time it burns, then pauses seven times as long as that took."""

    def __init__(self, seconds: float) -> None:
        """Begin soon; never, if a request takes no time."""
        self._seconds = seconds
        self.due = time.monotonic() + PAUSE_S if seconds else float("inf")

    def burn(self) -> None:
        """Serve a request."""
        began, ends = time.monotonic(), time.thread_time() + self._seconds
        while time.thread_time() < ends:
            pass
        now = time.monotonic()
        self.due = now + (2 * PROCESSES - 1) * (now - began)


def bare(sock: socket.socket, burning: Burning) -> list[float]:
    """Receive in a loop of our own; return how long each message took, in milliseconds."""
    took_ms: list[float] = []
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN)
        while len(took_ms) < MESSAGES:
            left = burning.due - time.monotonic()
            if epoll.poll(None if left == float("inf") else max(left, 0.0)):
                took_ms.append(_age_ms(sock.recv(PACKET)))
            if time.monotonic() >= burning.due:
                burning.burn()
    return took_ms


def with_asyncio(sock: socket.socket, burning: Burning) -> list[float]:
    """Receive in a reader of asyncio's loop, which wakes a coroutine; returns as `bare`."""
    return asyncio.run(_read(sock, burning))


async def _read(sock: socket.socket, burning: Burning) -> list[float]:
    loop = asyncio.get_running_loop()
    queue: deque[bytes] = deque()
    waiter: asyncio.Future[None] = loop.create_future()

    def receive() -> None:
        queue.append(sock.recv(PACKET))
        if not waiter.done():
            waiter.set_result(None)

    def serve() -> None:
        burning.burn()
        loop.call_at(burning.due, serve)

    loop.add_reader(sock, receive)
    if burning.due != float("inf"):
        loop.call_at(burning.due, serve)
    took_ms: list[float] = []
    while len(took_ms) < MESSAGES:
        if not queue:
            waiter = loop.create_future()
            await waiter
        took_ms.append(_age_ms(queue.popleft()))
    return took_ms


def _age_ms(message: bytes) -> float:
    return (time.monotonic_ns() - int(message)) / 1e6


def measured(receive: Callable[[socket.socket, Burning], list[float]], burn_s: float) -> list[float]:
    """Return the latency of all messages, in milliseconds."""
    outs: list[socket.socket] = []
    told: list[TextIO] = []
    for _ in range(PROCESSES):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:  # whatever happens, this process goes on with nothing of its parent's
                theirs.setblocking(False)
                with os.fdopen(writing, "w") as telling:
                    json.dump(receive(theirs, Burning(burn_s)), telling)
            finally:
                os._exit(0)
        os.close(writing)
        theirs.close()
        outs.append(ours)
        told.append(os.fdopen(reading))
    time.sleep(0.2)
    for _ in range(MESSAGES):
        message = b"%0100d" % time.monotonic_ns()
        for out in outs:
            out.send(message)
        time.sleep(PAUSE_S)
    took_ms = [each for pipe in told for each in json.load(pipe)]
    for _ in range(PROCESSES):
        os.wait()
    return took_ms


def main() -> None:
    """Measure both ways, and print a table."""
    if "--real-time" in sys.argv[1:]:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with pinned(Cores.pick().server):
        for name, receive in (("bare", bare), ("asyncio", with_asyncio)):
            for burn_s in (0.0, 0.0001, 0.0004):
                cuts = quantiles(measured(receive, burn_s), n=100)
                print(f"{name:8} requests of {burn_s * 1e3:.1f} ms: p50 {cuts[49]:.3f}, p99 {cuts[98]:.3f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
