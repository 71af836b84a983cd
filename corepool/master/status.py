"""The content of `corepool status`: a snapshot of the pool in plain values."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from corepool.build import is_compiled
from corepool.ipc.metric_cells import Layout
from corepool.ipc.scoreboard import Cell, held
from corepool.spec.counters import HANDSHAKE_FAILURES, SHOWN_OF_LISTENERS, SHOWN_OF_PROTOCOLS, TOTALS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from corepool.master.totals import TotalCounts
    from corepool.master.workers import Workers
    from corepool.plugins.listener import Configuration, Listener, Served

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class MetricStatus(TypedDict):
    """A metric of a protocol, as it was declared (spec/metrics.py); `cells` are summed over workers."""

    name: str
    meaning: str
    kind: str
    labels: dict[str, list[str]]
    bounds: list[float]
    cells: list[int]


class ProtocolStatus(TypedDict):
    """A protocol of a listener: of its connections, those that it serves or has served."""

    name: str
    active: int
    accepted: int
    closed: int
    moved: int
    bytes_in: int
    bytes_out: int
    hook_errors: int
    metrics: list[MetricStatus]


class ListenerStatus(TypedDict):
    """One configured listener, and the pool that serves it; with the counters of spec/counters.py."""

    name: str
    pool: str
    bind: list[str]
    protocol: str
    dispatcher: str
    active: int
    paused: bool
    accepted: int
    closed: int
    moved: int
    bytes_in: int
    bytes_out: int
    hook_errors: int
    layer_failures: int
    proxy_failures: int
    unmatched: int
    handshake_failures: dict[str, int]
    protocols: list[ProtocolStatus]


class WorkerStatus(TypedDict):
    """One worker process of a pool; `rss` in bytes, `heartbeat_age` and `cpu` in seconds."""

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
    heartbeat_age: float
    cpu: float
    rss: int
    threads: int
    threads_busy: int
    threads_waiting: int


class WorkersOfPool(TypedDict):
    """One pool; `wanted`: how many workers there should be."""

    name: str
    state: str
    wanted: int


Totals = dict[str, int]
"""The counters of spec/counters.py since the pool started, over every process there was, upgrades included."""


class ReloadFailureStatus(TypedDict):
    """The last reload that has failed; `at` in seconds since the epoch, `kept`: workers that it has left as they were.

    `file` and `line`: the place of the mistake; "" and 0 where it is not known.
    """

    at: float
    reason: str
    file: str
    line: int
    kept: int


class ReloadStatus(TypedDict):
    """The last reload; `left`: workers that still wait for their replacements.

    `done_at`: when the last one took effect, or the first configuration was read. `failure`: the last one that has
    failed, until the next one succeeds.
    """

    state: Literal["none", "running", "done", "failed"]
    generation: int
    left: int
    error: str
    done_at: float
    failure: ReloadFailureStatus | None


class UpgradeStatus(TypedDict):
    """The last upgrade that this master has begun; `pid` is the new master's."""

    state: Literal["none", "running", "done", "failed"]
    pid: int
    error: str


class CertificateStatus(TypedDict):
    """A certificate that a listener presents; times in seconds since the epoch."""

    listener: str
    source: str
    names: list[str]
    not_before: float
    not_after: float


class NotRenewed(TypedDict):
    """Files that can't be used, or a worker that can't take new ones (`worker`: its name; else empty)."""

    listener: str
    url: str
    worker: str
    reason: str


class RenewalStatus(TypedDict):
    """The files of transports: when they were last looked at, what they are, and who serves with them.

    `looked_at`: seconds since the epoch; `waiting`: how many states workers have not taken yet; `waiting_for`:
    the names of these workers, with their pids.
    """

    looked_at: float
    waiting: int
    waiting_for: list[str]
    failures: list[NotRenewed]
    certificates: list[CertificateStatus]


