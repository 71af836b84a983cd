"""The metrics of a protocol's own: it declares them, counts them in its workers, and /metrics shows them by listener.

    class Shop:
        metrics = (Metric("shop_orders", "Orders taken.", labels={"kind": ("buy", "sell")}),)

        @hookimpl
        def on_worker_start(self, worker):
            self._orders = worker.metrics_of(self)["shop_orders"]

        @hookimpl
        def on_readable(self, conn):
            self._orders[0] += 1  # kind="buy"

The cells are shared memory, so counting is no system call, and what they hold outlives a worker that crashes.
A protocol may keep counts in attributes, and copy them to the cells with each heartbeat, as `http` does
(`metrics_of(self, refresh)`): those since the last heartbeat are lost with a worker that crashes.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from corepool.spec.counters import TOTALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NAME = re.compile("[a-z][a-z0-9_]*")

_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")
"""That the text format puts behind the names of counters and histograms."""

_OWN = frozenset(each.name.split("_")[0] for each in TOTALS) | {
    "build",
    "certificate",
    "generation",
    "listener",
    "protocol",
    "reload",
    "renewal",
    "uptime",
    "worker",
    "workers",
}
"""First words of the metrics of corepool itself."""

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as Prometheus has them: a family of cells, one for each combination of its labels' values.

    A counter never goes backwards: the counts of a worker that has ended are kept. A gauge is a number of this moment:
    that of a worker that has ended is gone. A histogram has a cell for each of `bounds`, in which values up to that
    bound are counted, one for those above all, and one for their sum, in billionths.
    """

    name: str
    """Without `corepool_` before it and `_total` behind it, in small letters; it begins with the protocol's, so that
    no two protocols have the same: with other labels, bounds or another kind, that is a mistake at the start."""
    meaning: str
    """For operators: a sentence."""
    kind: Kind = "counter"
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All values of each label. `listener` is added."""
    bounds: Sequence[float] = ()
    """Of a histogram: growing."""

    def __post_init__(self) -> None:
        """Judge it: one series that Prometheus refuses costs it all the others of the page.

        :raises ValueError: it can't be shown.
        """
        if self.kind not in get_args(Kind):
            raise ValueError(f"metric {self.name!r}: {self.kind!r} is no kind: {', '.join(get_args(Kind))} are")
        for name in (self.name, *self.labels):
            if not _NAME.fullmatch(name):
                raise ValueError(f"metric {self.name!r}: {name!r} is no name: small letters, digits and _ are")
        if self.name.endswith(_SUFFIXES):
            raise ValueError(f"metric {self.name!r}: a name doesn't end in {', '.join(_SUFFIXES)}: corepool adds them")
        if self.name.split("_")[0] in _OWN:
            raise ValueError(f"metric {self.name!r}: corepool has such names itself; begin with the protocol's")
        for label, values in self.labels.items():
            if not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
                raise ValueError(f"metric {self.name!r}: the values of label {label!r} are strings, each of them once")
        if not {"listener", "protocol", "le"}.isdisjoint(self.labels):
            raise ValueError(f"metric {self.name!r}: the labels `listener`, `protocol` and `le` are added by corepool")
        if not all(map(math.isfinite, self.bounds)):
            raise ValueError(f"metric {self.name!r}: bounds are finite; values above the last are counted anyway")
        if (self.kind == "histogram") != bool(self.bounds) or list(self.bounds) != sorted(set(self.bounds)):
            raise ValueError(f"metric {self.name!r}: a histogram, and nothing else, has bounds, and they grow")

    @property
    def width(self) -> int:
        """Cells of one combination of labels."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1

    @property
    def size(self) -> int:
        """Cells in all."""
        return self.width * sum(1 for _ in self.combinations())

    def spell(self) -> dict[str, object]:
        """Return its fields in types that JSON can hold."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "kind": self.kind,
            "labels": {name: list(values) for name, values in self.labels.items()},
            "bounds": [float(bound) for bound in self.bounds],
        }

    def combinations(self) -> Iterator[tuple[str, ...]]:
        """Yield each combination of the labels' values, in the order of the cells: the last label changes first."""
        return itertools.product(*self.labels.values())
