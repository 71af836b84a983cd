"""The counts of the masters before this one, read in their memory while they leave, as their workers go on counting.

A new master may be of another version: the one before it describes its scoreboard by name, and it reads the names that
it knows. The places of listeners are the same in both, and the metrics of a protocol are found by name, kind, labels
and bounds.

Boards stand in a list, the newest first. A master that has added the counts of those before it to its own notes that on
its board, so that a reader of both finds them once.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from corepool.ipc.memory import share
from corepool.ipc.metric_cells import BLOCK, Layout
from corepool.ipc.scoreboard import CELLS, LAYOUTS_KEPT, Cell, ListenerPlace
from corepool.ipc.scoreboard_head import HEADER, MASTER_CELLS, Head
from corepool.spec.counters import OF_LISTENERS
from corepool.spec.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from corepool.ipc.scoreboard import Scoreboard

FORMAT = 1

_TRIES = 100
"""How often a board is read anew whose master moves counts meanwhile: that takes 0.1 ms, and happens when a worker
ends."""

_MAX_BLOCK, _MAX_KEPT = 4096, 64
"""Cells of a block, and layouts that are kept of a listener, in a version that is understood."""

Described = dict[str, Any]
"""In types that JSON can hold."""

_Kind = tuple[str, str, tuple[str, ...], tuple[float, ...]]
"""Name, kind, labels and bounds of a metric: its cells mean the same in two versions if these are equal."""


@dataclass
class Sums:
    """The counts of some masters."""

    cells: Counter[str] = field(default_factory=Counter)
    """Of workers, of masters, and of all connections, by counter."""
    of_all_listeners: Counter[str] = field(default_factory=Counter)
    listeners: dict[ListenerPlace, Counter[str]] = field(default_factory=dict)
    """By place: of listeners, and of the protocols of those that have several."""
    metrics: dict[ListenerPlace, dict[_Kind, dict[tuple[str, ...], list[int]]]] = field(default_factory=dict)
    """By the values of the labels."""

    def total(self, counter: str) -> int:
        """Return the sum of a counter."""
        if counter in self.cells:
            return self.cells[counter]
        return self.of_all_listeners[counter]

    def total_of(self, place: ListenerPlace, counter: str) -> int:
        """Return that of one listener."""
        return self.listeners.get(place, Counter[str]())[counter]

    def block_of(self, place: ListenerPlace, layout: Layout) -> list[int]:
        """Return the cells of a listener's metrics, where a layout has them."""
        block = [0] * BLOCK
        of_listener = self.metrics.get(place, {})
        for metric in layout.metrics:
            first = layout.places[metric.name].start
            by_labels = of_listener.get(_kind(metric), {})
            for number, values in enumerate(metric.combinations()):
                if (cells := by_labels.get(values)) is not None:
                    block[first + number * metric.width : first + (number + 1) * metric.width] = cells
        return block

    def end(self) -> None:
        """Count every connection as closed: the masters have ended."""
        for counts in (self.cells, *self.listeners.values()):
            counts["closed"] = max(0, counts["accepted"] + counts["moved"] - counts["moved_out"])

    def add_metric(self, place: ListenerPlace, metric: Metric, cells: Sequence[int]) -> None:
        """Add the cells of one metric."""
        by_labels = self.metrics.setdefault(place, {}).setdefault(_kind(metric), {})
        for number, values in enumerate(metric.combinations()):
            these = cells[number * metric.width : (number + 1) * metric.width]
            before = by_labels.get(values, [0] * metric.width)
            by_labels[values] = [old + more for old, more in zip(before, these, strict=True)]


