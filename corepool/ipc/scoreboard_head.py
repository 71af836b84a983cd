"""The header of the scoreboard: cells that the master alone writes."""

from __future__ import annotations

from enum import IntEnum

from corepool.spec.counters import OF_THE_MASTER

HEADER = 64
"""Cells before the first row."""


class Head(IntEnum):
    """The cells of the header; behind them is one for each counter of the master's own."""

    FOLDS = 0  # odd while counts are moved from one place to another, and seem to be nowhere or twice
    ROWS = 1  # rows that were ever in use, the retired one included
    HAS_TAKEN = 2  # 1: the counts of the masters before are among those of the retired row
    BUS_JOINS = 3  # workers that have ever joined the bus, those of other masters included
    COUNT = 4


MASTER_CELLS = {each.name: Head.COUNT + number for number, each in enumerate(OF_THE_MASTER)}
"""Where the counters of the master's own stand in the header."""
