"""The shape of what `corepool status --json` prints and the control socket answers: the types of the master itself."""

from __future__ import annotations

from corepool.master.status import (
    ListenerStatus,
    PoolStatus,
    ReloadStatus,
    Totals,
    UpgradeStatus,
    WorkersOfPool,
    WorkerStatus,
)

__all__ = [
    "ListenerStatus",
    "PoolStatus",
    "ReloadStatus",
    "Totals",
    "UpgradeStatus",
    "WorkerStatus",
    "WorkersOfPool",
]
