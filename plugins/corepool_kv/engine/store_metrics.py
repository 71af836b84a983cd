"""The metrics of a store, for each protocol that serves one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool import Metric

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_kv.engine.engine import Engine


def metrics_of_store(protocol: str) -> tuple[Metric, ...]:
    """Return the metrics of the store of a listener.

    :param protocol: the name that theirs begin with.
    """
    return (
        Metric(f"{protocol}_evicted_keys", "Keys that were evicted from the listener's store, which others may share."),
        Metric(f"{protocol}_store_bytes", "The size of the data in the listener's store.", kind="gauge"),
        Metric(f"{protocol}_store_max_bytes", "The bound of that size.", kind="gauge"),
    )


def count_store(worker: Worker, protocol: object, name: str, engine: Engine) -> None:
    """Count for the listener of a protocol, once a second. Runs in: the worker, at its start.

    :param name: as of `metrics_of_store`.
    """
    is_first = worker.slot == 0  # gauges of all workers are added up, and each would tell the same

    def refresh() -> None:
        cells[f"{name}_evicted_keys"][0] = engine.room.evicted
        if is_first:
            cells[f"{name}_store_bytes"][0] = engine.room.used_bytes
            cells[f"{name}_store_max_bytes"][0] = engine.room.max_bytes

    cells = worker.metrics_of(protocol, refresh)
