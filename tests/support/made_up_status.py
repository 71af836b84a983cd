"""A `status` as a master would answer it: of the master's own types, so that it can't fall behind them."""

from __future__ import annotations

from corepool.master.status import (
    ListenerStatus,
    PoolStatus,
    ReloadStatus,
    RenewalStatus,
    UpgradeStatus,
    WorkersOfPool,
    WorkerStatus,
    build_status,
)
from corepool.spec.counters import TOTALS


def made_up_status() -> PoolStatus:
    """Return the status of a pool with one worker and one listener."""
    listener = ListenerStatus(
        name="echo",
        pool="default",
        bind=["tcp://127.0.0.1:7007", "unix:@[bold]x"],
        protocol="echo",
        dispatcher="kernel",
        active=2,
        paused=False,
        accepted=5,
        closed=3,
        moved=0,
        bytes_in=1023,
        bytes_out=5 * 2**30,
        hook_errors=3,
        layer_failures=0,
        handshake_failures={},
        proxy_failures=0,
        unmatched=0,
        protocols=[],
    )
    worker = WorkerStatus(
        pool="default",
        slot=0,
        pid=42,
        state="ready",
        generation=0,
        connections=2,
        accepted=5,
        requests=9,
        uptime=12.0,
        lag_ms=0.25,
        heartbeat_age=0.5,
        cpu=1.5,
        rss=3 * 2**20,
        threads=0,
        threads_busy=0,
        threads_waiting=0,
    )
    counted = dict.fromkeys((each.name for each in TOTALS), 0)
    status = PoolStatus(
        name="shop",
        pid=41,
        configuration="/srv/shop/corepool.toml",
        version="0.1.0",
        build=build_status("0.1.0"),
        uptime=7300.0,
        state="ready",
        wanted=1,
        generation=0,
        reload=ReloadStatus(state="none", generation=0, left=0, error="", done_at=1.7e9, failure=None),
        upgrade=UpgradeStatus(state="none", pid=0, error=""),
        renewal=RenewalStatus(looked_at=1.7e9, waiting=0, waiting_for=[], failures=[], certificates=[]),
        pools=[WorkersOfPool(name="default", state="ready", wanted=1)],
        listeners=[listener],
        workers=[worker],
        totals={**counted, "accepted": 5, "closed": 3, "requests": 9},
    )
    for kind, made in ((PoolStatus, status), (ListenerStatus, listener), (WorkerStatus, worker)):
        assert set(made) == set(kind.__annotations__), f"{kind.__name__} has other fields"
    return status
