"""Counters that the master and every worker share: one row of u64 per worker process.

Every cell has one writer, so nothing is locked: an aligned 8-byte store is whole on every machine that
Linux runs Python on. A row belongs to one process from its fork until it is reaped; then its counters
are folded into the retired row, so that no total ever goes backwards. The metrics of a protocol's own are kept by
layout: a reload that changes the protocol, and fails, takes nothing from the one that goes on.

The header comes first, which the master alone writes. A row is `Cell.COUNT` fixed cells, then for each configured
listener one for each counter of its (spec/counters.py), then for each of them a block for the metrics of its protocol's
own (metric_cells.py). Behind the rows are the blocks of processes that have ended. The new master of an upgrade reads
all of it while this one leaves (earlier.py).
A connection is accepted once and closed once, whatever happens in between.
"""

from __future__ import annotations

import os
from enum import IntEnum
from typing import TYPE_CHECKING, NewType

from corepool.ipc.memory import make_private, share
from corepool.ipc.metric_cells import BLOCK, COUNTERS
from corepool.ipc.scoreboard_head import HEADER, MASTER_CELLS, Head
from corepool.spec.counters import OF_LISTENERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corepool.ipc.metric_cells import Layout

ROWS = 1024
"""Processes alive at once: 512 workers (the configuration's limit), each beside its replacement. Untouched rows
cost no memory."""


LAYOUTS_KEPT = 8
"""Of each listener, for the counts of ended processes: that which serves, that of a reload, and some to go back to."""

ListenerPlace = NewType("ListenerPlace", int)
"""Where the counters of a configured listener stand in each row; kept over reloads."""


class Cell(IntEnum):
    """The fixed cells of a row."""

    RECEIVED = 0  # connections taken from the channel: the acknowledgement the ledger waits for
    ACCEPTED = 1  # connections that began in this worker
    CLOSED = 2  # connections that ended
    REQUESTS = 3  # as protocols count them; for those that don't, readable events that brought data
    HEARTBEAT_NS = 4  # monotonic clock at the last heartbeat
    LAG_NS = 5  # how late that heartbeat was
    BUSY_NS = 6  # time spent outside of epoll_wait
    SETTLED = 7  # written by the master: handed-over connections whose copy it has closed
    PID = 8  # 0: the row is free, or its process has not booted yet
    SLOT = 9
    POOL = 10  # a number that the processes of one pool share
    MOVED_IN = 11  # connections that began elsewhere
    MOVED_OUT = 12  # connections that go on elsewhere
    REFUSED = 13  # connections that began elsewhere, and could not be gone on with
    THREADS = 14  # that plugins have to serve connections with
    THREADS_BUSY = 15
    THREADS_WAITING = 16  # connections or requests that wait for one
    TAKEN_BACK = 17  # written by the master: connections handed back that it has received
    BLOCKS = 18  # bits, by place: the listeners whose blocks of metrics the process has used
    PUBLISHED = 19  # messages of the bus
    DELIVERED = 20  # to subscriptions in this worker
    LOST = 21  # by this worker, for subscribers that don't keep up
    COUNT = 22


PER_LISTENER = len(OF_LISTENERS)
"""Cells of a listener."""

COLUMNS = {each.name: column for column, each in enumerate(OF_LISTENERS)}
"""Which of them a counter is."""

_ACCEPTED, _CLOSED, _MOVED_IN, _MOVED_OUT = (COLUMNS[name] for name in ("accepted", "closed", "moved", "moved_out"))

Load = tuple[int, int, int, int, int, int]
"""Of one process: `LOAD`, in this order."""

LOAD = (Cell.CLOSED, Cell.MOVED_OUT, Cell.RECEIVED, Cell.ACCEPTED, Cell.MOVED_IN, Cell.LAG_NS)
"""The cells that the dispatch reads at each accept. Those that count an end are read first: if the worker writes
meanwhile it seems to hold more than it does, never less."""

CELLS = {
    "accepted": Cell.ACCEPTED,
    "closed": Cell.CLOSED,
    "moved": Cell.MOVED_IN,
    "moved_out": Cell.MOVED_OUT,
    "requests": Cell.REQUESTS,
    "refused": Cell.REFUSED,
    "bus_published": Cell.PUBLISHED,
    "bus_delivered": Cell.DELIVERED,
    "bus_lost": Cell.LOST,
}
"""Cells that have the total of a counter. That of any other counter is the sum over the listeners."""

_TOTALS = (*CELLS.values(), Cell.BUSY_NS)
"""Sums over workers; the other cells describe a moment of one process."""


