"""Listeners that use one resource, such as a store of data, or one name of a metric: can they, and do they agree?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from corepool.ipc.metric_cells import Layout
from corepool.spec.types import SharedResource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool.spec.metrics import Metric


class Sharing(NamedTuple):
    """A plugin of a listener, as far as it may share something."""

    where: str
    """Its place in the configuration."""
    name: str
    pool: int
    plugin: object
    most_workers: int
    """That its pool may have."""


def find_contradictions(listeners: Iterable[Sharing]) -> Iterator[str]:
    """Report listeners that share a resource and contradict each other, and resources shared by too many workers."""
    first: dict[str, tuple[str, Sharing, SharedResource]] = {}
    workers: dict[str, dict[int, int]] = {}
    for listener in listeners:
        where, plugin = listener.where, listener.plugin
        declared: object = getattr(plugin, "shares", ())
        for resource in declared if isinstance(declared, list | tuple) else ():
            if not isinstance(resource, SharedResource):
                continue
            pools = workers.setdefault(resource.identity, {})
            pools[listener.pool] = listener.most_workers
            its_place, its_listener, its = first.setdefault(resource.identity, (where, listener, resource))
            if listener is its_listener:
                continue
            both = (
                f"{where}: listener {listener.name!r} shares {resource.name} with listener {its_listener.name!r} "
                f"({its_place})"
            )
            if its.name != resource.name:
                both += f", where it is called {its.name}"
            differing = [name for name in resource.settings if its.settings.get(name) != resource.settings[name]]
            if differing:
                yield f"{both}, and they contradict each other: " + "; ".join(
                    f"{name} = {resource.settings[name]} here, {its.settings.get(name, 'unset')} there"
                    for name in differing
                )
            can_share: object = getattr(plugin, "max_workers", None)
            if isinstance(can_share, int) and len(pools) > 1 and sum(pools.values()) > can_share:
                yield f"{both}, which is of another pool: workers of several pools can't share it"


def find_unlike_metrics(listeners: Iterable[Sharing]) -> Iterator[str]:
    """Report metrics of one name that can't be one family of /metrics, which Prometheus would refuse as a whole."""
    first: dict[str, tuple[Sharing, Metric]] = {}
    for listener in listeners:
        for metric in _metrics_of(listener.plugin):
            other, its = first.setdefault(metric.name, (listener, metric))
            if _shape(metric) != _shape(its):
                yield (
                    f"{listener.where}: its protocol's metric {metric.name!r} has another kind, other labels or other "
                    f"bounds than that of listener {other.name!r} ({other.where}); begin its name with the protocol's"
                )


def _metrics_of(plugin: object) -> tuple[Metric, ...]:
    try:
        return Layout(getattr(plugin, "metrics", ())).metrics
    except (TypeError, ValueError, AttributeError):  # a mistake that is reported already
        return ()


def _shape(metric: Metric) -> tuple[str, tuple[str, ...], tuple[float, ...]]:
    return metric.kind, tuple(metric.labels), tuple(metric.bounds)