class EarlierBoard:
    """The scoreboard of one master before this one. Reads only; owns its descriptor."""

    def __init__(self, fd: int, described: Described, listeners: int) -> None:
        """Map it.

        :param described: as `describe` has made it, in this version or another.
        :param listeners: how many there may be here.
        :raises ValueError: it is described in a way that this version doesn't know.
        :raises OSError: it can't be mapped.
        """
        self.fd = fd
        self.described = described
        try:
            if described["format"] != FORMAT:
                raise ValueError(f"format {described['format']!r}, not {FORMAT}")  # noqa: TRY301
            size = int(described["size"])
            self._end = size // 8
            if size % 8 or not 0 < size <= os.fstat(fd).st_size:
                raise ValueError(f"{size} bytes, which its memory has not")  # noqa: TRY301
            self._read_description(described)
            if sorted(self.places.values()) != list(range(min(len(self.places), listeners))):
                raise ValueError(f"the places of its listeners; {listeners} are known here")  # noqa: TRY301
            self._map = share(size, fd)
            self._all = memoryview(self._map).cast("Q").toreadonly()
            self.add_to(Sums())  # cells that are not there are found now
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the description of its counts means nothing here: {error!r}") from None

    def _read_description(self, described: Described) -> None:
        head = self._cells_of(described["head"])
        self._folds, self._rows, self._has_taken = head["folds"], head["rows"], head["has_taken"]
        self._master = self._cells_of(described["master"])
        self._first, self._width = map(self._cell, described["rows"])
        self._cells = self._cells_of(described["cells"])
        self._listeners_at = self._cell(described["listeners"][0])
        self._columns = [str(name) for name in described["listeners"][1]]
        self._blocks_at, self._block = map(self._cell, described["blocks"])
        self._past_at, self._kept = map(self._cell, described["past"])
        if self._block > _MAX_BLOCK or self._kept > _MAX_KEPT:
            raise ValueError("the size of its blocks")
        self.parts = {int(place) for place in described["parts"]}
        """The places of protocols of listeners that have several."""
        self.places = {str(name): ListenerPlace(int(place)) for name, place in described["places"].items()}
        layouts = [
            (int(tag), [(_metric(metric), self._cell(first)) for metric, first in metrics])
            for tag, metrics in described["layouts"]
        ]
        self._counted = [(self._place(place), *layouts[int(layout)]) for place, layout in described["metrics"]]
        self.layouts = {place: Layout(metric for metric, _ in metrics) for place, _, metrics in self._counted}
        """Of the metrics that each listener has counted, here."""

    def _cell(self, number: object) -> int:
        if not isinstance(number, int) or not 0 <= number < self._end:
            raise ValueError(f"no cell {number!r}")
        return number

    def _place(self, number: object) -> ListenerPlace:
        """Return the place of a listener: any other would count rows that are not there, one by one."""
        if number not in self.places.values():
            raise ValueError(f"metrics of no listener: {number!r}")
        return ListenerPlace(int(str(number)))

    def _cells_of(self, cells: Mapping[str, object]) -> dict[str, int]:
        return {str(name): self._cell(cell) for name, cell in cells.items()}

    @property
    def folds(self) -> int:
        """Odd while counts are being moved; another number after that."""
        return self._all[self._folds]

    @property
    def has_taken(self) -> bool:
        """True when the counts of the boards before it are its own."""
        return bool(self._all[self._has_taken])

    def add_to(self, sums: Sums) -> None:
        """Add its counts."""
        end = self._first + self._width * self._all[self._rows]
        for name, cell in self._master.items():
            sums.cells[name] += self._all[cell]
        for name, cell in self._cells.items():
            sums.cells[name] += sum(self._all[self._first + cell : end : self._width])
        for place in self.places.values():
            first = self._first + self._listeners_at + len(self._columns) * place
            counts = sums.listeners.setdefault(place, Counter())
            for column, name in enumerate(self._columns):
                count = sum(self._all[first + column : end : self._width])
                counts[name] += count
                if place not in self.parts:
                    sums.of_all_listeners[name] += count
        for place, tag, metrics in self._counted:
            block = self._block_of(place, tag, end)
            for metric, first in metrics:
                sums.add_metric(place, metric, block[first : first + metric.size])

    def _block_of(self, place: ListenerPlace, tag: int, end: int) -> list[int]:
        in_rows = range(self._first + self._blocks_at + self._block * place, end, self._width)
        past = self._past_at + self._block * self._kept * place
        in_past = range(past, past + self._block * self._kept, self._block)
        blocks = [self._all[at : at + self._block].tolist() for at in (*in_rows, *in_past) if self._all[at] == tag]
        return [sum(cells) for cells in zip([0] * self._block, *blocks, strict=True)]


