"""Where the cells of a protocol's own metrics stand: a block of fixed size for each listener in each row.

A block is a tag, the cells of counters and histograms, and those of gauges, which are not kept when a process ends.
The tag tells what a block was laid out for: a reload may give a listener of the same name another protocol.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from corepool.spec.metrics import Metric

COUNTERS, GAUGES = 119, 8

BLOCK = 1 + COUNTERS + GAUGES
"""Cells of a listener: 1 KiB."""


class Layout:
    """The places of the metrics of one protocol in a block."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        """Lay them out.

        :raises ValueError: they don't fit, or two have one name.
        """
        self.metrics = tuple(metrics)
        self.places: dict[str, slice] = {}
        counter, gauge = 1, 1 + COUNTERS
        for metric in self.metrics:
            if metric.name in self.places:
                raise ValueError(f"metric {metric.name!r} is declared twice")
            begin = gauge if metric.kind == "gauge" else counter
            end = begin + metric.size
            self.places[metric.name] = slice(begin, end)
            if metric.kind == "gauge":
                gauge = end
            else:
                counter = end
        if counter > 1 + COUNTERS or gauge > BLOCK:
            raise ValueError(
                f"its metrics have {counter - 1} cells of counters and histograms, and {gauge - 1 - COUNTERS} of "
                f"gauges; there is room for {COUNTERS} and {GAUGES}"
            )
        self.tag = zlib.crc32(repr([each.spell() for each in self.metrics]).encode()) + 1
        """Never 0, as that of a block which nothing has used is."""

    def cells(self, block: memoryview[int]) -> Mapping[str, memoryview[int]]:
        """Return the cells of each metric, by name, in a worker's own block, which is theirs from here on."""
        block[0] = self.tag
        return {name: block[place] for name, place in self.places.items()}

    def counted(self, sums: Sequence[int]) -> Mapping[str, Sequence[int]]:
        """Return the numbers of each metric, by name, of the sums of all blocks."""
        return {name: sums[place] for name, place in self.places.items()}
