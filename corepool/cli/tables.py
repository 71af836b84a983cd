"""Tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where there is no terminal there is no edge to wrap at: a row is one line, for grep and awk.
_UNWRAPPED = 10_000


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None, spare: int = 0
) -> None:
    """Print a table; numbers are set to the right. In a terminal that is too narrow, cells wrap.

    :param spare: how many of the last columns are left out first where the terminal is too narrow.
    """
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = _UNWRAPPED
    rows = [list(row) for row in rows]
    table = _table(headings, rows, title)
    unwrapped = console.options.update(max_width=_UNWRAPPED)
    if spare and Measurement.get(console, unwrapped, table).maximum > console.width:
        table = _table(headings[:-spare], [row[:-spare] for row in rows], title)
    console.print(table)


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]], title: str | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for number, heading in enumerate(headings):
        numeric = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        table.add_column(Text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(f"{cell:g}" if isinstance(cell, float) else str(cell)) for cell in row))
    return table