class EarlierBoards:
    """The boards of the masters before this one, the newest first."""

    def __init__(self, boards: Sequence[EarlierBoard] = ()) -> None:
        """Own them."""
        self._boards = list(boards)
        self._last = Sums()

    @property
    def places(self) -> Mapping[str, ListenerPlace]:
        """The places of listeners, by name."""
        return self._boards[0].places if self._boards else {}

    @property
    def parts(self) -> Collection[int]:
        """The places of protocols of listeners that have several."""
        return self._boards[0].parts if self._boards else ()

    @property
    def layouts(self) -> Mapping[ListenerPlace, Layout]:
        """The layouts of the metrics of listeners."""
        return self._boards[0].layouts if self._boards else {}

    @property
    def fds(self) -> list[int]:
        """The descriptors, by board; still owned here."""
        return [board.fd for board in self._boards]

    @property
    def described(self) -> list[Described]:
        """The descriptions, by board."""
        return [board.described for board in self._boards]

    def read(self) -> Sums:
        """Return the counts of all of them: as they were when last read, where they can't be read just now.

        Python has no memory barriers. On x86-64 a process sees the stores of another in their order, and a read that
        falls into a move is found out. On arm64 it is almost always: one that isn't shows the counts of one worker
        twice, or not at all, until the next read. What `read_ended` returns is exact on both.
        """
        for _ in range(_TRIES):
            boards = self._counting()
            folds = [board.folds for board in boards]
            sums = _sum(boards)
            if not any(each % 2 for each in folds) and folds == [board.folds for board in boards]:
                self._last = sums
                break
            os.sched_yield()
        return self._last

    def read_ended(self) -> Sums:
        """Return the counts of masters that have ended: they are what they are, also those of a move that has not."""
        return _sum(self._counting())

    @property
    def ended_in_a_move(self) -> bool:
        """True when a master has ended while it moved counts: some are missing, or there twice."""
        return any(board.folds % 2 for board in self._counting())

    def _counting(self) -> list[EarlierBoard]:
        """Return the boards up to the first that has the counts of those behind it, however these have ended."""
        taken = next((at for at, board in enumerate(self._boards) if board.has_taken), len(self._boards))
        return self._boards[: taken + 1]

    def close(self) -> None:
        """Forget them. Idempotent."""
        for board in self._boards:
            os.close(board.fd)
        self._boards = []
        self._last = Sums()


def _sum(boards: Iterable[EarlierBoard]) -> Sums:
    sums = Sums()
    for board in boards:
        board.add_to(sums)
    return sums


def describe(
    board: Scoreboard,
    places: Mapping[str, ListenerPlace],
    layouts: Mapping[ListenerPlace, Layout],
) -> Described:
    """Describe a board for `EarlierBoard`.

    :param places: those of listeners, by name, also of listeners that are gone.
    :param layouts: of the metrics that each listener counts now.
    """
    by_tag = {layout.tag: layout for layout in layouts.values()}
    tags = list(by_tag)
    return {
        "format": FORMAT,
        "size": board.size,
        "head": {"folds": int(Head.FOLDS), "rows": int(Head.ROWS), "has_taken": int(Head.HAS_TAKEN)},
        "master": {name: int(cell) for name, cell in MASTER_CELLS.items()},
        "rows": [HEADER, board.width],
        "cells": {name: int(cell) for name, cell in CELLS.items()},
        "listeners": [int(Cell.COUNT), [each.name for each in OF_LISTENERS]],
        "blocks": [board.blocks_at, BLOCK],
        "past": [board.past_at, LAYOUTS_KEPT],
        "places": dict(places),
        "parts": sorted(board.parts),
        "layouts": [
            (tag, [(metric.spell(), layout.places[metric.name].start) for metric in layout.metrics])
            for tag, layout in by_tag.items()
        ],
        "metrics": [(place, tags.index(layout.tag)) for place, layout in layouts.items()],
    }


def _metric(described: Mapping[str, Any]) -> Metric:
    """Return a metric as this version knows it: a later one may tell more of it, in the same cells."""
    return Metric(**{each.name: described[each.name] for each in fields(Metric) if each.name in described})


def _kind(metric: Metric) -> _Kind:
    return metric.name, metric.kind, tuple(metric.labels), tuple(map(float, metric.bounds))
