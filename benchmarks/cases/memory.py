"""What an idle connection and an idle worker keep in memory."""

from __future__ import annotations

import os
import select
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import process_tree, raise_descriptor_limit, rss_bytes, uss_bytes
from benchmarks.results import BenchError, Comparison, Figure, Sample, Target
from benchmarks.servers import corepool, protocol_server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.servers import Running
    from benchmarks.turns import Bench

CONNECTIONS = 5_000
WARM_UP = 500  # kept open: what they leave free after closing would be a gift to those that are counted
SPARE_DESCRIPTORS = 100  # what a process has open besides connections, with room
ROUNDS = 3  # memory hardly varies from start to start
QUICK_ROUNDS = 1

MANY_WORKERS, FEW_WORKERS = 8, 4

SLABS = Path("/proc/slabinfo")
OF_SOCKETS = ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll", "lsm_file_cache")
"""Beginnings of the names of caches that have a part of a connection."""

MESSAGE = b"hello, corepool\n"
KIB = 1024
MIB = 1024 * 1024


def run(bench: Bench) -> list[Comparison]:
    """Compare the growth by idle connections, and take stock of idle workers."""
    raise_descriptor_limit(WARM_UP + CONNECTIONS + SPARE_DESCRIPTORS)
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    kernels = [_kernel(bench, rounds)] if os.access(SLABS, os.R_OK) else []
    return [_connections(bench, rounds), *kernels, _workers(bench, rounds)]


def _connections(bench: Bench, rounds: int) -> Comparison:
    servers = [
        corepool("echo", "least-connections"),
        protocol_server("uvloop", "echo"),
        protocol_server("asyncio", "echo"),
    ]
    return bench.compare(
        name="idle connections",
        title=f"{CONNECTIONS:,} idle echo connections: growth of the serving process's RSS per connection",
        unit="KiB",
        servers=servers,
        rounds=rounds,
        measure=_growth_by_connections,
        targets=(Target("corepool", 0.5),),
    )


def _kernel(bench: Bench, rounds: int) -> Comparison:
    return bench.compare(
        name="idle connections, kernel",
        title=f"{CONNECTIONS:,} idle echo connections: memory of the kernel for each end (/proc/slabinfo)",
        unit="KiB",
        servers=[corepool("echo", "least-connections")],
        rounds=rounds,
        measure=_slabs_by_connections,
        targets=(),
    )


def _slabs_by_connections(running: Running) -> Sample:
    with ExitStack() as opened:
        before = _slab_bytes()
        idle = [opened.enter_context(_connect(running.port)) for _ in range(CONNECTIONS)]
        growth = _slab_bytes() - before
        lost = _count_ended(idle)
    return Sample(growth / CONNECTIONS / 2 / KIB, lost)  # the client's end is of this machine, too


def _slab_bytes() -> int:
    """Return the bytes of the kernel's objects for sockets, their files and their entries of epoll."""
    rows = (line.split() for line in SLABS.read_text().splitlines()[2:])
    return sum(int(active) * int(size) for name, active, _, size, *_ in rows if name.startswith(OF_SOCKETS))


def _growth_by_connections(running: Running) -> Sample:
    serving = process_tree(running.pid)[-1]  # the only worker; the server itself when it has none
    with ExitStack() as opened:
        warm = [opened.enter_context(_connect(running.port)) for _ in range(WARM_UP)]
        before = rss_bytes(serving)
        idle = [opened.enter_context(_connect(running.port)) for _ in range(CONNECTIONS)]
        growth = rss_bytes(serving) - before
        lost = _count_ended([*warm, *idle])
    return Sample(growth / CONNECTIONS / KIB, lost)


def _connect(port: int) -> socket.socket:
    """Open a connection that a worker has served, so that everything it needs is there."""
    try:
        client = socket.create_connection(("127.0.0.1", port), timeout=5)
        client.sendall(MESSAGE)
        echo = client.recv(len(MESSAGE), socket.MSG_WAITALL)
    except OSError as error:
        raise BenchError(f"127.0.0.1:{port} didn't serve a connection: {error}") from None
    if echo != MESSAGE:
        raise BenchError(f"127.0.0.1:{port} echoed {echo!r} for {MESSAGE!r}")
    return client


def _count_ended(clients: Iterable[socket.socket]) -> int:
    """Count those that were closed or reset: nothing else makes an idle connection readable."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    return len(poll.poll(0))


@dataclass(frozen=True, slots=True)
class _PoolMemory:
    """Private memory of an idle pool, in MiB: all its processes, and its workers alone."""

    whole: float
    workers: float

    @classmethod
    def of(cls, running: Running) -> _PoolMemory:
        master, *workers = (uss_bytes(pid) / MIB for pid in process_tree(running.pid))
        return cls(whole=master + sum(workers), workers=sum(workers))


def _workers(bench: Bench, rounds: int) -> Comparison:
    many, few = (
        corepool("echo", "least-connections", workers=count, name=f"corepool -w {count}")
        for count in (MANY_WORKERS, FEW_WORKERS)
    )
    pools = bench.take_turns(["idle workers"], [many, few], rounds, _PoolMemory.of)
    figures = {
        "mean worker": [pool.workers / MANY_WORKERS for pool in pools.get(many.name, [])],
        "extra worker": [
            (more.whole - less.whole) / (MANY_WORKERS - FEW_WORKERS)
            for more, less in zip(pools.get(many.name, []), pools.get(few.name, []), strict=False)
        ],
    }
    return Comparison(
        name="idle workers",
        title=f"Idle workers: private memory (USS) of each of {MANY_WORKERS}, of each beyond {FEW_WORKERS}",
        unit="MiB",
        figures=tuple(Figure(name, tuple(map(Sample, costs))) for name, costs in figures.items() if costs),
        targets=(Target("mean worker", 3.0), Target("extra worker", 3.0)),
    )
