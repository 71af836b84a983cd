"""A pool's status as metrics, in the text format of Prometheus."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from corepool import Metric as Declared
from corepool.spec.counters import SHOWN_OF_LISTENERS, SHOWN_OF_PROTOCOLS, TOTALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from corepool.spec.counters import Counter

OF_WORKERS = {
    "connections": ("corepool_worker_connections", "Connections that a worker has.", 1.0),
    "lag_ms": ("corepool_worker_lag_seconds", "How late a worker's loop was at its last heartbeat.", 0.001),
    "heartbeat_age": (
        "corepool_worker_heartbeat_age_seconds",
        "How long ago a worker's loop has turned; above a second an application keeps it.",
        1.0,
    ),
    "cpu": ("corepool_worker_cpu_seconds", "CPU time of a worker; its replacement begins at 0.", 1.0),
    "rss": ("corepool_worker_resident_bytes", "Memory of a worker.", 1.0),
    "threads": ("corepool_worker_threads", "Threads that plugins of a worker have.", 1.0),
    "threads_busy": ("corepool_worker_threads_busy", "Threads that serve a connection or a request.", 1.0),
    "threads_waiting": ("corepool_worker_threads_waiting", "Connections or requests that wait for a thread.", 1.0),
    "uptime": ("corepool_worker_uptime_seconds", "How long a worker has been running.", 1.0),
    "generation": ("corepool_worker_generation", "Configuration generation of the worker.", 1.0),
}


def exposition(told: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the content type and the text for a status."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Status(told))
    return CONTENT_TYPE_LATEST, generate_latest(registry)


class _Status(Collector):
    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        told = self._told
        for counter in TOTALS:
            value = told["totals"][counter.name]
            yield CounterMetricFamily(f"corepool_{counter.name}", counter.meaning, value=value)
        yield GaugeMetricFamily("corepool_uptime_seconds", "How long the master has run.", value=told["uptime"])
        build = GaugeMetricFamily(
            "corepool_build_info",
            "The corepool that runs; compiled: to machine code.",
            labels=list(told["build"]),
        )
        build.add_metric([str(value).lower() for value in told["build"].values()], 1)
        yield build
        yield GaugeMetricFamily("corepool_generation", "Reloads so far.", value=told["generation"])
        wanted = GaugeMetricFamily("corepool_workers_wanted", "Workers that there should be.", labels=["pool"])
        ready = GaugeMetricFamily("corepool_workers_ready", "Workers that take connections.", labels=["pool"])
        serving = [worker for worker in told["workers"] if worker["state"] == "ready"]
        for pool in told["pools"]:
            wanted.add_metric([pool["name"]], pool["wanted"])
            ready.add_metric([pool["name"]], sum(worker["pool"] == pool["name"] for worker in serving))
        yield wanted
        yield ready
        reload = told["reload"]
        failed = int(reload["failure"] is not None)
        yield GaugeMetricFamily(
            "corepool_reload_failed", "1 after a failed reload, until one or an upgrade succeeds.", value=failed
        )
        yield GaugeMetricFamily(
            "corepool_reload_last_success_timestamp_seconds",
            "When the last reload took effect, or the first configuration was read.",
            value=reload["done_at"],
        )
        renewal = told["renewal"]
        yield GaugeMetricFamily(
            "corepool_renewal_failed",
            "1 while files of a transport, such as certificates, can't be used, or a worker can't take new ones.",
            value=int(bool(renewal["failures"])),
        )
        ends = GaugeMetricFamily(
            "corepool_certificate_not_after_timestamp_seconds",
            "When the certificate of a listener ends, for each name in it.",
            labels=["listener", "name", "source"],
        )
        for each in renewal["certificates"]:
            for name in each["names"]:
                ends.add_metric([each["listener"], name, each["source"]], each["not_after"])
        yield ends
        yield from _counted("listener", told["listeners"], SHOWN_OF_LISTENERS)
        yield from _counted("protocol", told["listeners"], SHOWN_OF_PROTOCOLS)
        failures = CounterMetricFamily(
            "corepool_listener_handshake_failures",
            "Connections of a listener whose layers, such as TLS, have not opened, by reason.",
            labels=["listener", "reason"],
        )
        for listener in told["listeners"]:
            for reason, count in listener["handshake_failures"].items():
                failures.add_metric([listener["name"], reason], count)
        yield failures
        for key, (name, meaning, factor) in OF_WORKERS.items():
            # One a slot: by pid there would be new series with each reload, for ever.
            gauge = GaugeMetricFamily(name, meaning, labels=["pool", "slot"])
            for (pool_name, slot), worker in {(each["pool"], each["slot"]): each for each in serving}.items():
                gauge.add_metric([pool_name, str(slot)], worker[key] * factor)
            yield gauge
        yield from of_protocols(told["listeners"])


def _counted(
    of: Literal["listener", "protocol"], listeners: Sequence[Mapping[str, Any]], counters: Iterable[Counter]
) -> Iterator[Metric]:
    """Make the families of the counters of listeners, or of their protocols."""
    if of == "listener":
        labels, rows = ["listener"], [([each["name"]], each) for each in listeners]
    else:
        labels = ["listener", "protocol"]
        rows = [([each["name"], its["name"]], its) for each in listeners for its in each["protocols"]]
    active = GaugeMetricFamily(f"corepool_{of}_active", f"Open connections of a {of}.", labels=labels)
    for values, row in rows:
        active.add_metric(values, row["active"])
    yield active
    for counter in counters:
        meaning = f"Of a {of}: {counter.meaning[:1].lower()}{counter.meaning[1:]}"
        family = CounterMetricFamily(f"corepool_{of}_{counter.name}", meaning, labels=labels)
        for values, row in rows:
            family.add_metric(values, row[counter.name])
        yield family


def of_protocols(listeners: Iterable[Mapping[str, Any]]) -> list[Metric]:
    """Make the families of the metrics that the protocols of listeners declare."""
    families: dict[str, _Family] = {}
    for listener, protocol in ((each, its) for each in listeners for its in each["protocols"]):
        for told in protocol["metrics"]:
            declared = Declared(told["name"], told["meaning"], told["kind"], told["labels"], told["bounds"])
            family = families.setdefault(declared.name, _family_of(declared))
            for number, combination in enumerate(declared.combinations()):
                cells = told["cells"][number * declared.width :][: declared.width]
                _add(family, [listener["name"], protocol["name"], *combination], declared, cells)
    return list(families.values())


_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


def _family_of(declared: Declared) -> _Family:
    kinds: dict[str, type[_Family]] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    return kinds[declared.kind](
        f"corepool_{declared.name}", declared.meaning, labels=["listener", "protocol", *declared.labels]
    )


def _add(family: _Family, labels: list[str], declared: Declared, cells: Sequence[int]) -> None:
    if not isinstance(family, HistogramMetricFamily):
        family.add_metric(labels, cells[0])
        return
    *counts, billionths = cells
    bounds = [*map(floatToGoString, declared.bounds), "+Inf"]
    family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), billionths / 1e9)
