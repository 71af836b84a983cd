"""Tables on the terminal, in the one style that all commands have.

A terminal has an edge: columns of zeros are left out there, then the least important ones until a row fits, and cells
that are still too long lose their middle, so that a port stays to be seen. No cell is ever wrapped. Where there is no
terminal a row has every column and is one line per address, for grep and awk.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from corepool.cli.client import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNLIMITED = 10_000

_GAP = 2

_SHORTENED = 24
"""A cell that is longer is shortened to as many characters before a column is left out for it: a port, and enough of
the address before it."""

_MIN_SHORTENED = 12

_ZEROS = (0, "", "0 B", "-")

_STYLES = {
    "ready": "green",
    "done": "green",
    "starting": "yellow",
    "running": "yellow",
    "draining": "yellow",
    "stopping": "yellow",
    "paused": "yellow",
    "failed": "red",
    "broken": "red",
    "no answer": "red",
}
"""Of cells that are states."""


class Column(NamedTuple):
    """A column."""

    heading: str
    rank: int = 0
    """0: always shown; others are left out where the terminal is too narrow, the highest ones first."""
    hides_zeros: bool = False
    """Left out on a terminal if it has nothing but zeros."""


def console_for(color: str = "auto") -> Console:
    """Return the console of standard output.

    :param color: "always", "never", or "auto": on a terminal, but for NO_COLOR.
    """
    always = color == "always"
    return Console(
        highlight=False,
        emoji=False,
        markup=False,
        force_terminal=True if always else None,
        color_system=None if color == "never" else "standard" if always and "NO_COLOR" not in os.environ else "auto",
    )


def width_for(console: Console, *, wide: bool) -> int:
    """Return the number of columns that tables have room in."""
    return UNLIMITED if wide or not sys.stdout.isatty() else console.width


def print_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    *,
    wide: bool = False,
    color: str = "auto",
) -> None:
    """Print a table on standard output; numbers are set to the right.

    :param wide: show every column, however narrow the terminal is.
    """
    console = console_for(color)
    width = width_for(console, wide=wide)
    print_tables(console, [make_table(columns, rows, width)], width)


def print_tables(console: Console, tables: Iterable[Table], width: int) -> None:
    """Print tables that were made for a width, with an empty line between two."""
    console.width = max(width, 1)
    with console.capture() as captured:
        for number, table in enumerate(tables):
            if number:
                console.print()
            console.print(table, crop=False)
    # Without the blanks after the last column: with --wide, a terminal would break lines for them.
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))  # noqa: T201


def make_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int) -> Table:
    """Make a table that fits into `width` cells; it has every column if that is UNLIMITED."""
    cells = [[_printable(cell) for cell in row] for row in rows]
    kept = list(range(len(columns)))
    if width != UNLIMITED:
        kept = [n for n in kept if not (columns[n].hides_zeros and all(row[n] in _ZEROS for row in cells))]
    widths = [_width_of(columns[n].heading, [row[n] for row in cells]) for n in range(len(columns))]
    shortest = [min(each, _SHORTENED) for each in widths]
    while _sum(shortest, kept) > width:
        least = max(kept, key=lambda n: (columns[n].rank, n))
        if columns[least].rank == 0:
            break
        kept.remove(least)
    while _sum(widths, kept) > width:
        longest = max(kept, key=lambda n: widths[n])
        if widths[longest] <= _MIN_SHORTENED:
            break
        widths[longest] -= 1
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_edge=False)
    for n in kept:
        numeric = bool(cells) and all(isinstance(row[n], int | float) or _is_measure(row[n]) for row in cells)
        table.add_column(Text(columns[n].heading.upper()), justify="right" if numeric else "left", no_wrap=True)
    for row in cells:
        table.add_row(*(_text(row[n], widths[n]) for n in kept))
    return table


def make_tables(columns: Sequence[Column], row: Sequence[object], width: int) -> list[Table]:
    """Make as many tables as it takes to show every column of one row that isn't zero."""
    made: list[Table] = []
    cells = map(_printable, row)
    left = [(each, cell) for each, cell in zip(columns, cells, strict=True) if width == UNLIMITED or cell not in _ZEROS]
    while left:
        taken = 0
        used = -_GAP
        for column, cell in left:
            used += _GAP + _width_of(column.heading, [cell])
            if used > width and taken:
                break
            taken += 1
        made.append(make_table([each for each, _ in left[:taken]], [[cell for _, cell in left[:taken]]], width))
        left = left[taken:]
    return made


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: an address keeps its scheme and its port."""
    if cell_len(text) <= width:
        return text
    scheme, separator, rest = text.partition("://")
    head = scheme + separator if separator and len(scheme) < width // 3 else ""
    tail = rest if head else text
    return f"{head}…{tail[len(head) + 1 - width :]}"


def _printable(cell: object) -> object:
    """Return a cell without codes for the terminal: a pool may be another user's, and no pool at all."""
    return "\n".join(map(in_one_line, cell.split("\n"))) if isinstance(cell, str) else cell


def _sum(widths: Sequence[int], kept: Iterable[int]) -> int:
    """Return the length of a row with some of the columns."""
    return sum(widths[n] + _GAP for n in kept) - _GAP


def _width_of(heading: str, cells: Iterable[object]) -> int:
    lines = [line for cell in cells for line in str(cell).split("\n")]
    return max(len(heading), *(cell_len(line) for line in lines), 1)


def _is_measure(cell: object) -> bool:
    """Return whether a text is a number with a unit, or stands for one."""
    number, _, unit = str(cell).partition(" ")
    return cell == "-" or (number.replace(".", "", 1).isdecimal() and unit in _UNITS)


_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "s", "min", "h", "d", "")


def _text(cell: object, width: int) -> Text:
    if isinstance(cell, float):
        return Text(f"{cell:g}")
    text = "\n".join(shorten(line, width) for line in str(cell).split("\n"))
    return Text(text, style=_STYLES.get(text, ""))
