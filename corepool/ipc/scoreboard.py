"""Counters that the master and every worker share: an anonymous mmap, one row of u64 per worker process.

Every cell has one writer, so nothing is locked: an aligned 8-byte store is whole on every machine that
Linux runs Python on. A row belongs to one process from its fork until it is reaped; then its counters
are folded into the retired row, so that no total ever goes backwards. The metrics of a protocol's own are kept by
layout: a reload that changes the protocol, and fails, takes nothing from the one that goes on.

A row is `Cell.COUNT` fixed cells, then for each configured listener one for each counter of its (spec/counters.py),
then for each of them a block for the metrics of its protocol's own (metric_cells.py).
A connection is accepted once and closed once, whatever happens in between.
"""

from __future__ import annotations

import ctypes
import mmap
from enum import IntEnum
from typing import TYPE_CHECKING, NewType

from corepool.ipc.metric_cells import BLOCK, COUNTERS
from corepool.spec.counters import OF_LISTENERS

if TYPE_CHECKING:
    from corepool.ipc.metric_cells import Layout

ROWS = 1024
"""Processes alive at once: 512 workers (the configuration's limit), each beside its replacement. Untouched rows
cost no memory."""


_LAYOUTS_KEPT = 8
"""Layouts of which the counts of ended processes are kept, of each listener: the one that serves, the one that a reload
brings, and some to go back to."""

ListenerPlace = NewType("ListenerPlace", int)
"""Where the counters of a configured listener stand in each row; kept over reloads."""

_MAP_FIXED = 0x10

_mmap = ctypes.CDLL(None, use_errno=True).mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


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
    COUNT = 19


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


# Sums over workers; the others describe a moment of one process.
_TOTALS = (
    Cell.ACCEPTED,
    Cell.CLOSED,
    Cell.REQUESTS,
    Cell.BUSY_NS,
    Cell.MOVED_IN,
    Cell.MOVED_OUT,
    Cell.REFUSED,
)

_CELLS = {
    "accepted": Cell.ACCEPTED,
    "closed": Cell.CLOSED,
    "moved": Cell.MOVED_IN,
    "requests": Cell.REQUESTS,
    "refused": Cell.REFUSED,
}
"""Cells that have the total of a counter. That of any other counter is the sum over the listeners."""


class Scoreboard:
    """The whole board. Made by the master before the first fork; workers inherit the mapping."""

    def __init__(self, listeners: int) -> None:
        """Map a board for `listeners` configured listeners."""
        self._blocks = Cell.COUNT + PER_LISTENER * listeners
        """Where the blocks of metrics begin in a row."""
        self._width = self._blocks + BLOCK * listeners
        self._map = mmap.mmap(-1, (ROWS + 1) * self._width * 8)
        self._cells = memoryview(self._map).cast("Q")
        self._columns = tuple(self._cells[cell :: self._width] for cell in LOAD)
        self._past: dict[ListenerPlace, dict[int, list[int]]] = {}
        """Blocks of ended processes, by tag, the one used last behind the others. Only the master asks for them."""
        self.parts: set[int] = set()
        """The places of protocols of listeners that have several: what these count, their listeners count, too."""
        self._used: set[int] = set()
        self._end = 1
        """The first row above all that are used."""

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
        row = Row(self._row(index), index, self._blocks)
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
        for first in range(Cell.COUNT, self._blocks, PER_LISTENER):
            begun = cells[first + _ACCEPTED] + cells[first + _MOVED_IN]
            cells[first + _CLOSED] = max(0, begun - cells[first + _MOVED_OUT])
        for cell in (*_TOTALS, *range(Cell.COUNT, self._blocks)):
            retired[cell] += cells[cell]
        for place in _places(cells[Cell.BLOCKS]):
            self._retire_block(_block(cells, self._blocks, place), place)
        for cell in range(self._blocks):
            cells[cell] = 0
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
        """Sum a counter of listeners or workers over every process since the start."""
        if (cell := _CELLS.get(counter)) is not None:
            return self._sum(cell)
        column = Cell.COUNT + COLUMNS[counter]
        # Also of listeners that a reload has removed.
        total = sum(sum(self._row(index)[column : self._blocks : PER_LISTENER]) for index in (0, *self._used))
        return total - sum(self._sum(column + PER_LISTENER * place) for place in self.parts)

    def total_of(self, place: ListenerPlace, counter: str) -> int:
        """Sum a counter of one listener over every process since the start."""
        return self._sum(listener_cell(place, counter))

    def metrics_of(self, place: ListenerPlace, layout: Layout) -> list[int]:
        """Sum the block of a listener over every process since the start; gauges over those that are alive."""
        rows = [self._row(index) for index in self._used]
        blocks = [_block(row, self._blocks, place).tolist() for row in rows if row[Cell.BLOCKS] >> place & 1]
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
        pids = self._cells[Cell.PID :: self._width].tolist()
        return [self._row(index) for index in range(1, ROWS + 1) if pids[index]]

    def abandon(self) -> None:
        """Turn the board into private memory of this process, which is forked by code in a worker.

        mmap(2), MAP_FIXED: the views that others hold stay valid.
        """
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
        _mmap(start, len(self._map), mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)

    def _retire_block(self, block: memoryview[int], place: ListenerPlace) -> None:
        """Add the counters of a process that was reaped to the past ones of its layout, and zero the block.

        While a reload changes the protocol, processes of both layouts end in any order, and the old one may go on.
        """
        past = self._past_of(place, block[0])
        for cell in range(1, 1 + COUNTERS):
            past[cell] += block[cell]
        block[:] = memoryview(bytes(8 * BLOCK)).cast("Q")

    def _past_of(self, place: ListenerPlace, tag: int) -> list[int]:
        by_tag = self._past.setdefault(place, {})
        past = by_tag.pop(tag, None) or [0] * BLOCK
        by_tag[tag] = past
        if len(by_tag) > _LAYOUTS_KEPT:
            del by_tag[next(iter(by_tag))]
        return past

    def _sum(self, cell: int) -> int:
        return sum(self._row(index)[cell] for index in (0, *self._used))

    def _row(self, index: int) -> memoryview[int]:
        return self._cells[index * self._width : (index + 1) * self._width]


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