class Scoreboard:
    """The whole board. Made by the master before the first fork; workers inherit the mapping."""

    def __init__(self, listeners: int, fd: int | None = None) -> None:
        """Map a board for `listeners` configured ones: of `fd`, an empty file, for a new master to read.

        :raises OSError: the system refuses.
        """
        self.blocks_at = Cell.COUNT + PER_LISTENER * listeners
        """Where the blocks of metrics begin in a row."""
        self.width = self.blocks_at + BLOCK * listeners
        self.past_at = HEADER + (ROWS + 1) * self.width
        """Where the blocks of processes that have ended begin: `LAYOUTS_KEPT` for each listener."""
        self.size = 8 * (self.past_at + BLOCK * LAYOUTS_KEPT * listeners)
        """Bytes."""
        if fd is not None:
            os.ftruncate(fd, self.size)
        self._map = share(self.size, fd)
        self._all = memoryview(self._map).cast("Q")
        self._head = self._all[:HEADER]
        self._cells = self._all[HEADER : self.past_at]
        self._columns = tuple(self._cells[cell :: self.width] for cell in LOAD)
        self._past: dict[ListenerPlace, dict[int, memoryview[int]]] = {}
        """Blocks of ended processes, by tag, the one used last behind the others. Only the master asks for them."""
        self.parts: set[int] = set()
        """The places of protocols of listeners that have several: what these count, their listeners count, too."""
        self._used: set[int] = set()
        self._end = 1
        """The first row above all that are used."""
        self._head[Head.ROWS] = 1

    def claim(self, pool: int) -> Row:
        """Return a row for a process about to be forked: zeroed, but for the number of its pool.

        :raises RuntimeError: every row is in use.
        """
        # Row 0 is the retired one. The lowest free row is used, so that few pages are ever touched.
        index = next((index for index in range(1, ROWS + 1) if index not in self._used), None)
        if index is None:
            raise RuntimeError(f"{ROWS} worker processes are alive; the scoreboard has no row for another")
        self._used.add(index)
        self._end = max(self._used) + 1
        self._head[Head.ROWS] = max(self._end, self._head[Head.ROWS])
        row = Row(self._row(index), index, self.blocks_at)
        row.cells[Cell.POOL] = pool
        return row

    def retire(self, row: Row) -> None:
        """Fold the row of a process that was reaped into the retired one, and free it.

        What it held ended with it, and counts as closed.
        """
        cells, retired = row.cells, self._row(0)
        # It may have died before it counted all that it took in its last batch.
        cells[Cell.ACCEPTED] += max(0, cells[Cell.RECEIVED] - cells[Cell.ACCEPTED] - cells[Cell.MOVED_IN])
        cells[Cell.CLOSED] += held(cells)
        for first in range(Cell.COUNT, self.blocks_at, PER_LISTENER):
            begun = cells[first + _ACCEPTED] + cells[first + _MOVED_IN]
            cells[first + _CLOSED] = max(0, begun - cells[first + _MOVED_OUT])
        self._head[Head.FOLDS] += 1
        for cell in (*_TOTALS, *range(Cell.COUNT, self.blocks_at)):
            retired[cell] += cells[cell]
        for place in _places(cells[Cell.BLOCKS]):
            block = _block(cells, self.blocks_at, place)
            self._add_block(place, block[0], block)
            block[:] = memoryview(bytes(8 * BLOCK)).cast("Q")
        for cell in range(self.blocks_at):
            cells[cell] = 0
        self._head[Head.FOLDS] += 1
        self._used.remove(row.index)
        self._end = max(self._used, default=0) + 1

    def loads(self) -> list[Load]:
        """Read the load of every row, by its index: in C, 0.15 us a column of 32 rows."""
        end = self._end
        closed, moved_out, received, accepted, moved_in, lag_ns = self._columns
        return list(
            zip(
                closed[:end].tolist(),
                moved_out[:end].tolist(),
                received[:end].tolist(),
                accepted[:end].tolist(),
                moved_in[:end].tolist(),
                lag_ns[:end].tolist(),
                strict=True,
            )
        )

    def total(self, counter: str) -> int:
        """Sum a counter of listeners, workers or the master over every process since the start."""
        if (cell := MASTER_CELLS.get(counter)) is not None:
            return self._head[cell]
        if (cell := CELLS.get(counter)) is not None:
            return self._sum(cell)
        column = Cell.COUNT + COLUMNS[counter]
        # Also of listeners that a reload has removed.
        total = sum(sum(self._row(index)[column : self.blocks_at : PER_LISTENER]) for index in (0, *self._used))
        return total - sum(self._sum(column + PER_LISTENER * place) for place in self.parts)

    def total_of(self, place: ListenerPlace, counter: str) -> int:
        """Sum a counter of one listener over every process since the start."""
        return self._sum(listener_cell(place, counter))

    def metrics_of(self, place: ListenerPlace, layout: Layout) -> list[int]:
        """Sum the block of a listener over every process since the start; gauges over those that are alive."""
        rows = [self._row(index) for index in self._used]
        blocks = [_block(row, self.blocks_at, place).tolist() for row in rows if row[Cell.BLOCKS] >> place & 1]
        ours = [block for block in blocks if block[0] == layout.tag]
        return [sum(cells) for cells in zip(self._past_of(place, layout.tag), *ours, strict=True)]

    def active(self, place: ListenerPlace) -> int:
        """Return the number of open connections of a listener. Read while workers count, this may be off by some."""
        accepted, closed, moved_in, moved_out = (
            self.total_of(place, name) for name in ("accepted", "closed", "moved", "moved_out")
        )
        return max(0, accepted + moved_in - closed - moved_out)

    def rows(self) -> list[memoryview[int]]:
        """List the rows of the processes that have booted; for workers, which don't know which rows are used."""
        pids = self._cells[Cell.PID :: self.width].tolist()
        return [self._row(index) for index in range(1, ROWS + 1) if pids[index]]

    def abandon(self) -> None:
        """Turn the board into private memory of this process, which is forked by code in a worker."""
        make_private(self._map)

    def count(self, counter: str, by: int = 1) -> None:
        """Count something of the master's own."""
        self._head[MASTER_CELLS[counter]] += by

    @property
    def bus_joins(self) -> int:
        """How many workers have ever joined the bus: one that knows fewer is behind."""
        return self._head[Head.BUS_JOINS]

    def note_joins(self, joins: int) -> None:
        """Have all workers see how many have joined the bus."""
        self._head[Head.BUS_JOINS] = joins

    def take(
        self,
        cells: Mapping[str, int],
        listeners: Mapping[ListenerPlace, Mapping[str, int]],
        blocks: Mapping[ListenerPlace, Mapping[int, Sequence[int]]],
    ) -> None:
        """Add the counts of the masters before this one, once for all; those without a cell here are dropped.

        :param cells: by counter of workers, of the master, and of connections in all.
        :param blocks: by the tag of their layout.
        """
        retired = self._row(0)
        self._head[Head.FOLDS] += 1
        for counter, count in cells.items():
            if counter in MASTER_CELLS:
                self.count(counter, count)
            elif counter in CELLS:
                retired[CELLS[counter]] += count
        for place, counts in listeners.items():
            for counter, count in counts.items():
                if counter in COLUMNS:
                    retired[listener_cell(place, counter)] += count
        for place, by_tag in blocks.items():
            for tag, block in by_tag.items():
                self._add_block(place, tag, block)
        self._head[Head.HAS_TAKEN] = 1
        self._head[Head.FOLDS] += 1

    def _add_block(self, place: ListenerPlace, tag: int, block: Sequence[int] | memoryview[int]) -> None:
        """Add the counters of a process that was reaped to the past ones of its layout.

        While a reload changes the protocol, processes of both layouts end in any order, and the old one may go on.
        """
        past = self._past_of(place, tag)
        for cell in range(1, 1 + COUNTERS):
            past[cell] += block[cell]

    def _past_of(self, place: ListenerPlace, tag: int) -> memoryview[int]:
        by_tag = self._past.setdefault(place, {})
        past = by_tag.pop(tag, None)
        if past is None:
            if len(by_tag) < LAYOUTS_KEPT:
                first = self.past_at + BLOCK * (LAYOUTS_KEPT * place + len(by_tag))
                past = self._all[first : first + BLOCK]
            else:
                past = by_tag.pop(next(iter(by_tag)))
            past[:] = memoryview(bytes(8 * BLOCK)).cast("Q")
            past[0] = tag
        by_tag[tag] = past
        return past

    def _sum(self, cell: int) -> int:
        return sum(self._row(index)[cell] for index in (0, *self._used))

    def _row(self, index: int) -> memoryview[int]:
        return self._cells[index * self.width : (index + 1) * self.width]


