"""What `corepool status` shows: a snapshot of the pool in plain values."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypedDict

from corepool.ipc.scoreboard import Cell, Scoreboard, held, listener_cell

if TYPE_CHECKING:
    from collections.abc import Container

    from corepool.listener import Configuration
    from corepool.master.workers import Workers

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


class ListenerStatus(TypedDict):
    """One configured listener, and the pool that serves it."""

    name: str
    pool: str
    bind: list[str]
    protocol: str
    dispatcher: str
    accepted: int
    active: int
    paused: bool


class WorkerStatus(TypedDict):
    """One worker process of a pool; `rss` in bytes."""

    pool: str
    slot: int
    pid: int
    state: str
    generation: int
    connections: int
    accepted: int
    requests: int
    uptime: float
    lag_ms: float
    rss: int
    threads: int
    threads_busy: int
    threads_waiting: int


class WorkersOfPool(TypedDict):
    """One pool; `wanted`: how many workers there should be."""

    name: str
    state: str
    wanted: int


class Totals(TypedDict):
    """Since the master started, over every process there was."""

    accepted: int
    closed: int
    requests: int
    restarts: int
    redispatched: int
    moved: int
    survived: int
    interrupted: int
    refused: int


class ReloadStatus(TypedDict):
    """The last reload; `left`: workers that still wait for their successors."""

    state: Literal["none", "running", "done", "failed"]
    generation: int
    left: int
    error: str


class UpgradeStatus(TypedDict):
    """The last upgrade that this master has begun; `pid` is the new master's."""

    state: Literal["none", "running", "done", "failed"]
    pid: int
    error: str


class PoolStatus(TypedDict):
    """The whole answer; `wanted`: how many workers there should be in all pools."""

    pid: int
    version: str
    uptime: float
    state: Literal["starting", "ready", "stopping"]
    wanted: int
    generation: int
    reload: ReloadStatus
    upgrade: UpgradeStatus
    pools: list[WorkersOfPool]
    listeners: list[ListenerStatus]
    workers: list[WorkerStatus]
    totals: Totals


def listeners_status(
    configuration: Configuration, scoreboard: Scoreboard, paused: Container[str]
) -> list[ListenerStatus]:
    """Describe the listeners, each with all its addresses as bound."""
    by_index: dict[int, ListenerStatus] = {}
    for each in configuration.bound:
        listener = each.listener
        if listener.place not in by_index:
            cell = listener_cell(listener.place)
            accepted, closed, moved_in, moved_out = (scoreboard.total(cell + place) for place in range(4))
            by_index[listener.place] = ListenerStatus(
                name=listener.name,
                pool=configuration.name,
                bind=[],
                protocol=listener.settings.protocol,
                dispatcher=listener.dispatcher_name,
                accepted=accepted,
                active=max(0, accepted + moved_in - closed - moved_out),
                paused=listener.name in paused,
            )
        by_index[listener.place]["bind"].append(each.url)
    return list(by_index.values())


def workers_status(pool: str, workers: Workers, now: float) -> list[WorkerStatus]:
    """Describe the worker processes, by slot."""
    return [
        WorkerStatus(
            pool=pool,
            slot=entry.slot,
            pid=entry.pid,
            state=str(entry.state),
            generation=entry.generation,
            connections=held(entry.row.cells),
            accepted=entry.row.cells[Cell.ACCEPTED],
            requests=entry.row.cells[Cell.REQUESTS],
            uptime=round(now - entry.started_at, 3),
            lag_ms=round(entry.row.cells[Cell.LAG_NS] / 1e6, 3),
            rss=resident_bytes(entry.pid),
            threads=entry.row.cells[Cell.THREADS],
            threads_busy=entry.row.cells[Cell.THREADS_BUSY],
            threads_waiting=entry.row.cells[Cell.THREADS_WAITING],
        )
        for entry in sorted(workers, key=lambda entry: (entry.slot, entry.pid))
    ]


def totals(scoreboard: Scoreboard, *, restarts: int, redispatched: int, survived: int, interrupted: int) -> Totals:
    """Sum up."""
    return Totals(
        accepted=scoreboard.total(Cell.ACCEPTED),
        closed=scoreboard.total(Cell.CLOSED),
        requests=scoreboard.total(Cell.REQUESTS),
        restarts=restarts,
        redispatched=redispatched,
        moved=scoreboard.total(Cell.MOVED_IN),
        survived=survived,
        interrupted=interrupted,
        refused=scoreboard.total(Cell.REFUSED),
    )


def resident_bytes(pid: int) -> int:
    """Resident bytes of a process; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0
