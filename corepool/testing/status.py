"""The shape of what `corepool status --json` prints and the control socket answers."""

from __future__ import annotations

from typing import TypedDict


class ListenerStatus(TypedDict):
    """One listener; `bind` holds URLs as bound, with the real port."""

    name: str
    pool: str
    bind: list[str]
    protocol: str
    dispatcher: str
    accepted: int
    active: int
    paused: bool


class WorkerStatus(TypedDict):
    """One worker; `state` is starting, ready, draining or stopping; `uptime` in seconds, `rss` in bytes."""

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


class PoolStatus(TypedDict):
    """One pool; `state` is starting, ready or stopping, `wanted` how many workers there should be."""

    name: str
    state: str
    wanted: int


class TotalsStatus(TypedDict):
    """Sums over the pool's whole life; none ever goes backwards."""

    accepted: int
    closed: int
    requests: int
    restarts: int
    redispatched: int
    moved: int
    survived: int
    farewelled: int
    refused: int


class ReloadStatus(TypedDict):
    """The last reload: `state` is none, running, done or failed; `left` counts workers not replaced yet."""

    state: str
    generation: int
    left: int
    error: str


class UpgradeStatus(TypedDict):
    """The last upgrade that this master has begun; `state` as above, `pid` the new master's."""

    state: str
    pid: int
    error: str


class Status(TypedDict):
    """A running master; `state` is starting, ready or stopping, `wanted` the number of workers in all pools."""

    pid: int
    version: str
    uptime: float
    state: str
    wanted: int
    generation: int
    reload: ReloadStatus
    upgrade: UpgradeStatus
    pools: list[PoolStatus]
    listeners: list[ListenerStatus]
    workers: list[WorkerStatus]
    totals: TotalsStatus