class Row:
    """The counters of one process."""

    __slots__ = ("_blocks", "cells", "index")

    def __init__(self, cells: memoryview[int], index: int, blocks: int) -> None:
        """Take the cells of a row.

        :param blocks: where the blocks of metrics begin.
        """
        self.cells = cells
        self.index = index
        self._blocks = blocks

    @property
    def of_listeners(self) -> memoryview[int]:
        """The cells of the counters that each listener has."""
        return self.cells[Cell.COUNT : self._blocks]

    def block(self, place: ListenerPlace) -> memoryview[int]:
        """Return a listener's block of metrics, which counts from now on: untouched ones cost no memory."""
        self.cells[Cell.BLOCKS] |= 1 << place
        return _block(self.cells, self._blocks, place)


def _block(row: memoryview[int], blocks: int, place: ListenerPlace) -> memoryview[int]:
    return row[blocks + BLOCK * place : blocks + BLOCK * (place + 1)]


def _places(bits: int) -> list[ListenerPlace]:
    return [ListenerPlace(place) for place in range(64) if bits >> place & 1]


def held(cells: memoryview[int]) -> int:
    """Return the number of connections of a process. Read while it counts, this may be off by some."""
    begun = cells[Cell.ACCEPTED] + cells[Cell.MOVED_IN]
    return max(0, begun - cells[Cell.CLOSED] - cells[Cell.MOVED_OUT])


def listener_cell(place: ListenerPlace, counter: str) -> int:
    """Return the index of the cell of a listener's counter."""
    return Cell.COUNT + PER_LISTENER * place + COLUMNS[counter]