class BuildStatus(TypedDict):
    """The program that runs; `compiled`: its hot path is machine code."""

    version: str
    python: str
    compiled: bool


class PoolStatus(TypedDict):
    """The whole answer; `wanted`: how many workers there should be in all pools.

    `configuration` is the absolute path of the file that the pool was started from, if any.
    """

    name: str
    pid: int
    configuration: str | None
    version: str
    build: BuildStatus
    uptime: float
    state: Literal["starting", "ready", "stopping"]
    wanted: int
    generation: int
    reload: ReloadStatus
    upgrade: UpgradeStatus
    renewal: RenewalStatus
    pools: list[WorkersOfPool]
    listeners: list[ListenerStatus]
    workers: list[WorkerStatus]
    totals: Totals


def listeners_status(
    configurations: Iterable[Configuration], totals: TotalCounts, paused: Container[str]
) -> list[ListenerStatus]:
    """Describe the listeners, each with all its addresses as bound."""
    by_place: dict[int, ListenerStatus] = {}
    for configuration in configurations:
        for each in configuration.bound:
            listener = each.listener
            if listener.place not in by_place:
                by_place[listener.place] = _listener_status(listener, configuration.name, totals, paused)
            by_place[listener.place]["bind"].append(each.url)
    return list(by_place.values())


def _listener_status(listener: Listener, pool: str, totals: TotalCounts, paused: Container[str]) -> ListenerStatus:
    status: dict[str, object] = {
        "name": listener.name,
        "pool": pool,
        "bind": [],
        "protocol": listener.protocol_names,
        "protocols": [_protocol_status(each, totals) for each in listener.served],
        "dispatcher": listener.dispatcher_name,
        "active": totals.active(listener.place),
        "paused": listener.name in paused,
        **{each.name: totals.total_of(listener.place, each.name) for each in SHOWN_OF_LISTENERS},
        "handshake_failures": {
            reason: totals.total_of(listener.place, f"handshake_{reason}") for reason in HANDSHAKE_FAILURES
        },
    }
    return cast("ListenerStatus", status)


def _protocol_status(served: Served, totals: TotalCounts) -> ProtocolStatus:
    status: dict[str, object] = {
        "name": served.name,
        "active": totals.active(served.place),
        **{each.name: totals.total_of(served.place, each.name) for each in SHOWN_OF_PROTOCOLS},
        "metrics": _metrics_status(served, totals),
    }
    return cast("ProtocolStatus", status)


def _metrics_status(served: Served, totals: TotalCounts) -> list[MetricStatus]:
    if not served.metrics:
        return []
    layout = Layout(served.metrics)
    counted = layout.counted(totals.metrics_of(served.place, layout))
    return [cast("MetricStatus", {**metric.spell(), "cells": list(counted[metric.name])}) for metric in layout.metrics]


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
            heartbeat_age=round(max(0.0, now - (entry.row.cells[Cell.HEARTBEAT_NS] / 1e9 or now)), 3),
            cpu=cpu_s(entry.pid),
            rss=resident_bytes(entry.pid),
            threads=entry.row.cells[Cell.THREADS],
            threads_busy=entry.row.cells[Cell.THREADS_BUSY],
            threads_waiting=entry.row.cells[Cell.THREADS_WAITING],
        )
        for entry in sorted(workers, key=lambda entry: (entry.slot, entry.pid))
    ]


def sums(totals: TotalCounts) -> Totals:
    """Sum up."""
    return {each.name: totals.total(each.name) for each in TOTALS}


def build_status(version: str) -> BuildStatus:
    """Describe the program."""
    return BuildStatus(version=version, python=sys.version.partition(" ")[0], compiled=is_compiled())


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, in user and system mode (proc(5), stat); 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
            fields = stat.read().rpartition(b")")[2].split()  # the name before it may have spaces
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    except (OSError, IndexError, ValueError):
        return 0.0


def resident_bytes(pid: int) -> int:
    """Resident bytes of a process; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0
